"""Snapshot ensembles in any framework: the models that one training leaves at its troughs, and their mean.

Huang et al. 2017, "Snapshot ensembles: train 1, get M for free", arXiv:1704.00109, section 3: the softmax
outputs of the last models are averaged. A trough is the moment after the last step of a cycle: a model that
is kept one step earlier has not been trained at the lowest rate yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sgdr import checks

if TYPE_CHECKING:
    from jaxtyping import Shaped

Model = TypeVar("Model")


class Schedule(Protocol):
    """What has rates and troughs: `WarmRestarts`, one of `sgdr.relatives`, or a `Warmup` around one."""

    def __call__(self, step: int, /) -> Any:
        """The rate at that step."""

    def troughs(self, budget: int) -> list[int]:
        """The ends of cycles <= `budget`."""


@dataclass(frozen=True)
class Snapshot(Generic[Model]):
    """A model at a trough."""

    epoch: int
    """So many steps of the schedule were done."""
    index: int
    """The index of the trough, from 0."""
    model: Model
    """What `keep` returned."""


def snapshots(
    schedule: Schedule, budget: int, train: Callable[[int, float], object], keep: Callable[[], Model]
) -> Iterator[Snapshot[Model]]:
    """Trains for `budget` steps of the schedule, and yields a snapshot at every trough on the way.

    A step is what T_0 counts, mostly an epoch: ``train(epoch, lr)`` is called with its number from 0 and its
    rate, and does it. ``keep()`` returns a copy of the model, such as
    ``lambda: copy.deepcopy(model.state_dict())``; what it returns is `Snapshot.model`. Training goes only as
    far as snapshots are asked for: it ends where the loop over them is left.

    >>> from sgdr import WarmRestarts
    >>> model = []  # stands for one that is trained
    >>> train = lambda epoch, lr: model.append(lr)
    >>> kept = list(snapshots(WarmRestarts(0.1, T_0=2, T_mult=2), budget=6, train=train, keep=model.copy))
    >>> [(snapshot.epoch, len(snapshot.model)) for snapshot in kept]
    [(2, 2), (6, 6)]
    >>> ensemble(kept, predict=len)
    4.0

    Raises ValueError for a budget that is not a whole number >= 1 and for one before the first trough, before
    anything is trained.
    """
    budget = checks.whole_count("budget", budget)
    if not hasattr(schedule, "troughs"):
        raise ValueError(f"schedule must have troughs(), got {schedule!r}; give e.g. a WarmRestarts")
    troughs = schedule.troughs(budget=budget)
    if not troughs:
        raise ValueError(f"budget={budget!r} ends before the first trough; raise budget or shorten T_0")
    return _trained(schedule, budget, troughs, train, keep)


def _trained(
    schedule: Schedule,
    budget: int,
    troughs: list[int],
    train: Callable[[int, float], object],
    keep: Callable[[], Model],
) -> Iterator[Snapshot[Model]]:
    index = {epoch: place for place, epoch in enumerate(troughs)}
    for epoch in range(budget):
        train(epoch, float(schedule(epoch)))
        if epoch + 1 in index:
            yield Snapshot(epoch + 1, index[epoch + 1], keep())


def ensemble(
    kept: Iterable[Snapshot[Model]], predict: Callable[[Model], Shaped[Any, "*shape"]]
) -> Shaped[Any, "*shape"]:
    """The mean of ``predict(snapshot.model)`` over the snapshots: the ensemble's prediction.

    `predict` returns an array of any library, such as the probabilities of classes; probabilities are
    averaged, not logits: Huang et al. 2017, arXiv:1704.00109, section 3. One prediction is held at a time.
    Raises ValueError for no snapshots, and for a prediction that is no array.
    """
    total: Any = None
    count = 0
    for snapshot in kept:
        prediction = _as_floats(predict(snapshot.model))
        total = prediction if total is None else total + prediction
        count += 1
    if not count:
        raise ValueError("an ensemble of no snapshots predicts nothing; give at least one")
    return total / count


def _as_floats(prediction: Any) -> Any:
    """A copy, since `predict` may fill the same array anew for the next model."""
    try:
        return prediction * 1.0
    except TypeError:
        kind = type(prediction).__name__
        raise ValueError(f"predict must return an array, got a {kind}; give e.g. np.asarray of it") from None
