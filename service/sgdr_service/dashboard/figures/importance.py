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
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import StudyDirection

from sgdr.search.problem.objective import sign
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, by_arm, completed, eta_ratio, is_number
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
    done = by_arm(completed(rows)).get("restarts", [])
    done = [done[place] for place in style.thinned(len(done), MOST)]
    losses = sorted(sign(direction) * row["value"] for row in done)
    # Where values are the same, there may be no trials that are not good.
    if len(done) < FEWEST or losses[math.ceil(GOOD * len(losses)) - 1] == losses[-1]:
        return {}
    columns = {name: [row[name] for row in done] for name in ("base_lr", "T_0", "T_mult")}
    columns |= {"eta_ratio": [eta_ratio(row) for row in done]}
    columns |= {name: [row["hparams"].get(name) for row in done] for name in hparams}
    varied = {
        name: distribution
        for name, values in columns.items()
        if (distribution := _distribution(name, values)) is not None
    }
    if not varied:
        return {}
    study = optuna.create_study(
        direction=StudyDirection[direction.upper()], sampler=optuna.samplers.RandomSampler(0)
    )
    study.add_trials(_trial(row["value"], place, columns, varied) for place, row in enumerate(done))
    shares = PedAnovaImportanceEvaluator(target_quantile=GOOD).evaluate(study, list(varied))
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()} if total > 0 else {}


def importance_figure(importances: Mapping[str, float]) -> Figure:
    """The shares as bars, the largest on top."""
    if not importances:
        return style.empty(TOO_FEW)
    names, shares = zip(*sorted(importances.items(), key=lambda named: -named[1]), strict=True)
    percents = [f"{share:.0%}" for share in shares]
    bars = {
        "type": "bar",
        "uid": "importance",
        "orientation": "h",
        "x": numbers(shares),
        "y": [text(name, style.LONGEST_TICK) for name in names],
        "text": percents,
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": style.BLUE},
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }
    summary = ", ".join(f"{name} {percent}" for name, percent in zip(names, percents, strict=True))
    x = style.axis("importance", tickformat=".0%", range=[0, 1.2 * shares[0]])
    return style.figure([bars], f"Importance: {summary}", x, style.names_axis(autorange="reversed"))


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
    params = {name: columns[name][place] for name in varied}
    params |= {
        name: str(params[name]) for name in varied if isinstance(varied[name], CategoricalDistribution)
    }
    return optuna.trial.create_trial(value=value, params=params, distributions=dict(varied))
