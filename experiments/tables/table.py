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
    version: int = 1
    """The version of what the workloads and the grid were (see `train.VERSION`)."""


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
        return np.where(diverged, self.worst, worth)

    @cached_property
    def worst(self) -> float:
        """The worst loss that any schedule had after its first epoch."""
        return float(np.nanmax(self.losses[:, :, 0]))

    @cached_property
    def worths(self) -> list[list[float]]:
        """`worth` as lists of numbers, which are looked up one by one much faster."""
        lists: list[list[float]] = self.worth.tolist()
        return lists

    @cached_property
    def trained(self) -> list[list[int]]:
        """The epochs that each schedule trains on each seed: all, or up to that in which it diverges."""
        diverged = np.isnan(self.losses)
        ends = np.where(diverged.any(2), diverged.argmax(2) + 1, self.losses.shape[2])
        lists: list[list[int]] = ends.tolist()
        return lists


def attainable(worth: np.ndarray[Any, Any]) -> float:
    """The loss of the row that is best by all seeds but one, read on that one: the mean over all of them.

    `worth` is [schedules, seeds].
    """
    rows = (worth.sum(axis=1, keepdims=True) - worth).argmin(axis=0)
    return float(worth[rows, np.arange(worth.shape[1])].mean())


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
    about, arrays = stored(name, folder)
    sign = np.float32(-1 if about.direction == "maximize" else 1)
    losses, select = (sign * arrays[key].astype(np.float32) for key in ("value", "select"))
    return Table(about, losses, select)


def stored(name: str, folder: Path = FOLDER) -> tuple[About, dict[str, np.ndarray[Any, Any]]]:
    """What has been written under that name, see `write`. Raises FileNotFoundError where nothing has."""
    with np.load(folder / f"{name}.npz") as arrays:
        values = json.loads(str(arrays["about"]))
        about = About(**{**values, "base_lr": tuple(values["base_lr"])})
        return about, {key: arrays[key] for key in ("value", "select")}


def names(folder: Path = FOLDER) -> list[str]:
    """The names of the tables that have been written, in order."""
    return sorted(path.stem for path in folder.glob("*.npz"))
