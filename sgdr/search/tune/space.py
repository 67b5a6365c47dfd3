"""The search space of a sweep as domains of Ray Tune."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from ray import tune
from ray.tune.search.sample import Domain

from sgdr.errors import ArgumentError
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.lookup import find
from sgdr.search.problem.space import Space
from sgdr.search.problem.warming import WARMUP
from sgdr.search.problem.workload import CallableWorkload, Workload


def tune_space(
    space: Space | None = None,
    *,
    workload: Workload | CallableWorkload | str | None = None,
    budget: int | None = None,
) -> dict[str, Domain]:
    """What a sweep samples of schedules with restarts, by the same names, bounds and scales.

    For `tune.Tuner(param_space=...)` and `OptunaSearch(space=...)`: base_lr, T_0 (in a closed space cycles
    instead), T_mult, eta_ratio, warmup where the space has one, and the workload's own values by their names.

    Args:
        space: what is searched; None: see `Space`.
        workload: an object, or a registered name, whose ranges fill in what the space leaves open.
        budget: epochs of one trial, to which an open T_0 reaches; None: the workload's own.

    Raises ValueError where an end stays open, and for what Tune has no domain for.
    """
    space = Space() if space is None else space
    workload = find(workload) if isinstance(workload, str) else workload
    if budget is not None:
        budget = whole("budget", budget, 1)
    elif workload is not None:
        budget = workload.budget
    _check_ends(space, workload is not None, budget)
    declared: Any = workload or SimpleNamespace(name="of no name", hparams=space.hparams)
    # An open space whose T_0 is given needs no budget; its own longest schedule then cuts nothing off.
    epochs = _longest(space) if budget is None else budget
    distributions = space.resolved(declared, epochs).distributions(epochs)
    domains = {name: _domain(name, distribution) for name, distribution in distributions.items()}
    shortest, longest = space.warmups
    if longest and shortest == longest:  # no sweep samples it, and here it has to be in the config
        domains[WARMUP] = _domain(WARMUP, IntDistribution(longest, longest))
    return domains


def _check_ends(space: Space, has_workload: bool, budget: int | None) -> None:
    """Raises ValueError where something cannot be filled in."""
    ends = {
        "base_lr": space.base_lr is None and not has_workload,
        "T_0": space.T_0 is None and budget is None,
        "cycles": space.closed and space.T_0 is not None and budget is None,
    }
    left = " and ".join(name for name, is_open in ends.items() if is_open)
    if left:
        reason = f"leaves {left} open"
        fix = "give workload=, whose ranges and budget are taken, or budget= and a Space that has base_lr"
        raise ArgumentError("space", space, reason, fix, message=f"the space {reason}: {fix}")


def _longest(space: Space) -> int:
    """The longest warm-up and the longest first cycle together, in epochs."""
    assert space.T_0 is not None, "else the end is open"
    return space.warmups[1] + (space.T_0 if isinstance(space.T_0, int) else space.T_0[1])


def _domain(name: str, distribution: BaseDistribution) -> Any:
    """Tune's equal of a distribution; it excludes the upper end of whole numbers where Optuna has it."""
    if isinstance(distribution, CategoricalDistribution):
        return tune.choice(list(distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution), "there are no others"
    low, step = distribution.low, distribution.step
    if step not in (None, 1) and round(low / step) != low / step:
        raise ValueError(
            f"{name} goes from {low} in steps of {step}, and Tune counts them from 0: begin at a multiple"
        )
    if isinstance(distribution, IntDistribution):
        if distribution.step != 1:
            return tune.qrandint(distribution.low, distribution.high, distribution.step)
        return (tune.lograndint if distribution.log else tune.randint)(
            distribution.low, distribution.high + 1
        )
    if step is not None:
        return tune.quniform(low, distribution.high, step)
    return (tune.loguniform if distribution.log else tune.uniform)(low, distribution.high)
