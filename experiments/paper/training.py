"""Trains a schedule on all seeds side by side, and keeps what it gave as a file, which is trained once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.paper.grid import Setting
from experiments.paper.reading import Runs
from sgdr import search
from sgdr.atomic_write import replacing
from sgdr.search.problem.supervised import Supervised

SIZES = (1, 3, None)
"""The sizes of the ensembles; None: of the models at all troughs."""


@dataclass(frozen=True)
class Training:
    """What all schedules of a workload have in common."""

    workload: Supervised
    folder: Path
    epochs: int
    seeds: int
    slots: int | str

    def path(self, setting: Setting) -> Path:
        """The file in which the runs of a schedule are kept."""
        return self.folder / f"{setting.key}.json"

    def conditions(self, setting: Setting) -> dict[str, Any]:
        """All that decides the runs of a schedule, in plain JSON values."""
        values = {
            "workload": self.workload.name,
            "steps_per_epoch": self.workload.steps_per_epoch,
            "epochs": self.epochs,
            "seeds": self.seeds,
            "schedule": setting.schedule.to_dict(),
        }
        plain: dict[str, Any] = json.loads(json.dumps(values))
        return plain

    def saved(self, setting: Setting) -> Runs | None:
        """The runs that were kept before; None where there are none.

        Raises ValueError for a file that cannot be read, and for one that was made in another way.
        """
        path = self.path(setting)
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text())
            before, runs = content["made"], content["runs"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} cannot be read ({type(error).__name__}); delete it") from error
        now = self.conditions(setting)
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            name = changed[0]
            raise ValueError(
                f"{path} was made with {name}={before.get(name)!r}, not {now[name]!r}; give another --out"
            )
        return _runs(setting, runs, self.epochs)

    def train(self, setting: Setting, on_epochs: Callable[[int], None]) -> Runs:
        """Trains and keeps the runs of a schedule. `on_epochs` hears how many epochs are trained so far."""
        compared = search.compare(
            self.workload,
            {setting.key: setting.schedule},
            budget=self.epochs,
            seeds=self.seeds,
            objective="final",
            slots=self.slots,
            ensembles=SIZES,
            callback=search.Callback(lambda progress: on_epochs(progress.epochs)),
        )
        runs = [
            {
                "seed": run.seed,
                "error": list(run.curves[self.workload.metric]),
                "select": list(run.curves[self.workload.select_metric]),
                "diverged": run.epoch is None,
                "ensembles": dict(run.ensembles),
            }
            for run in compared.runs
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path(setting)) as unfinished:
            unfinished.write_text(json.dumps({"made": self.conditions(setting), "runs": runs}))
        return _runs(setting, runs, self.epochs)


def _runs(setting: Setting, runs: list[dict[str, Any]], epochs: int) -> Runs:
    """The runs as arrays, NaN where a run has diverged."""
    curves = {name: np.full((len(runs), epochs), np.nan) for name in ("error", "select")}
    for row, run in enumerate(runs):
        for name, curve in curves.items():
            if not run["diverged"]:
                curve[row] = run[name]
    labels = dict.fromkeys(label for run in runs for label in run["ensembles"])
    ensembles = {label: np.array([run["ensembles"].get(label, np.nan) for run in runs]) for label in labels}
    return Runs(setting, curves["error"], curves["select"], ensembles)
