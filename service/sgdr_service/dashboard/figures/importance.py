"""How much of what tells good trials from others each searched value is: PED-ANOVA.

Watanabe, Bansal & Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces", arXiv:2304.10255.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import StudyDirection

from sgdr.search.problem.objective import sign
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, arm, completed, eta_ratio, is_number
from sgdr_service.dashboard.figures.style import Figure, numbers, text

FEWEST = 8
"""Completed trials of which importances mean something."""
MOST = 2000
"""Trials that are looked at: more change little, and take long."""
GOOD = 0.1
"""The share of trials whose parameters are compared with those of all."""
TOO_FEW = f"They need {FEWEST} completed trials with restarts: let the sweep run."

# Which tells at each call that it has made a study.
logging.getLogger("optuna.storages._in_memory").setLevel(logging.WARNING)


def importances(rows: Sequence[Row], hparams: Sequence[str], direction: str) -> dict[str, float]:
    """The shares, 1 together, that searched values have in a trial with restarts being good, by name.

    `hparams`: the names of the workload's own values. The most important comes first; what does not vary is
    left out. Empty where fewer than `FEWEST` trials are complete, or nothing tells them apart.
    """
    done = [row for row in completed(rows) if arm(row) == "restarts"]
    done = [done[place] for place in style.thinned(len(done), MOST)]
    losses = sorted(sign(direction) * row["value"] for row in done)
    # Where values are the same, there may be no trials that are not good.
    if len(done) < FEWEST or losses[math.ceil(GOOD * len(losses)) - 1] == losses[-1]:
        return {}
    columns = {name: [row[name] for row in done] for name in ("base_lr", "T_0", "T_mult")}
    columns |= {"eta_ratio": [eta_ratio(row) for row in done]}
    columns |= {name: [row["hparams"].get(name) for row in done] for name in hparams}
    made = {name: _distribution(name, values) for name, values in columns.items()}
    varied = {name: each for name, each in made.items() if each is not None}
    if not varied:
        return {}
    study = optuna.create_study(
        direction=StudyDirection[direction.upper()], sampler=optuna.samplers.RandomSampler(0)
    )
    study.add_trials(_trial(row["value"], place, columns, varied) for place, row in enumerate(done))
    found = PedAnovaImportanceEvaluator(target_quantile=GOOD).evaluate(study, list(varied))
    total = sum(found.values())
    return {name: share / total for name, share in found.items()} if total > 0 else {}


def importance_figure(importances: Mapping[str, float]) -> Figure:
    """The shares as bars, the largest on top."""
    if not importances:
        return style.empty(TOO_FEW)
    order = sorted(importances.items(), key=lambda each: -each[1])
    said = [f"{share:.0%}" for _, share in order]
    trace = {
        "type": "bar",
        "uid": "importance",
        "orientation": "h",
        "x": numbers(share for _, share in order),
        "y": [text(name, style.LONGEST_TICK) for name, _ in order],
        "text": said,
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": style.BLUE},
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }
    named = ", ".join(f"{name} {share}" for (name, _), share in zip(order, said, strict=True))
    layout = style.layout(f"Importance: {named}", "importance")
    layout["xaxis"] |= {"tickformat": ".0%", "range": [0, 1.2 * order[0][1]]}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    return style.figure([trace], layout)


def _distribution(name: str, values: Sequence[Any]) -> BaseDistribution | None:
    """What may have made the values; None where they are all the same."""
    if len({str(value) for value in values}) < 2:
        return None
    if name == "T_mult" or not all(map(is_number, values)):
        return CategoricalDistribution(sorted({str(value) for value in values}))
    low, high = min(values), max(values)
    log = style.spread_out(values) or (name in ("base_lr", "T_0") and low > 0)
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _trial(
    value: float, place: int, columns: Mapping[str, Sequence[Any]], varied: Mapping[str, BaseDistribution]
) -> optuna.trial.FrozenTrial:
    params = {
        name: str(columns[name][place])
        if isinstance(distribution, CategoricalDistribution)
        else columns[name][place]
        for name, distribution in varied.items()
    }
    return optuna.trial.create_trial(value=value, params=params, distributions=dict(varied))
