"""A table of complete learning curves, as it is read from its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments.tables.grid import Entry, entries

FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class About:
    """What a table is of."""

    name: str
    metric: str
    direction: str
    budget: int
    """The budget in epochs."""
    base_lr: tuple[float, float]
    """The lowest and the highest peak."""


@dataclass(frozen=True, eq=False)
class Table:
    """The losses of every schedule on every seed after every epoch: a metric, or minus one to maximise."""

    about: About
    losses: np.ndarray[Any, Any]
    """float32 [schedules, seeds, epochs], NaN from where a trial has diverged."""
    select: np.ndarray[Any, Any]
    """The same on the examples by which an epoch is chosen."""

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """The schedules, in the order of the rows."""
        return entries(self.about.base_lr, self.about.budget)

    @cached_property
    def worth(self) -> np.ndarray[Any, Any]:
        """The loss at the best epoch of each schedule on each seed, [schedules, seeds].

        The epoch is chosen by `select`. A trial that has diverged is worth the worst that any was after its
        first epoch.
        """
        diverged = np.isnan(self.losses).any(2)
        chosen = np.where(np.isnan(self.select), np.inf, self.select).argmin(2)
        worth = np.take_along_axis(self.losses, chosen[..., None], 2)[..., 0]
        return np.where(diverged, np.nanmax(self.losses[:, :, 0]), worth)


def attainable(worth: np.ndarray[Any, Any]) -> float:
    """The loss of the row that is best by all seeds but one, read on that one: the mean over all of them.

    `worth` is [schedules, seeds].
    """
    rows = [np.delete(worth, seed, axis=1).mean(axis=1).argmin() for seed in range(worth.shape[1])]
    return float(np.mean([worth[row, seed] for seed, row in enumerate(rows)]))


def write(
    about: About, value: np.ndarray[Any, Any], select: np.ndarray[Any, Any], folder: Path = FOLDER
) -> Path:
    """Write the values of both metrics, float16 [schedules, seeds, epochs] each, and return the file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{about.name}.npz"
    np.savez_compressed(path, about=json.dumps(asdict(about)), value=value, select=select)
    return path


def read(name: str, folder: Path = FOLDER) -> Table:
    """The table of that name. Raises FileNotFoundError where it has not been written."""
    with np.load(folder / f"{name}.npz") as arrays:
        values = json.loads(str(arrays["about"]))
        about = About(**{**values, "base_lr": tuple(values["base_lr"])})
        sign = np.float32(-1 if about.direction == "maximize" else 1)
        losses, select = (sign * arrays[key].astype(np.float32) for key in ("value", "select"))
    return Table(about, losses, select)


def names(folder: Path = FOLDER) -> list[str]:
    """The names of the tables that have been written, in order."""
    return sorted(path.stem for path in folder.glob("*.npz"))
