"""What several schedules gave on the same seeds, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from sgdr.errors import ArgumentError
from sgdr.search.evaluation import sequential_test
from sgdr.search.problem.objective import sign
from sgdr.search.study.flat_names import flat_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Compared:
    """A schedule, trained on one seed."""

    name: str
    """The name of the schedule."""
    seed: int
    curves: Mapping[str, Sequence[float]] = field(repr=False)
    """The curves of the run by name, a value an epoch."""
    epoch: int | None
    """The epoch, from 1, whose model has its value, under ensemble the newest one; None where it diverged."""
    value: float = math.nan
    """What the run is worth; NaN where it diverged."""
    ensembles: Mapping[str, float] = field(default_factory=dict)
    """What its models at its last troughs are worth together, by label."""


@dataclass(frozen=True)
class Comparison:
    """Schedules trained on the same seeds. `str()` is a table to read.

    A run that diverged counts as the worst value that any run which did not had at any epoch: of an error
    about that of guessing. Where all have diverged, values are NaN.
    """

    runs: tuple[Compared, ...] = field(repr=False)
    metric: str
    direction: str
    objective: str
    budget: int
    """Epochs of every run."""
    labels: tuple[str, ...] = ()
    """The labels of the ensembles that were asked for."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the schedules, as they were given."""
        return tuple(dict.fromkeys(run.name for run in self.runs))

    @cached_property
    def values(self) -> pd.DataFrame:
        """What every run is worth: a row a seed, a column a schedule."""
        return self._frame({(run.name, run.seed): self._value(run) for run in self.runs})

    @cached_property
    def ensembles(self) -> dict[str, pd.DataFrame]:
        """The values of the ensembles, by label; NaN for a schedule with fewer troughs."""
        return {label: self._frame(self._together(label)) for label in self.labels}

    def table(self) -> pd.DataFrame:
        """A row a schedule: the mean of its values with a 95 % interval from `low` to `high` (NaN for one
        seed), the median of the epochs at which they were read, how many seeds, how many of them diverged,
        and the means of its ensembles."""
        import pandas as pd

        rows = []
        for name in self.names:
            mean, low, high = self._interval(self.values[name])
            epochs = [run.epoch for run in self.runs if run.name == name and run.epoch is not None]
            rows.append(
                {
                    "name": name,
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "median epoch": median(epochs) if epochs else math.nan,
                    "seeds": len(self.values),
                    "diverged": len(self.values) - len(epochs),
                    **{label: float(frame[name].mean()) for label, frame in self.ensembles.items()},
                }
            )
        return pd.DataFrame(rows)

    def difference(self, name: str, other: str) -> sequential_test.Difference:
        """How much higher the values of one schedule are than another's, paired by seed: `mean`, and a
        95 % interval from `low` to `high`.

        Raises ValueError for a name that there is not, and for fewer than two seeds.
        """
        for asked in (name, other):
            if asked not in self.names:
                raise ArgumentError("name", asked, f"must be one of {', '.join(self.names)}")
        ours, theirs = (
            dict(zip(self.values.index, self.values[column], strict=True)) for column in (name, other)
        )
        return sequential_test.paired(ours, theirs)

    def curves(self) -> pd.DataFrame:
        """A row an epoch of a run: name, seed, epoch (from 1), and a column for each metric.

        A metric that is called name, seed or epoch itself is metrics.name, metrics.seed or metrics.epoch."""
        import pandas as pd

        parts = []
        for run in self.runs:
            taken = ("name", "seed", "epoch")
            part = pd.DataFrame(
                {flat_name("metrics", name, taken): curve for name, curve in run.curves.items()}
            )
            part.insert(0, "epoch", range(1, len(part) + 1))
            part.insert(0, "seed", run.seed)
            part.insert(0, "name", run.name)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def __str__(self) -> str:
        table = self.table()
        head = (
            f"{self.metric} ({self.direction}), {self.objective} of {self.budget} epochs; "
            f"means of {len(self.values)} paired seeds with 95 % intervals"
        )
        shown = table.drop(columns=["seeds"] + ([] if table["diverged"].any() else ["diverged"]))
        return f"{head}\n{shown.to_string(index=False, float_format='{:.4g}'.format, na_rep='')}"

    @cached_property
    def _worst(self) -> float:
        """The worst of all values of runs that did not diverge."""
        to_loss = sign(self.direction)
        losses = [to_loss * x for run in self.runs if run.epoch is not None for x in run.curves[self.metric]]
        return to_loss * max(losses, default=math.nan)

    def _value(self, run: Compared) -> float:
        return self._worst if run.epoch is None else run.value

    def _together(self, label: str) -> dict[tuple[str, int], float]:
        """An ensemble's values: of a diverged run the worst, where other seeds of the schedule have one."""
        have = {run.name for run in self.runs if label in run.ensembles}
        return {
            (run.name, run.seed): run.ensembles.get(label, self._worst if run.name in have else math.nan)
            for run in self.runs
        }

    def _frame(self, values: Mapping[tuple[str, int], float]) -> pd.DataFrame:
        import pandas as pd

        seeds = list(dict.fromkeys(run.seed for run in self.runs))
        columns = {name: [values[name, seed] for seed in seeds] for name in self.names}
        return pd.DataFrame(columns, index=pd.Index(seeds, name="seed"))

    def _interval(self, values: pd.Series[Any]) -> tuple[float, float, float]:
        if values.isna().any():
            return math.nan, math.nan, math.nan
        if len(values) < 2:
            return float(values.mean()), math.nan, math.nan
        return sequential_test.interval(values.tolist())
