"""`WarmRestartsLR`: any schedule as a scheduler of PyTorch's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor
from torch.optim import Optimizer

from sgdr import relatives
from sgdr.adapters.torch.group_rates import Rate, like, plain_rate
from sgdr.adapters.torch.one_step import FromOneStep, warn_outside_of_step
from sgdr.cycles import Cycle, Number
from sgdr.formula import Formula
from sgdr.saved_state import differences, plain
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup

Schedule: TypeAlias = Callable[[Any], Any]


class WarmRestartsLR(FromOneStep):
    """Sets an optimizer's rates to those of a schedule of ours, or of any callable from step to rate.

    With one schedule, the first group follows it exactly, whatever rate the optimizer was made with, and the
    rates of the others keep the proportion to the first that the optimizer was made with (`base_lrs`). A
    group that is added later has its own rate where the schedule has its peak `base_lr`; with a function that
    has none, it keeps the proportion as well. With a list of schedules, one for each group, every group
    follows its own: append one to `schedules` with every group that is added.

    Args:
        optimizer: what it sets the rates of.
        schedule: e.g. a `sgdr.WarmRestarts`, or `sgdr.Warmup(schedule, 500)`, which delays it by a warm-up.
        last_epoch: -1 to begin with step 0; k to go on with step k + 1, as PyTorch does.

    A state holds the fields of a schedule of ours as plain numbers, with its warm-up, and they count when it
    is loaded, with a warning where they are others. Another callable is not saved: the one that the scheduler
    was made with stays.

    Raises:
        ValueError: for a bad argument, in one line that names it.
        KeyError: by PyTorch, for last_epoch >= 0 where a group lacks `initial_lr`.
    """

    needed = (*FromOneStep.needed, "schedules")

    def __init__(
        self, optimizer: Optimizer, schedule: Schedule | Sequence[Schedule], last_epoch: int = -1
    ) -> None:
        self.schedules: list[Schedule] = [schedule] if callable(schedule) else _listed(schedule)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """The rate of each group at this step, for `step()`; to read it, use `get_last_lr()`."""
        if not self._get_lr_called_within_step:
            warn_outside_of_step()
        step = self._step if self._step > 0 else 0
        rates = [float(schedule(step)) for schedule in self.schedules]
        if len(rates) > 1:
            self._check_groups(vars(self), self.base_lrs)
            return [like(base, rate) for base, rate in zip(self.base_lrs, rates, strict=True)]
        first, *others = self.base_lrs
        return [like(first, rates[0]), *(rates[0] * _ratio(base, first) for base in others)]

    def _cycle_at(self, step: Number) -> Cycle:
        schedule = self.schedules[0]
        if not hasattr(schedule, "cycle"):
            raise ValueError(f"schedule must have cycles, got {schedule!r}; use a sgdr.WarmRestarts")
        cycle: Cycle = schedule.cycle(step)
        return cycle

    def _check_groups(self, fields: Mapping[str, Any], base_lrs: Sequence[Rate]) -> None:
        count = len(fields["schedules"])
        if count not in (1, len(base_lrs)):
            raise ValueError(
                f"schedule must be one, or one for each of the {len(base_lrs)} param groups, got {count}; "
                "append that of a new group to schedules"
            )
        if count == 1 < len(base_lrs) and not base_lrs[0] > 0:
            raise ValueError(
                f"lr of param group 0 must be > 0, got {base_lrs[0]!r}; give a rate for the others to be in "
                "proportion to, or one schedule for each group"
            )

    def _peak_of(self, group: Mapping[str, Any]) -> Rate:
        own, first = plain_rate(super()._peak_of(group)), self.base_lrs[0]
        peak = _peak(self.schedules[0])
        if len(self.schedules) > 1 or peak is None or float(first) == peak:
            return own
        return own * (float(first) / peak)

    def _changes(self, attributes: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
        changes = []
        for number, (present, loaded) in enumerate(zip(self.schedules, attributes["schedules"], strict=True)):
            name = f"schedules[{number}]"
            changes += differences(name, present, loaded)
            # A state without rates is an old one, which does not say which of the other schedules it is of.
            says = isinstance(present, WarmRestarts | Warmup) or "_in_optimizer" in state
            if state["schedules"][number] is None and says and _saved(present) is not None:
                changes.append(f"no {name} in place of {present!r}, which stays")
        if len(self.schedules) == 1:  # of several, each says its own rates
            count = len(self.base_lrs)
            base_lrs = self.base_lrs, attributes["base_lrs"][:count]
            shares = [[float(rate) / float(rates[0]) for rate in rates[1:]] for rates in base_lrs]
            if differences("base_lrs", *shares):
                changes += differences("base_lrs", *base_lrs)
        return changes

    def _derived(self) -> dict[str, Any]:
        return {**super()._derived(), "schedules": [_saved(schedule) for schedule in self.schedules]}

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        saved = state["schedules"]
        if not isinstance(saved, list) or len(saved) != len(self.schedules):
            raise ValueError(
                f"schedules of a state must be a list of {len(self.schedules)}, got {saved!r}; "
                "make the scheduler with as many as the state has"
            )
        state["schedules"] = list(map(_restored, saved, self.schedules))
        return super()._checked_state(state)


def _listed(schedules: Any) -> list[Schedule]:
    several = list(schedules) if isinstance(schedules, list | tuple) else [schedules]
    for schedule in several:
        if not callable(schedule):
            raise ValueError(f"schedule must be callable, got {schedule!r}; give e.g. a sgdr.WarmRestarts")
    return several


def _ratio(base: Rate, first: Rate) -> Rate:
    """base / first, as a number where `base` is one."""
    return base / (first if isinstance(base, Tensor) else float(first))


def _peak(schedule: Schedule) -> float | None:
    """The peak of a schedule of ours, also behind a warm-up; None of what has none."""
    if isinstance(schedule, Warmup):
        return _peak(schedule.schedule)
    return float(schedule.base_lr) if hasattr(schedule, "base_lr") else None


def _saved(schedule: Schedule) -> dict[str, Any] | None:
    """The fields of a schedule of ours as plain values; None for anything else."""
    if isinstance(schedule, Warmup):
        return {"schedule": _saved(schedule.schedule), "steps": plain(schedule.steps)}
    if not isinstance(schedule, WarmRestarts | Formula):
        return None
    try:
        fields: dict[str, Any] = plain(schedule.to_dict())
    except ValueError:  # of parts that are plain functions
        return None
    return fields


def _restored(saved: Any, schedule: Schedule) -> Schedule:
    """The schedule with the fields `saved`; what has none is the present `schedule`."""
    if saved is None:
        return schedule
    if not isinstance(saved, Mapping):
        raise ValueError(f"schedules of a state must be dicts of fields or None, got {saved!r}")
    if set(saved) != {"schedule", "steps"}:
        return relatives.from_dict(saved)
    inner = schedule.schedule if isinstance(schedule, Warmup) else schedule
    return Warmup(_restored(saved["schedule"], inner), saved["steps"])
