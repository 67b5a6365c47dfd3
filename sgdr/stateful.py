"""A schedule that is stepped: `CosineAnnealingWarmRestarts`; `SchedulerState` is the same as a value.

Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", arXiv:1608.03983, eq. 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

from sgdr import checks
from sgdr.checks import checked_step, is_array
from sgdr.cycles import Cycle, Number
from sgdr.saved_state import differences, plain, warn_of_changes
from sgdr.schedule import WarmRestarts
from sgdr.scheduler_state import SchedulerState as SchedulerState


class CosineAnnealingWarmRestarts:
    """Cosine annealing with warm restarts as an object that is stepped, with the names that frameworks use.

    Args:
        base_lr: the peak, or a list of peaks, one for each group of parameters.
        T_0: length of the first cycle, > 0.
        T_mult: each cycle lasts this many times as long as the one before, >= 1.
        eta_min: the lowest rate, at most the lowest peak.
        last_epoch: the step at which it stands: 0 at the beginning, k to go on after k steps.
        peak_decay, cycles: as of `WarmRestarts`.

    `step()` comes after every epoch or every batch: whatever T_0 counts. The rates are those of
    `WarmRestarts`: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.

    >>> scheduler = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=10, T_mult=2)
    >>> for epoch in range(10):
    ...     scheduler.step()
    >>> scheduler.get_lr(), scheduler.T_cur, scheduler.T_i, scheduler.at_restart
    ([0.1], 0, 20, True)

    Raises:
        ValueError: for a bad argument, in one line that names it.
    """

    def __init__(
        self,
        base_lr: float | Sequence[float] = 1e-3,
        T_0: Number = 10,
        T_mult: Number = 1,
        eta_min: float = 0.0,
        last_epoch: Number = 0,
        *,
        peak_decay: float = 1.0,
        cycles: int | None = None,
    ) -> None:
        arguments = {
            "T_0": T_0,
            "T_mult": T_mult,
            "eta_min": eta_min,
            "peak_decay": peak_decay,
            "cycles": cycles,
        }
        shared = {name: _number(name, value) for name, value in arguments.items()}
        self._state = SchedulerState(
            tuple(WarmRestarts(base_lr=peak, **shared) for peak in _peaks(base_lr)),
            checked_step(plain(last_epoch), "last_epoch"),
        )

    @classmethod
    def following(cls, schedule: WarmRestarts, last_epoch: Number = 0) -> Self:
        """The scheduler of that schedule, e.g. the best one of a study.

        Raises ValueError for anything but a `WarmRestarts`.
        """
        if not isinstance(schedule, WarmRestarts):
            raise ValueError(f"schedule must be a WarmRestarts, got {schedule!r}; call any other by itself")
        return cls(**schedule.to_dict(), last_epoch=last_epoch)

    def step(self, epoch: Number | None = None) -> None:
        """Goes one step on, or to `epoch`, which may be a fraction and lie before.

        Raises ValueError for an epoch that is not a finite number >= 0, and stays where it is.
        """
        self._state = self._state.step(None if epoch is None else checked_step(plain(epoch), "epoch"))

    def get_lr(self) -> list[float]:
        """The rate of each group at this step."""
        return self._state.get_lr()

    def get_last_lr(self) -> list[float]:
        """The same: the rate is a function of the step."""
        return self.get_lr()

    @property
    def last_epoch(self) -> Number:
        """The step at which it stands: so many are done."""
        step: Number = self._state.last_epoch
        return step

    @property
    def base_lrs(self) -> list[float]:
        """The peak of each group."""
        return [schedule.base_lr for schedule in self.schedules]

    @property
    def schedules(self) -> tuple[WarmRestarts, ...]:
        """The schedule of each group."""
        return self._state.schedules

    @property
    def T_0(self) -> Number:
        """Length of the first cycle."""
        length: Number = self.schedules[0].T_0
        return length

    @property
    def T_mult(self) -> Number:
        """How many times as long as the one before each cycle lasts."""
        factor: Number = self.schedules[0].T_mult
        return factor

    @property
    def eta_min(self) -> float:
        """The lowest rate."""
        lowest: float = self.schedules[0].eta_min
        return lowest

    @property
    def T_cur(self) -> Number:
        """Steps since the last restart. It may be assigned what it is, as some restore a scheduler."""
        position: Number = self._state.T_cur
        return position

    @T_cur.setter
    def T_cur(self, value: Number) -> None:
        self._agree("T_cur", value, self.T_cur)

    @property
    def T_i(self) -> Number:
        """Steps of the present cycle. It may be assigned what it is, as some restore a scheduler."""
        length: Number = self._state.T_i
        return length

    @T_i.setter
    def T_i(self, value: Number) -> None:
        self._agree("T_i", value, self.T_i)

    @property
    def cycle(self) -> Cycle:
        """The present cycle; see `WarmRestarts.cycle`."""
        return self.schedules[0].cycle(self.last_epoch)

    @property
    def at_restart(self) -> bool:
        """Whether a cycle after the first begins here; see `SchedulerState.at_restart`."""
        return bool(self._state.at_restart)

    @property
    def at_trough(self) -> bool:
        """Whether a cycle is just complete, and the model one to keep; see `SchedulerState.at_trough`."""
        return bool(self._state.at_trough)

    def state(self) -> SchedulerState:
        """The state of the scheduler as a value, to be stepped inside `jax.jit` or `jax.lax.scan`."""
        return self._state

    def state_dict(self) -> dict[str, Any]:
        """The step and the fields, ready for JSON; `last_epoch` alone says where it stands."""
        shared = {field.name: getattr(self.schedules[0], field.name) for field in fields(WarmRestarts)}
        del shared["base_lr"]
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs, **shared}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes the step from `state_dict`, and the fields that it has; other entries are not needed.

        So it has the groups of `state_dict` then, and one warning says which fields that changes. To keep
        those that the scheduler was made with, call ``step(state_dict["last_epoch"])`` instead. Raises
        ValueError where `last_epoch` is not there or a value is bad, and stays as it is.
        """
        if "last_epoch" not in checks.mapping("state_dict", state_dict):
            raise ValueError(
                f"state_dict must have last_epoch, got {sorted(map(str, state_dict))}; "
                "give what state_dict() returned"
            )
        mine = self.state_dict()
        known = {name: state_dict.get(name, value) for name, value in mine.items()}
        loaded = type(self)(base_lr=known.pop("base_lrs"), **known)
        theirs = loaded.state_dict()
        self._state = loaded._state
        del mine["last_epoch"]
        warn_of_changes(
            [text for name in mine for text in differences(name, mine[name], theirs[name])], self.last_epoch
        )

    def __repr__(self) -> str:
        peaks = {"base_lr": self.base_lrs} if len(self.schedules) > 1 else {}
        arguments = {**self.schedules[0].to_dict(), **peaks, "last_epoch": self.last_epoch}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"

    def _agree(self, name: str, value: Any, derived: Number) -> None:
        if checked_step(plain(value), name) != derived:
            raise ValueError(
                f"{name} is {derived!r} at step {self.last_epoch!r}, got {value!r}; "
                "go elsewhere by step(epoch)"
            )


def _number(name: str, value: Any) -> Any:
    """The one in an array without dimensions; what is no array as it is."""
    number = plain(value)
    if is_array(number):
        raise ValueError(f"{name} must be a number, got an array of shape {number.shape}; give one")
    return number


def _peaks(base_lr: Any) -> Sequence[Any]:
    """One peak for each group."""
    peaks = plain(base_lr)
    if getattr(peaks, "ndim", None) == 1:
        peaks = peaks.tolist()
    peaks = peaks if isinstance(peaks, list | tuple) else [peaks]
    if not peaks:
        raise ValueError("base_lr must be a number or a list of them, got an empty list; give one per group")
    return [_number("base_lr", peak) for peak in peaks]
