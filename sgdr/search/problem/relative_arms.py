"""What is searched of a relative of warm restarts that is an arm, and the schedule that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sgdr.formula import Formula
from sgdr.relatives import Cyclic, OneCycle, StepDecay

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

PCT_START = (0.05, 0.5)
"""Of one cycle: the share of the budget at which it is at its peak."""
GAMMA = (0.05, 0.5)
"""By which steps lower the rate."""
MILESTONES = (30, 60, 80)
"""Percent of the budget, of the steps in the paper of warm restarts (Loshchilov & Hutter 2017)."""
OWN = {"one-cycle": "pct_start", "step-decay": "gamma", "cyclic": "half_cycle"}
"""The parameter by which the trials of each are known: nothing of the workload's may have its name."""


def distributions(arm: str, budget: int, eta_ratio: tuple[float, float]) -> dict[str, BaseDistribution]:
    """The searched parameters of a relative beside base_lr."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if arm == "one-cycle":
        return {"pct_start": FloatDistribution(*PCT_START)}
    if arm == "step-decay":
        return {"gamma": FloatDistribution(*GAMMA, log=True)}
    return {
        "eta_ratio": FloatDistribution(*eta_ratio),
        "half_cycle": IntDistribution(1, max(1, budget // 2), log=True),
    }


def schedule(arm: str, params: Mapping[str, Any], budget: int) -> Formula:
    """The relative that sampled parameters name, in epochs."""
    base_lr = float(params["base_lr"])
    if arm == "one-cycle":
        return OneCycle(base_lr, budget, float(params["pct_start"]))
    if arm == "step-decay":
        milestones = tuple(budget * percent / 100 for percent in MILESTONES)
        return StepDecay(base_lr, milestones, float(params["gamma"]))
    return Cyclic(base_lr, int(params["half_cycle"]), eta_min=base_lr * float(params["eta_ratio"]))
