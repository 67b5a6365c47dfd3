"""The comparison as tables in Markdown, errors in percent, beside the paper's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from experiments.bench.report import ABSENT, table
from experiments.paper import published, reading
from experiments.paper.reading import Runs
from sgdr.search.evaluation import sequential_test

NEAR = (1.05, 1.0)
"""How many times the default's error at its end a mean error is to reach."""
COSINE = "t200"
COMPARED = ("end", "best epoch")
"""What differences are told of."""
SIZES = {"1": "ensemble of 1", "3": "ensemble of 3", "all": "ensemble of all"}


def tables(runs: Mapping[str, Runs]) -> str:
    """All tables of one workload. Raises ValueError where there are no runs that did not diverge."""
    known = reading.filled(runs)
    diverged = {key: run.diverged for key, run in runs.items()}
    parts = [_errors(known, diverged), _differences(known), _sooner(known), _ensembles(known)]
    return "\n\n".join(part for part in parts if part)


def _errors(runs: Mapping[str, Runs], diverged: Mapping[str, int]) -> str:
    """What every schedule is worth."""
    rows, names = [], []
    for key, run in runs.items():
        values = reading.readings(run)
        names = list(values)
        ours = [_interval(value) for value in values.values()]
        theirs = [f"{error:.2f}" for error in published.WRN_28_10.get(key, ())]
        name = run.setting.name + (f" ({diverged[key]} diverged)" if diverged[key] else "")
        rows.append([name, _lengths(run), *ours, *(theirs or [ABSENT] * len(published.DATA))])
    return table(["schedule", "ends of cycles", *names, *(f"paper: {data}" for data in published.DATA)], rows)


def _differences(runs: Mapping[str, Runs]) -> str:
    """How much higher the errors are than those of the default, and of one cosine: paired by seed."""
    others = {"the default's": reading.default(runs), "one cosine's": runs.get(COSINE)}
    against = {name: other for name, other in others.items() if other is not None}
    rows = []
    for run in runs.values():
        cells = [run.setting.name]
        for reading_name in COMPARED:
            for other in against.values():
                ours, theirs = (reading.readings(one)[reading_name] for one in (run, other))
                cells.append(ABSENT if other is run else _difference(ours, theirs))
        rows.append(cells)
    header = [f"{reading_name}, less {name}" for reading_name in COMPARED for name in against]
    return table(["differences", *header], rows) if against else ""


def _sooner(runs: Mapping[str, Runs]) -> str:
    """How many epochs it takes until the mean error is near what the default has at its end."""
    default = reading.default(runs)
    if default is None:
        return ""
    end = float(default.error[:, -1].mean())
    rows = []
    for run in runs.values():
        cells = [run.setting.name]
        for near in NEAR:
            ours, theirs = (reading.reached(one, near * end) for one in (run, default))
            cells.append(ABSENT if ours is None else str(ours))
            cells.append(ABSENT if ours is None or theirs is None else f"{theirs / ours:.1f}")
        rows.append(cells)
    header = ["sooner"]
    for near in NEAR:
        header += [f"epochs to {100 * near * end:.2f}", "times as fast"]
    return table(header, rows)


def _ensembles(runs: Mapping[str, Runs]) -> str:
    """What the models at the last troughs are worth together, of every schedule that has several."""
    rows = []
    for run in runs.values():
        ensembles = [run.ensembles.get(label) for label in SIZES.values()]
        if len(run.troughs) > 1 and ensembles[0] is not None:
            gain = ABSENT if ensembles[1] is None else _difference(ensembles[1], ensembles[0])
            cells = [ABSENT if values is None else _interval(values) for values in ensembles]
            rows.append([run.setting.name, str(len(run.troughs)), *cells, gain])
    for place, data in enumerate(published.DATA):
        one, three = (published.ENSEMBLES[size][place] for size in (1, 3))
        cells = [f"{one:.2f}", f"{three:.2f}", ABSENT, f"{three - one:+.2f}"]
        rows.append([f"paper, {data}: T_0 = 10, T_mult = 2", "4", *cells])
    header = ["ensembles", "troughs", *(f"of {size}" for size in SIZES), "of 3, less of 1"]
    return table(header, rows) if len(rows) > len(published.DATA) else ""


def _lengths(runs: Runs) -> str:
    ends = [str(trough) for trough in runs.troughs]
    return ", ".join(ends) or ABSENT


def _interval(values: np.ndarray) -> str:
    mean, low, high = sequential_test.interval(values.tolist())
    return f"{100 * mean:.2f}" + (f" ± {50 * (high - low):.2f}" if len(values) > 1 else "")


def _difference(a: np.ndarray, b: np.ndarray) -> str:
    apart = reading.difference(a, b)
    if apart is None:
        return f"{100 * float((a - b).mean()):+.2f}"
    return f"{100 * apart.mean:+.2f} ± {50 * (apart.high - apart.low):.2f}"


def heading(words: str, epochs: int, seeds: int, machine: str, options: str) -> str:
    """What stands above the tables of a workload: what was trained, where, and with which options."""
    command = f"python -m experiments.paper {options} --epochs {epochs} --seeds {seeds}"
    return (
        f"### {words}\n\n{epochs} epochs, {seeds} paired seeds; test errors in percent, means with 95 % "
        f"intervals.\n{machine}; `{command}`"
    )
