"""Which pruner a name means, and at which epochs it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdr.errors import ArgumentError
from sgdr.shapes import SHAPES

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

PRUNERS = ("restart-aware", "hyperband", "median", "none")
"""The names, which the help of the command lists: that is why Optuna is not imported with this module."""

AUTO = "auto"
"""The name of the pruner that suits the sampler."""

STAGED = "staged"
"""The name of the search that chooses among all arms by one model."""

CHECKS = 20
"""How often in a budget a pruner without rungs of its own is asked."""

FIRST_SHARE = 1 / 27
"""The share of the budget before Hyperband's first rung; its factor is 3."""


def suiting(sampler: object) -> str:
    """The name of the pruner that suits a sampler, which is known by its name or is one of Optuna's.

    The staged search trains little that lags behind: what any rule saves of it is what may win.
    """
    return "none" if sampler == STAGED else "restart-aware"


def named_pruner(name: str | BasePruner, budget: int, objective: str) -> BasePruner:
    """The pruner that `name` means for trials of `budget` epochs; an Optuna pruner is returned as it is.

    Raises ValueError for an unknown name, or a `RestartAwarePruner` that was made for something else.
    """
    from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

    from sgdr.search.strategy.restart_aware import RestartAwarePruner

    if isinstance(name, RestartAwarePruner) and (name.budget, name.objective) != (budget, objective):
        raise ArgumentError(
            "pruner",
            name,
            f"is made for another budget or objective than {budget} epochs and {objective!r}",
            "give the same",
        )
    if isinstance(name, BasePruner):
        return name
    if name == "restart-aware":
        return RestartAwarePruner(budget, objective)
    if name == "hyperband":
        return HyperbandPruner(
            min_resource=_ceil(budget * FIRST_SHARE), max_resource=budget, reduction_factor=3
        )
    if name == "median":
        return MedianPruner(n_startup_trials=8, n_warmup_steps=budget // 10, n_min_trials=4)
    if name == "none":
        return NopPruner()
    raise ArgumentError("pruner", name, f"must be one of {', '.join(PRUNERS)}, or an Optuna pruner")


def rungs(pruner: BasePruner, budget: int) -> frozenset[int]:
    """The completed epochs, below the budget, after which the pruner is asked."""
    from optuna.pruners import HyperbandPruner, NopPruner, SuccessiveHalvingPruner

    from sgdr.search.strategy.restart_aware import RestartAwarePruner

    if isinstance(pruner, NopPruner):
        return frozenset()
    if isinstance(pruner, RestartAwarePruner):
        return frozenset(pruner.rungs)
    if isinstance(pruner, HyperbandPruner | SuccessiveHalvingPruner):
        first, epochs = _ceil(budget * FIRST_SHARE), []
        while first < budget:
            epochs.append(first)
            first *= 3
        return frozenset(epochs)
    return frozenset(range(_ceil(budget / CHECKS), budget, _ceil(budget / CHECKS)))


def rungs_of(arm: str, pruner: BasePruner, budget: int) -> frozenset[int]:
    """The epochs after which the pruner is asked about trials of an arm: for controls, the restart-aware one
    right at the start only.

    Where all rates fall together, the high ones lag until late and win in the end. A control that was
    ended for that would leave restarts a weaker one to be compared with.
    """
    from sgdr.search.strategy.restart_aware import RestartAwarePruner

    epochs = rungs(pruner, budget)
    if isinstance(pruner, RestartAwarePruner) and SHAPES[arm].is_control:
        return frozenset(sorted(epochs)[:1])
    return epochs


def _ceil(x: float) -> int:
    return max(1, -int(-x // 1))
