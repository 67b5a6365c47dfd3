"""`CosineAnnealingWarmRestarts`: braintools' scheduler of that name, all of it derived from one step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isclose, log
from typing import Any

from sgdr import checks
from sgdr.checks import checked_step, is_array
from sgdr.cycles import Number
from sgdr.extras import missing
from sgdr.saved_state import differences, plain, warn_of_changes
from sgdr.schedule import WarmRestarts
from sgdr.scheduler_state import SchedulerState
from sgdr.stateful import CosineAnnealingWarmRestarts as Scheduler

try:
    from brainstate import State
    from braintools.optim import LRScheduler
except ImportError as error:
    raise missing("sgdr.adapters.braintools", "braintools", "braintools") from error

from jax.core import Tracer

_CLOSE = 1e-6
"""Two numbers are the same where one of them went through float32."""


class CosineAnnealingWarmRestarts(LRScheduler):
    """A scheduler for the optimizers of braintools: ``braintools.optim.AdamW(lr=scheduler)`` follows it.

    Args:
        base_lr: the peak, or a list of peaks, one for each group of parameters. Add the groups without a
            rate, ``optimizer.add_param_group(params)``, and then `attach_optimizer` once more.
        T_0: length of the first cycle, > 0, in whatever unit `step()` is called.
        T_mult: each cycle lasts this many times as long as the one before, >= 1.
        eta_min: the lowest rate, at most the lowest peak.
        last_epoch: the step at which it stands: 0 at the beginning, k to go on after k steps.
        peak_decay, cycles: as of `WarmRestarts`.

    Only `last_epoch` is kept, as a state, so that `step()` may stand inside `brainstate.transform.jit`,
    `for_loop` and `scan`. Rates, `T_cur`, `T_i`, `at_restart` and `at_trough` follow from it: Python numbers,
    or JAX arrays where it is traced: as of `sgdr.WarmRestarts` (Loshchilov & Hutter 2017, arXiv:1608.03983,
    eq. 5).

    Raises:
        ValueError: for a bad argument, in one line that names it.
    """

    base_lrs: list[float]

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
        scheduler = Scheduler(base_lr, T_0, T_mult, eta_min, last_epoch, peak_decay=peak_decay, cycles=cycles)
        self._first = scheduler.schedules[0]
        begin: Any = scheduler.last_epoch
        super().__init__(scheduler.base_lrs, begin)

    def attach_optimizer(self, optimizer: Any) -> None:
        """Lets it set the rates of the groups of that optimizer, the present ones at once.

        Groups beyond those in base_lr get the last peak.
        """
        super().attach_optimizer(optimizer)
        self._apply_here()

    def step(self, epoch: Any = None) -> None:
        """Goes one step on, or to `epoch`, which may be a fraction and lie before.

        Raises ValueError for an epoch that is not a finite number >= 0, and stays where it is.
        """
        epoch = _number(epoch)
        if epoch is not None and not is_array(epoch):
            epoch = checked_step(epoch, "epoch")
        super().step(epoch)

    def apply(self, apply_fn: Callable[[Any], Any]) -> None:
        """Sets the present rates, each changed by that function.

        Raises ValueError where a group was added with a rate of its own, which braintools does not let go.
        """
        groups: list[Any] = [] if self.optimizer is None else self.optimizer.param_groups
        for number, (group, peak) in enumerate(zip(groups, self.base_lrs, strict=False)):
            if not isinstance(group["lr"], State):
                raise ValueError(
                    f"lr of param group {number} must be left to the scheduler, got {group['lr']!r}; "
                    f"add the group without lr: its peak is base_lr[{number}]={peak!r}"
                )
        super().apply(apply_fn)

    def get_lr(self) -> list[Any]:
        """The rate of each group at this step."""
        return self._state.get_lr()

    @property
    def schedules(self) -> tuple[WarmRestarts, ...]:
        """The schedule of each group."""
        return tuple(replace(self._first, base_lr=peak) for peak in self.base_lrs)

    @property
    def T_0(self) -> Number:
        """Length of the first cycle."""
        length: Number = self._first.T_0
        return length

    @property
    def T_mult(self) -> Number:
        """How many times as long as the one before each cycle lasts."""
        factor: Number = self._first.T_mult
        return factor

    @property
    def eta_min(self) -> float:
        """The lowest rate."""
        lowest: float = self._first.eta_min
        return lowest

    @property
    def T_cur(self) -> "Derived":
        """Steps since the last restart, as `T_cur.value`. It may be assigned what it is, to restore it."""
        return Derived(self, "T_cur")

    @T_cur.setter
    def T_cur(self, value: Any) -> None:
        self.T_cur.value = value

    @property
    def T_i(self) -> "Derived":
        """Steps of the present cycle, as `T_i.value`. It may be assigned what it is, to restore it."""
        return Derived(self, "T_i")

    @T_i.setter
    def T_i(self, value: Any) -> None:
        self.T_i.value = value

    @property
    def at_restart(self) -> Any:
        """Whether a cycle after the first begins here; see `SchedulerState.at_restart`."""
        return self._state.at_restart

    @property
    def at_trough(self) -> Any:
        """Whether a cycle is just complete, and the model one to keep; see `SchedulerState.at_trough`."""
        return self._state.at_trough

    def state_dict(self) -> dict[str, Any]:
        """The scheduler's state in numbers, by the names of braintools' own scheduler, which may load it."""
        return {
            "last_epoch": self._epoch,
            "base_lrs": [_number(peak) for peak in self.base_lrs],
            "current_lrs": [_number(rate) for rate in self.current_lrs.value],
            "T_cur": self.T_cur.value,
            "T_i": self.T_i.value,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes the step and the peaks; the rest, also where braintools' own was wrong, follows from them.

        One warning says where the state has other peaks, which then count, or is of cycles of other lengths,
        which do not: the scheduler keeps the ones that it was made with. To keep its peaks as well, call
        ``step(state_dict["last_epoch"])`` instead.

        Raises ValueError where one of them lacks or is bad, and stays as it is.
        """
        checks.mapping("state_dict", state_dict)
        for name in ("last_epoch", "base_lrs"):
            if name not in state_dict:
                raise ValueError(
                    f"state_dict must have {name}, got {sorted(map(str, state_dict))}; "
                    "give what state_dict() returned"
                )
        fields = {**self._first.to_dict(), "base_lr": state_dict["base_lrs"]}
        loaded = Scheduler(**fields, last_epoch=state_dict["last_epoch"])
        changes = differences("base_lrs", self.base_lrs, loaded.base_lrs)
        T_i = plain(state_dict.get("T_i"))
        if isinstance(T_i, int | float) and not self._has_cycle_of(T_i):
            changes.append(f"no T_0 and T_mult, but T_i={T_i!r}, which no cycle of {self._first!r} has")
        self.base_lrs, self.last_epoch.value = loaded.base_lrs, loaded.last_epoch
        self._apply_here()
        warn_of_changes(changes, loaded.last_epoch)

    def _has_cycle_of(self, length: float) -> bool:
        """Whether a cycle lasts that long."""
        T_0, T_mult = self._first.T_0, self._first.T_mult
        number = round(log(length / T_0) / log(T_mult)) if T_mult > 1 and length > T_0 else 0
        return isclose(length, T_0 * T_mult**number, rel_tol=_CLOSE)

    @property
    def _epoch(self) -> Any:
        """The step at which it stands: a Python number unless it is traced."""
        return _number(self.last_epoch.value)

    @property
    def _state(self) -> SchedulerState:
        return SchedulerState(self.schedules, self._epoch)

    def _apply_here(self) -> None:
        self.apply(lambda rate: rate)


class Derived:
    """`T_cur` or `T_i` of a scheduler: at `.value` the number, as in braintools; a copy is that."""

    def __init__(self, scheduler: CosineAnnealingWarmRestarts, name: str) -> None:
        self._scheduler, self._name = scheduler, name

    @property
    def value(self) -> Any:
        """The number at the step where the scheduler stands. It may be assigned what it is.

        Raises ValueError on the assignment of another.
        """
        return getattr(self._scheduler._state, self._name)

    @value.setter
    def value(self, value: Any) -> None:
        value, derived = _number(getattr(value, "value", value)), self.value
        if not isclose(checked_step(value, self._name), derived, rel_tol=_CLOSE, abs_tol=_CLOSE):
            raise ValueError(
                f"{self._name} is {derived!r} at step {self._scheduler._epoch!r}, got {value!r}; "
                "go elsewhere by step(epoch)"
            )

    def __repr__(self) -> str:
        return f"{self._name}={self.value!r}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self.value), (self.value,)


def _number(value: Any) -> Any:
    """A number in an array or of NumPy's as a Python number, and a traced one as it is."""
    if isinstance(value, Tracer):
        return value
    return value.item() if is_array(value) and value.size == 1 else plain(value)
