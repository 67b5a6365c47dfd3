"""`FromOneStep`: a scheduler that derives everything from the step at which it stands."""

import warnings
from collections.abc import Mapping, Sequence
from math import floor, inf
from numbers import Integral
from typing import Any, ClassVar, TypeAlias

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sgdr.checks import checked_step
from sgdr.cycles import Cycle, Number
from sgdr.stateful import ends_at, restarts_at

Rate: TypeAlias = float | Tensor


class FromOneStep(LRScheduler):
    """The step, how it changes, and how it is saved; a subclass says what the rates are."""

    needed: ClassVar[tuple[str, ...]] = ("last_epoch", "base_lrs", "_last_lr", "_step_count")
    """The entries that a state must have."""

    _step: Number

    def __init__(self, optimizer: Optimizer, last_epoch: int) -> None:
        if not _is_int(last_epoch) or last_epoch < -1:
            raise ValueError(
                f"last_epoch must be an int >= -1, got {last_epoch!r}; use -1 to begin, k to go on at k + 1"
            )
        if isinstance(optimizer, Optimizer):  # PyTorch refuses anything else
            groups = optimizer.param_groups
            self._check_groups(vars(self), [group.get("initial_lr", group["lr"]) for group in groups])
        super().__init__(optimizer, int(last_epoch))

    @property
    def last_epoch(self) -> int:
        """The step, rounded down where it is a fraction; -1 before the first."""
        return floor(self._step)

    @last_epoch.setter
    def last_epoch(self, value: Number) -> None:
        self._step = value

    def step(self, epoch: Number | None = None) -> None:
        """Goes one step on, or to `epoch`, which may be a fraction and lie before, and sets the rates.

        Raises ValueError for an epoch that is not a finite number >= 0, or where the optimizer has got
        another number of groups; nothing has changed then.
        """
        before = self._step
        if epoch is None:
            self._step = before + 1 if before >= 0 else 0
        else:
            kind = type(epoch)
            plain = (kind is float or kind is int) and 0 <= epoch < inf
            self._step = epoch if plain else checked_step(epoch, "epoch")
        self._get_lr_called_within_step = True
        try:
            rates = self.get_lr()
            groups = self.optimizer.param_groups
            if len(rates) != len(groups):
                raise ValueError(
                    f"base_lrs must have a rate for each param group, got {len(rates)} for {len(groups)}; "
                    "append that of a new group"
                )
        except BaseException:
            self._step = before
            raise
        finally:
            self._get_lr_called_within_step = False
        self._last_lr = list(map(_written, groups, rates))

    @property
    def cycle(self) -> Cycle:
        """The present cycle, see `sgdr.WarmRestarts.cycle`; that of the first of several schedules."""
        return self._cycle_at(max(self._step, 0))

    @property
    def at_restart(self) -> bool:
        """Whether a cycle after the first begins here: the rate is back at its peak.

        Where a boundary is not whole, that is the first whole step after it, as in
        `sgdr.WarmRestarts.restarts`; between whole steps it is the boundary itself.
        """
        return restarts_at(self._cycle_at, max(self._step, 0))

    @property
    def at_trough(self) -> bool:
        """Whether a cycle is just complete: its last step, that of the lowest rate, is done.

        It is time to keep the model as a snapshot. So at every restart, and at the end of the last cycle of a
        limited number; see `sgdr.WarmRestarts.troughs`.
        """
        return ends_at(self._cycle_at, max(self._step, 0))

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on, in types that `torch.load(weights_only=True)` takes."""
        state = {name: value for name, value in vars(self).items() if name not in ("optimizer", "_step")}
        return {**state, **self._derived()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes what `state_dict()` returned, fields included; as in PyTorch, the optimizer loads its own.

        Raises ValueError where an entry is missing or has a bad value, and stays as it is.
        """
        if not isinstance(state_dict, Mapping):
            raise ValueError(
                f"state_dict must be a dict, got {state_dict!r}; give what state_dict() returned"
            )
        lacking = [name for name in self.needed if name not in state_dict]
        if lacking:
            raise ValueError(
                f"state_dict lacks {', '.join(lacking)}, got {sorted(map(str, state_dict))}; "
                f"give what state_dict() of a {type(self).__name__} returned"
            )
        vars(self).update(self._checked_state(dict(state_dict)))

    def _cycle_at(self, step: Number) -> Cycle:
        raise NotImplementedError

    def _check_groups(self, fields: Mapping[str, Any], base_lrs: Sequence[Rate]) -> None:
        """Raises ValueError where these fields do not go with groups that have these rates."""
        raise NotImplementedError

    def _derived(self) -> dict[str, Any]:
        """What a state says besides the attributes, all of it from the step."""
        return {"last_epoch": self.last_epoch, "_fraction": self._step % 1}

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """The attributes that `state` stands for."""
        for name in ("base_lrs", "_last_lr"):
            state[name] = _checked_rates(name, state[name], len(self.optimizer.param_groups))
        for name in ("last_epoch", "_step_count"):
            if not _is_int(state[name]):
                raise ValueError(f"{name} of a state must be an int, got {state[name]!r}; load a whole state")
        self._check_groups(state, state["base_lrs"])
        fraction = checked_step(state.pop("_fraction", 0), "_fraction") % 1
        state["_step"] = state.pop("last_epoch") + (fraction or 0)
        state.pop("optimizer", None)
        return state


def warn_outside_of_step() -> None:
    """For `get_lr()` where `step()` has not called it."""
    warnings.warn("get_lr() serves step(); read the rates with get_last_lr()", UserWarning, stacklevel=3)


def _is_int(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _written(group: dict[str, Any], rate: Rate) -> Rate:
    """Puts `rate` into a param group, into its tensor where it has one; a copy of what then stands there."""
    lr = group["lr"]
    if type(lr) is float is type(rate):  # nearly always; to ask whether it is a Tensor takes longer
        group["lr"] = rate
        return rate
    if isinstance(lr, Tensor):
        lr.fill_(rate.squeeze() if isinstance(rate, Tensor) and rate.dim() else rate)
        return lr.clone()
    group["lr"] = rate
    return rate.clone() if isinstance(rate, Tensor) else rate


def _checked_rates(name: str, rates: Any, groups: int) -> list[Rate]:
    """Copies of the rates of a state. Raises ValueError where they are not one number for each group."""
    numbers = isinstance(rates, list | tuple) and all(
        isinstance(rate, int | float | Tensor) and not isinstance(rate, bool) for rate in rates
    )
    if not numbers or len(rates) != groups:
        raise ValueError(
            f"{name} of a state must be a list of {groups} rates, one for each param group, got {rates!r}; "
            "load it with the groups that it was saved with"
        )
    return [rate.clone() if isinstance(rate, Tensor) else rate for rate in rates]
