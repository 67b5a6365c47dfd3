"""`FromOneStep`: a scheduler that derives everything from the step at which it stands."""

import warnings
from collections.abc import Mapping, Sequence
from math import floor, inf
from typing import Any, ClassVar

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sgdr.adapters.torch.group_rates import Rate, checked_rates, make_plain, plain_rate, write_rate
from sgdr.checks import checked_step, number
from sgdr.cycles import Cycle, Number
from sgdr.saved_state import plain, warn_of_changes
from sgdr.scheduler_state import ends_at, restarts_at


class FromOneStep(LRScheduler):
    """The step, how it changes, and how it is saved; a subclass says what the rates are.

    A param group that was added to the optimizer afterwards is driven from the next step on, with its own
    rate as its peak; another peak may be appended to `base_lrs` before.
    """

    needed: ClassVar[tuple[str, ...]] = ("last_epoch", "base_lrs", "_last_lr", "_step_count")
    """The entries that a state must have."""

    _step: Number

    def __init__(self, optimizer: Optimizer, last_epoch: int) -> None:
        last_epoch = plain(last_epoch)
        if not _is_int(last_epoch) or last_epoch < -1:
            raise ValueError(
                f"last_epoch must be an int >= -1, got {last_epoch!r}; use -1 to begin, k to go on at k + 1"
            )
        if isinstance(optimizer, Optimizer):  # PyTorch refuses anything else
            groups = optimizer.param_groups
            self._check_groups(vars(self), [_own_peak(group) for group in groups])
            make_plain(optimizer)
        super().__init__(optimizer, int(last_epoch))

    @property
    def last_epoch(self) -> int:
        """The step, rounded down where it is a fraction; -1 before the first."""
        return floor(self._step)

    @last_epoch.setter
    def last_epoch(self, value: Number) -> None:
        self._step = plain(value)

    def step(self, epoch: Number | None = None) -> None:
        """Goes one step on, or to `epoch`, which may be a fraction and lie before, and sets the rates.

        Groups that the optimizer has got since then are taken up, each with its own rate as its peak.
        Raises ValueError for an epoch that is not a finite number >= 0, or for groups that do not go with the
        schedule; nothing has changed then.
        """
        before, known = self._step, len(self.base_lrs)
        if epoch is None:
            self._step = before + 1 if before >= 0 else 0
        else:
            kind = type(epoch)
            usual = (kind is float or kind is int) and 0 <= epoch < inf
            self._step = epoch if usual else checked_step(plain(epoch), "epoch")
        self._get_lr_called_within_step = True
        try:
            groups = self.optimizer.param_groups
            if known < len(groups):
                self.base_lrs.extend(self._later_peaks())
                self._check_groups(vars(self), self.base_lrs)
            rates = self.get_lr()
            if len(rates) != len(groups):
                raise ValueError(
                    f"base_lrs must have a rate for each param group, got {len(rates)} for {len(groups)}; "
                    "remove those of groups that are gone"
                )
        except BaseException:
            self._step = before
            del self.base_lrs[known:]
            raise
        finally:
            self._get_lr_called_within_step = False
        for group, peak in zip(groups[known:], self.base_lrs[known:], strict=True):
            group.setdefault("initial_lr", plain_rate(peak))
        self._last_lr = list(map(write_rate, groups, rates))

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
        """All that is needed to go on, in types that `torch.load(weights_only=True)` takes.

        Numbers are Python's, and rates that the optimizer has in tensors are tensors.
        """
        state = {name: value for name, value in vars(self).items() if name not in ("optimizer", "_step")}
        groups = self.optimizer.param_groups
        last = [*self._last_lr, *(group["lr"] for group in groups[len(self._last_lr) :])]
        return _plain_entries(
            {
                **state,
                "base_lrs": [plain_rate(rate) for rate in (*self.base_lrs, *self._later_peaks())],
                "_last_lr": list(map(plain_rate, last)),
                # Another scheduler may have set them since: of a sequence or a chain, or the next one.
                "_in_optimizer": {
                    "last_epoch": self.last_epoch,
                    "lr": [float(group["lr"]) for group in groups],
                },
                **self._derived(),
            }
        )

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes what `state_dict()` returned, and sets the rates of the optimizer to those that it had then.

        What the state has counts, and one warning says what that changes in the scheduler. To keep the fields
        that the scheduler was made with, call ``step(state_dict["last_epoch"])`` instead, or, where a
        framework loads the state, set them once more and then call ``step(scheduler.last_epoch)``. Raises
        ValueError where an entry is missing or has a bad value, and changes nothing.
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
        state = _plain_entries(state_dict)
        in_optimizer = state.pop("_in_optimizer", None)
        attributes = self._checked_state(state)
        changes = self._changes(attributes, state_dict)
        rates = self._rates_of_state(attributes, in_optimizer)
        self.__dict__.update(attributes)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            write_rate(group, rate)
        warn_of_changes(changes, max(self._step, 0))

    def _cycle_at(self, step: Number) -> Cycle:
        raise NotImplementedError

    def _check_groups(self, fields: Mapping[str, Any], base_lrs: Sequence[Rate]) -> None:
        """Raises ValueError where these fields do not go with groups that have these rates."""
        raise NotImplementedError

    def _peak_of(self, group: Mapping[str, Any]) -> Rate:
        """The entry of `base_lrs` for a group that was added later."""
        return _own_peak(group)

    def _later_peaks(self) -> list[Rate]:
        """The peaks of the groups that the optimizer has got since the last step."""
        return [
            plain_rate(self._peak_of(group)) for group in self.optimizer.param_groups[len(self.base_lrs) :]
        ]

    def _changes(self, attributes: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
        """What these attributes, of that state, change in the settings, a text for each."""
        raise NotImplementedError

    def _rates_of_state(self, attributes: Mapping[str, Any], in_optimizer: Any) -> list[Rate]:
        """What the optimizer's rates are to be where these attributes are loaded.

        They are the ones that it had when the state was saved. A state of PyTorch's does not say them, and an
        entry of ours that went through PyTorch may be of another step: then those that this scheduler has set
        follow it, and those that something else has set stay.
        """
        groups = self.optimizer.param_groups
        last, step = attributes["_last_lr"], floor(attributes["_step"])
        if isinstance(in_optimizer, Mapping) and in_optimizer.get("last_epoch") == step:
            return checked_rates("_in_optimizer", in_optimizer.get("lr"), groups)
        own = [*self._last_lr, *[None] * len(groups)]
        return [
            rate if mine is not None and float(mine) == float(group["lr"]) else group["lr"]
            for rate, mine, group in zip(last, own, groups, strict=False)
        ]

    def _derived(self) -> dict[str, Any]:
        """What a state says besides the attributes, all of it from the step."""
        return {"last_epoch": self.last_epoch, "_fraction": self._step % 1}

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """The attributes that `state` stands for."""
        groups = self.optimizer.param_groups
        last = state["_last_lr"]
        if isinstance(last, list | tuple):  # PyTorch has it of the last step, which a later group was not in
            state["_last_lr"] = [*last, *(group["lr"] for group in groups[len(last) :])]
        for name in ("base_lrs", "_last_lr"):
            state[name] = checked_rates(name, state[name], groups)
        for name in ("last_epoch", "_step_count"):
            if not _is_int(state[name]):
                raise ValueError(f"{name} of a state must be an int, got {state[name]!r}; load a whole state")
        self._check_groups(state, state["base_lrs"])
        fraction = checked_step(state.pop("_fraction", 0), "_fraction") % 1
        state["_step"] = state.pop("last_epoch") + (fraction or 0)
        state.pop("optimizer", None)
        return state


def warn_outside_of_step() -> None:
    """Warns of a call of `get_lr()` that did not come from `step()`."""
    warnings.warn("get_lr() serves step(); read the rates with get_last_lr()", UserWarning, stacklevel=3)


def _is_int(value: Any) -> bool:
    return isinstance(number(value), int)


def _plain_entries(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state in Python numbers, but for tensors, which `checked_rates` makes rates of."""
    rates = ("base_lrs", "_last_lr")
    return {name: value if name in rates else plain(value) for name, value in state.items()}


def _own_peak(group: Mapping[str, Any]) -> Rate:
    peak: Rate = group.get("initial_lr", group["lr"])
    return peak
