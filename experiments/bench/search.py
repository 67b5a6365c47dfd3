"""Tells which search finds the truly best schedule at what cost, on complete learning curves.

    python -m experiments.bench.search

The first run trains the tables, about an hour on two cores; they stay in the cache directory. Every repeat
draws anew which seed the searches see, which ones confirm, and on which the truth is read; all sides share
them, and every difference is paired.
"""

from __future__ import annotations

import argparse
import functools
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import optuna
from rich.console import Console
from rich.progress import track

from experiments.bench import report, rules, verdicts
from experiments.bench.replay import PRUNERS, SAMPLERS, Grid, confirmed, in_order, ours, peer, worths_of
from experiments.bench.tables import SOURCES, Table, table
from experiments.tables.table import attainable
from sgdr.search.problem.arms import arm_of
from sgdr.shapes import EARLIER

SEEDS = 8
FIRST_FRESH = 1000
"""The seeds from here on are for finalists."""
ORDERED = 54
"""Schedules in random order, on which pruners alone are compared."""
COSTS = (10, 20, 30, 40, 60)
"""Full trials at which searches are compared."""
PEERS = {
    ("random", "none"): 60,
    ("TPE", "none"): 60,
    ("TPE", "MedianPruner"): 100,
    ("TPE", "SuccessiveHalvingPruner"): 160,
    ("TPE", "HyperbandPruner"): 160,
}
"""Sampler and pruner, and how many trials cost about 60 full ones."""
OURS = (16, 32, 64, 96, 128, 192)
"""Trials of our searches."""
CONFIRMED = {"sgdr": (0, 0), "sgdr, top 1 on 2 seeds": (1, 2), "sgdr, top 2 on 3 seeds": (2, 3)}
"""Ways to confirm: candidates of each arm, and seeds."""
CONFIRMING = 3
"""Seeds that may be used for that."""

T = TypeVar("T")


@dataclass(frozen=True)
class Draw:
    """One repeat."""

    number: int
    searched: int
    """The seed that the searches see."""
    confirming: list[int]
    true: list[int]
    """The seeds that nobody sees."""


def draws(repeats: int, seeds: int) -> list[Draw]:
    """The repeats, the same for all sides."""
    orders = [np.random.default_rng(number).permutation(seeds).tolist() for number in range(repeats)]
    return [
        Draw(number, order[0], order[1 : 1 + CONFIRMING], order[1 + CONFIRMING :])
        for number, order in enumerate(orders)
    ]


def pruned(table: Table, draw: Draw) -> dict[str, tuple[float, float]]:
    """(true value, cost) by pruner, on the same schedules in the same order."""
    rows = np.random.default_rng([draw.number, 1]).permutation(len(table.schedules))[:ORDERED].tolist()
    worth = worths_of(table)
    results = {}
    for name, pruner in PRUNERS.items():
        run = in_order(table, draw.searched, rows, pruner(table.budget))
        best = run.finalists(ORDERED, worth[:, draw.searched])[0]
        results[name] = float(worth[best][draw.true].mean()), run.cost(ORDERED, table.budget)
    return results


def searched(table: Table, draw: Draw) -> dict[str, list[tuple[float, float]]]:
    """(cost, true value) by side, for each number of trials."""
    grid, worth = Grid(table), worths_of(table)
    results: dict[str, list[tuple[float, float]]] = {}
    for (sampler, pruner), trials in PEERS.items():
        run = peer(
            table, grid, draw.searched, trials, SAMPLERS[sampler](draw.number), PRUNERS[pruner](table.budget)
        )
        name = sampler if pruner == "none" else f"{sampler}, {pruner}"
        for count in range(8, trials + 1, 4):
            finalists = run.finalists(count, worth[:, draw.searched])
            if finalists:
                true = float(worth[finalists[0]][draw.true].mean())
                results.setdefault(name, []).append((run.cost(count, table.budget), true))
    for trials in OURS:
        run = ours(table, grid, draw.searched, trials, draw.number)
        for name, (top, seeds) in CONFIRMED.items():
            best, cost = run.finalists(trials, worth[:, draw.searched])[0], 0.0
            if top:
                best, cost = confirmed(table, grid, run, draw.searched, top, draw.confirming[:seeds])
            true = float(worth[best][draw.true].mean())
            results.setdefault(name, []).append((run.cost(trials, table.budget) + cost, true))
    return results


def at_cost(points: Sequence[tuple[float, float]], cost: float) -> float:
    """The true value at a cost, between the numbers of trials on both sides; NaN outside of them."""
    costs, values = np.array(sorted(points)).T
    return float(np.interp(cost, costs, values, left=np.nan, right=np.nan))


def mean(values: Sequence[float], decimals: int = 4) -> str:
    """The mean of paired differences with its 95 % interval."""
    known = np.array(values)[np.isfinite(values)]
    if len(known) < 2:
        return report.ABSENT
    reach = 1.96 * known.std(ddof=1) / len(known) ** 0.5
    return f"{known.mean():+.{decimals}f} ± {reach:.{decimals}f}"


def pruning_table(table: Table, repeats: Sequence[dict[str, tuple[float, float]]]) -> str:
    """Pruners on the same schedules: true value against unpruned and Hyperband, and cost."""
    rows = []
    hyperband = [repeat["HyperbandPruner"] for repeat in repeats]
    for name in repeats[0]:
        values, costs = np.array([repeat[name] for repeat in repeats]).T
        unpruned = values - np.array([repeat["none"][0] for repeat in repeats])
        rows.append(
            [
                name,
                f"{values.mean():.4f}",
                mean(unpruned),
                mean(values - np.array(hyperband)[:, 0]),
                f"{costs.mean():.1f}",
                f"{costs.mean() / np.mean(hyperband, axis=0)[1]:.2f}",
            ]
        )
    header = ["pruner", "true value", "minus unpruned", "minus Hyperband", "cost", "to Hyperband's"]
    return f"{table.name}:\n\n{report.table(header, rows)}\n"


def cost_table(table: Table, repeats: Sequence[dict[str, list[tuple[float, float]]]]) -> str:
    """Whole searches: true value at equal total cost, ours minus the best peer's."""
    sides = list(repeats[0])
    at = {
        side: np.array([[at_cost(repeat[side], cost) for cost in COSTS] for repeat in repeats])
        for side in sides
    }
    peers = [side for side in sides if not side.startswith("sgdr")]
    # Of the peers the one that is best on the whole, at each cost.
    means = {side: np.array([_mean_known(column) for column in values.T]) for side, values in at.items()}

    def known(side: str, place: int) -> float:
        value = float(means[side][place])
        return value if np.isfinite(value) else np.inf

    best = [min(peers, key=functools.partial(known, place=place)) for place in range(len(COSTS))]
    rows = []
    for side in sides:
        cells = [
            f"{means[side][place]:.4f}" if np.isfinite(means[side][place]) else report.ABSENT
            for place in range(len(COSTS))
        ]
        if side.startswith("sgdr"):
            against = [mean(at[side][:, place] - at[best[place]][:, place]) for place in range(len(COSTS))]
            cells = [
                cell if cell == report.ABSENT else f"{cell} ({difference})"
                for cell, difference in zip(cells, against, strict=True)
            ]
        rows.append([side, *cells])
    header = ["true value at a total cost of", *map(str, COSTS)]
    return f"{table.name}, attainable {attainable(worths_of(table)):.4f}:\n\n{report.table(header, rows)}\n"


def _mean_known(values: np.ndarray) -> float:
    """NaN where a tenth of the repeats or more have none."""
    known = np.isfinite(values)
    return float(values[known].mean()) if known.mean() > 0.9 else np.nan


def rules_table(table: Table, repeats: Sequence[dict[rules.Rule, tuple[float, float]]]) -> str:
    """The rules that were tried."""
    rows = []
    for rule in repeats[0]:
        values, costs = np.array([repeat[rule] for repeat in repeats]).T
        rungs = ", ".join(map(str, rule.rungs))
        cells = [rungs, f"{rule.share:.2f}", f"{rule.credit:g}", mean(values.tolist()), f"{costs.mean():.1f}"]
        rows.append([rule.compared, *cells])
    header = ["compared", "rungs, % of the budget", "share", "credit", "true value minus unpruned", "cost"]
    return f"{table.name}:\n\n{report.table(header, rows)}\n"


def verdict_table(repeats: int) -> str:
    """Verdicts on simulated differences."""
    rows = []
    for effect in verdicts.EFFECTS:
        reached = verdicts.simulated(effect, repeats, seed=0)
        rows.append([str(effect), *_verdict_cells(reached, "restarts help" if effect else None)])
    many = verdicts.simulated(0, repeats, seed=0, tops=(10, 1))
    rows.append(["0, ten against one control", *_verdict_cells(many, None)])
    header = ["true difference, standard errors", *_VERDICT_HEADER]
    return report.table(header, rows) + "\n"


_VERDICT_HEADER = ["decided", "agrees where decided", "mean seeds", "mean cost"]


def _verdict_cells(reached: Sequence[verdicts.Reached], truth: str | None) -> list[str]:
    """`truth` None: there is no difference, and every decision is wrong."""
    decided = [verdict for verdict in reached if verdict.decision != "undecided"]
    agrees = sum(verdict.decision == truth for verdict in decided)
    return [
        report.share(len(decided), len(reached)),
        f"{agrees} of {len(decided)}",
        f"{np.mean([verdict.seeds for verdict in reached]):.0f}",
        f"{np.mean([verdict.trained for verdict in reached]):.0f}",
    ]


def finalists_table(grids: Sequence[Table], repeats: int) -> str:
    """Verdicts on the finalists of every table, trained on 64 seeds that no grid has."""
    rows = []
    for grid in grids:
        order = worths_of(grid).mean(axis=1).argsort().tolist()
        arms = [arm_of(schedule, grid.budget) for schedule in grid.schedules]
        chosen = {arm: [row for row in order if arms[row] == arm][: verdicts.FINALISTS] for arm in EARLIER}
        schedules = [grid.schedules[row] for arm in EARLIER for row in chosen[arm]]
        seeds = range(FIRST_FRESH, FIRST_FRESH + verdicts.SEEDS)
        losses = worths_of(table(grid.name, schedules, seeds, key="finalists"))
        restarts = list(range(len(chosen["restarts"])))
        controls = list(range(len(restarts), len(schedules)))
        truth, z = verdicts.whole(losses, restarts, controls)
        orders = [np.random.default_rng(number).permutation(verdicts.SEEDS) for number in range(repeats)]
        reached = [verdicts.race(losses[:, shuffled], restarts, controls) for shuffled in orders]
        rows.append([f"{grid.name}: {truth}, {z:+.1f}", *_verdict_cells(reached, truth)])
    return report.table(["all 64 seeds, standard errors", *_VERDICT_HEADER], rows) + "\n"


def plot(plotted: Sequence[tuple[Table, Sequence[dict[str, list[tuple[float, float]]]]]], path: Path) -> None:
    """True value against total cost, a panel a table."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(plotted), 3.6), layout="constrained")
    grid = np.linspace(4, 60, 29)
    for axes, (panel, repeats) in zip(np.atleast_1d(figure.subplots(1, len(plotted))), plotted, strict=True):
        for side in repeats[0]:
            at = np.array([[at_cost(repeat[side], cost) for cost in grid] for repeat in repeats])
            known = np.isfinite(at).mean(axis=0) > 0.9
            values = np.nanmean(at[:, known], axis=0)
            axes.plot(grid[known], values, "-" if side.startswith("sgdr") else "--", label=side)
        axes.axhline(attainable(worths_of(panel)), color="grey", linewidth=0.8)
        axes.set(
            title=panel.name, xlabel="total cost, full trials", ylabel="true error of what is recommended"
        )
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)


_TABLES: dict[str, Table] = {}


def _prepare(names: Sequence[str]) -> None:
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _TABLES.update({name: table(name, None, range(SEEDS)) for name in names})


def _repeat(measure: Callable[[Table, Draw], T], name: str, draw: Draw) -> T:
    return measure(_TABLES[name], draw)


def _tried(table: Table, draw: Draw) -> dict[rules.Rule, tuple[float, float]]:
    rows = np.random.default_rng([draw.number, 1]).permutation(len(table.schedules))[:ORDERED].tolist()
    return rules.tried(table, draw.searched, draw.true, rows)


def main() -> None:
    """Prints the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", default=list(SOURCES), help=f"of {', '.join(SOURCES)}")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--parts", default="pruning,rules,searches,verdicts", help="which, by commas")
    parser.add_argument("--plot", type=Path, help="a PNG to draw")
    parser.add_argument("--out", type=Path, help="a file to write instead of stdout")
    args = parser.parse_args()
    parts = args.parts.split(",")
    _prepare(args.tables)
    sections = [f"Searches on tables of curves. {report.machine('optuna', 'jax')}; {args.repeats} repeats.\n"]
    plotted = []
    with ProcessPoolExecutor(
        initializer=_prepare, initargs=(args.tables,), mp_context=get_context("spawn")
    ) as pool:

        def repeat(what: str, name: str, measure: Callable[[Table, Draw], T]) -> list[T]:
            runs = pool.map(functools.partial(_repeat, measure, name), draws(args.repeats, SEEDS))
            said = track(runs, f"{name}: {what}", args.repeats, console=Console(stderr=True))
            return list(said)

        for name in args.tables:
            table = _TABLES[name]
            if "pruning" in parts:
                sections.append(pruning_table(table, repeat("pruners", name, pruned)))
            if "rules" in parts:
                sections.append(rules_table(table, repeat("rules", name, _tried)))
            if "searches" in parts:
                repeats = repeat("searches", name, searched)
                sections.append(cost_table(table, repeats))
                plotted.append((table, repeats))
    if "verdicts" in parts:
        sections.append(verdict_table(10 * args.repeats))
        sections.append(finalists_table([_TABLES[name] for name in args.tables], 10 * args.repeats))
    if args.plot and plotted:
        plot(plotted, args.plot)
    report.put("\n".join(sections), args.out)


if __name__ == "__main__":
    main()
