"""The code of each framework."""

from __future__ import annotations

from collections.abc import Callable

from sgdr.export import braintools, keras, optax, torch, transformers
from sgdr.export.plan import Plan, planned
from sgdr.shapes import Schedule
from sgdr.stepping import Interval

_WRITERS: dict[str, Callable[[Plan], str]] = {
    "torch": torch.code,
    "optax": optax.code,
    "keras": keras.code,
    "braintools": braintools.code,
    "transformers": transformers.code,
}
TARGETS = tuple(_WRITERS)


def code(
    schedule: Schedule,
    target: str,
    *,
    steps_per_epoch: int | None = None,
    budget: int | None = None,
    interval: Interval | None = None,
) -> str:
    """Python code that trains with `schedule` in the framework `target`, one of `TARGETS`.

    `schedule` is a `WarmRestarts`, any formula of `sgdr.decays` or `sgdr.relatives` but `Joined` and
    `Chained`, or a `Warmup` of one of these.

    With `steps_per_epoch`, its lengths and `budget` count epochs of so many optimizer updates, and the rate
    changes at every update: it is ``schedule.scaled(steps_per_epoch)(step)``. Without, one step of the
    schedule is one of whatever steps it: an epoch for torch and braintools, whose scheduler the training loop
    steps, and an optimizer update for the others. A schedule in updates is `steps_per_epoch=1` everywhere. A
    comment at the top of the code says which it is, and where the schedule is stepped.

    With an `interval`, lengths and `budget` count epochs in any case, as those of a study do. "step": the
    rate changes at every update, of which `steps_per_epoch` must say how many an epoch has. "epoch": it
    changes once an epoch. torch and braintools are stepped once an epoch then; the others, which ask for a
    rate at every update, hold it for `steps_per_epoch` of them, which they must be given. Both are known of a
    trial: ``best.stepping.steps_per_epoch`` and ``best.stepping.interval``.

    `budget` is the length of training, for the loop and the comments. Names that the code does not define
    stand for the user's own: model, loader, loss_function and the like, and `epochs` without a budget.

    Rates are those of `schedule` to 1e-12 of base_lr where the framework computes them in Python (torch,
    transformers), and to the precision of float32 in the others, up to step 2**31 - 1.

    Raises:
        ValueError: for an unknown target, another schedule, or one whose fields are arrays, a bad
            `steps_per_epoch`, `budget` or `interval`, an `interval` without the `steps_per_epoch` that it
            takes, and for fields beyond the range of a framework's float32 or of a table of cycles.
    """
    check_target(target)
    return _WRITERS[target](planned(schedule, target, steps_per_epoch, budget, interval))


def check_target(target: str) -> None:
    """Raises ValueError for what is none of `TARGETS`."""
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, got {target!r}; choose one of them")
