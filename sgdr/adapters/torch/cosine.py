"""`CosineAnnealingWarmRestarts`: PyTorch's class of that name, exact.

Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", arXiv:1608.03983, eq. 5.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from sgdr import checks
from sgdr.adapters.torch.group_rates import Rate
from sgdr.adapters.torch.one_step import FromOneStep, warn_outside_of_step
from sgdr.checks import checked_step
from sgdr.cycles import Cycle, Number, cycles_of
from sgdr.saved_state import differences, plain
from sgdr.schedule import CHECKS, WarmRestarts, left_at, power

_FIELDS = {name: check for name, check in CHECKS.items() if name != "base_lr"}
"""The checks of what all groups have in common."""


class CosineAnnealingWarmRestarts(FromOneStep):
    """Cosine annealing with warm restarts for an optimizer of PyTorch's; T_0 and T_mult may be real numbers.

    Args:
        optimizer: its groups' rates (`initial_lr` where they have one) are the peaks.
        T_0: length of the first cycle, > 0, in whatever `step()` counts.
        T_mult: each cycle lasts this many times as long as the one before, >= 1.
        eta_min: the lowest rate, at most the lowest peak.
        last_epoch: -1 to begin with step 0; k to go on with step k + 1, as PyTorch does.
        peak_decay, cycles: as of `sgdr.WarmRestarts`.

    States go both ways between this class and PyTorch's: a run may change from one to the other. A state in
    which PyTorch lost its place, by `step(epoch)` at a restart or by `last_epoch`, is put right. What PyTorch
    has not, real lengths, peak_decay and cycles, it loads without a word and does not follow. The rates are
    those of `sgdr.WarmRestarts`: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.

    Raises:
        ValueError: for a bad argument, in one line that names it.
        KeyError: by PyTorch, for last_epoch >= 0 where a group lacks `initial_lr`.
    """

    needed = (*FromOneStep.needed, "T_0", "T_mult", "eta_min", "T_cur", "T_i")

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: Number,
        T_mult: Number = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
        *,
        peak_decay: float = 1.0,
        cycles: int | None = None,
    ) -> None:
        self.T_0: Number = _FIELDS["T_0"]("T_0", plain(T_0))
        self.T_mult: Number = _FIELDS["T_mult"]("T_mult", plain(T_mult))
        self.eta_min: float = _FIELDS["eta_min"]("eta_min", plain(eta_min))
        self.peak_decay: float = _FIELDS["peak_decay"]("peak_decay", plain(peak_decay))
        self.cycles: int | None = _FIELDS["cycles"]("cycles", plain(cycles))
        super().__init__(optimizer, last_epoch)

    @property
    def T_cur(self) -> Number:
        """Steps since the last restart. To assign it goes so many steps after that, and sets no rates yet."""
        return self.cycle.position

    @T_cur.setter
    def T_cur(self, value: Number) -> None:
        if value != self.T_cur:
            self._step = self.cycle.start + checked_step(plain(value), "T_cur")

    @property
    def T_i(self) -> Number:
        """Steps of the present cycle."""
        return self.cycle.length

    def get_lr(self) -> list[Rate]:
        """The rate of each group at this step, for `step()`; to read it, use `get_last_lr()`."""
        if not self._get_lr_called_within_step:
            warn_outside_of_step()
        step = self._step if self._step > 0 else 0
        # Once for all groups, whose peaks may be tensors.
        index, weight = left_at(cycles_of(self.T_0, self.T_mult), step, self.cycles)
        eta_min, peaks = self.eta_min, self.base_lrs
        if self.peak_decay != 1.0:
            decay = power(self.peak_decay, index)
            peaks = [_lowered(peak, decay, eta_min) for peak in peaks]
        if weight > 0.5:
            return [peak - (peak - eta_min) * (1.0 - weight) for peak in peaks]
        return [eta_min + (peak - eta_min) * weight for peak in peaks]

    def _cycle_at(self, step: Number) -> Cycle:
        return WarmRestarts(1.0, self.T_0, self.T_mult, cycles=self.cycles).cycle(step)

    def _check_groups(self, fields: Mapping[str, Any], base_lrs: Sequence[Rate]) -> None:
        eta_min = fields["eta_min"]
        for number, rate in enumerate(base_lrs):
            if eta_min > rate:
                raise ValueError(
                    f"eta_min must not exceed lr={float(rate)!r} of param group {number}, got {eta_min!r}; "
                    "lower eta_min"
                )

    def _changes(self, attributes: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
        changes = differences("base_lrs", self.base_lrs, attributes["base_lrs"][: len(self.base_lrs)])
        for name in _FIELDS:
            changes += differences(name, getattr(self, name), attributes[name])
        return changes

    def _derived(self) -> dict[str, Any]:
        return {**super()._derived(), "T_cur": self.T_cur, "T_i": self.T_i}

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        for name, check in _FIELDS.items():
            state[name] = check(name, state.get(name, getattr(self, name)))
        checks.positive("T_i", state.pop("T_i"))
        T_cur = state.pop("T_cur")
        if isinstance(T_cur, bool) or not isinstance(T_cur, int | float) or not isfinite(T_cur):
            raise ValueError(f"T_cur of a state must be a finite number, got {T_cur!r}; load a whole state")
        # PyTorch has the fraction of a step in T_cur alone, and leaves an entry of ours as it was.
        if state["cycles"] is None and not state["T_0"] % 1 and not state["T_mult"] % 1:
            state["_fraction"] = T_cur % 1
        return super()._checked_state(state)


def _lowered(peak: Rate, decay: float, eta_min: float) -> Rate:
    lowered = peak * decay
    return lowered.clamp(min=eta_min) if isinstance(lowered, Tensor) else max(eta_min, lowered)
