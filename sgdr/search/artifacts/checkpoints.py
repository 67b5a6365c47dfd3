"""The states of trials at their last troughs, kept while they are trained: who trains one again begins there.

A trough is where a trial is worth keeping: what was trained so far has come to rest. Nothing is kept of what
is trained in a few seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgdr.search.artifacts.snapshots import Snapshot, Snapshots, load_snapshot
from sgdr.search.problem.callback import SILENT, Callback
from sgdr.search.problem.workload import State, Workload

CHECKPOINT_SECONDS = 10.0
"""Seconds of training that there must be to lose before a trial is kept (again)."""


@dataclass(frozen=True)
class Checkpoint:
    """A trial as it was at a trough."""

    epoch: int
    """Completed epochs."""
    state: State
    curves: Mapping[str, Sequence[float]]
    """Values by name, one an epoch."""


class Checkpoints:
    """The last trough of each trial of one study, in a folder that all its workers have."""

    def __init__(self, folder: Path, workload: Workload, callback: Callback = SILENT) -> None:
        """`folder` is the study's own (see `snapshots.study_folder`), made by the first that is kept."""
        self._snapshots, self._workload, self._callback = Snapshots(folder), workload, callback
        self._causes: set[str] = set()

    def due(self, since: float) -> bool:
        """Whether a trial that was begun or kept last then, by `time.monotonic`, is to be kept again."""
        return time.monotonic() - since >= CHECKPOINT_SECONDS

    def save(
        self, trial: int, seed: int, epoch: int, state: State, curves: Mapping[str, Sequence[float]]
    ) -> None:
        """Keeps a trial as it is after `epoch` epochs, in place of what was kept of it before.

        `trial` is its number, or that of the first trial which it repeats. What cannot be written, as on a
        full disk, is remarked: the trial is then trained from an earlier state, should it come to that.
        """
        before = self._snapshots.of(trial)
        path = _curves(self._snapshots.path(trial, seed, epoch))
        try:
            self._snapshots.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(dict(curves)))
            saved = self._snapshots.save(trial, seed, epoch, state, {})
        except OSError as error:
            why = error.strerror or str(error)
            if why not in self._causes:  # once, not for every trial
                self._causes.add(why)
                self._callback.on_remark(
                    f"trials are not kept in {self._snapshots.folder}, from trial {trial} on: {why}"
                )
            with suppress(OSError):
                path.unlink()
            return
        for old in before:
            if old.path != saved:  # which it is where the trial has begun anew
                self._remove(old)

    def load(self, trial: int, seed: int) -> Checkpoint | None:
        """The trial as it was kept last; None where it was not, or what is there cannot be read."""
        for snapshot in reversed(self._snapshots.of(trial)):
            try:
                curves = json.loads(_curves(snapshot.path).read_text())
                state = load_snapshot(snapshot.path, self._workload)
            except (OSError, ValueError) as error:
                self._callback.on_remark(f"trial {trial} begins anew: {error}")
                continue
            if snapshot.seed == seed and _are_curves(curves, snapshot.epoch):
                return Checkpoint(snapshot.epoch, state, curves)
        return None

    def forget(self, trial: int) -> None:
        """Removes what was kept of a trial, which has ended."""
        for snapshot in self._snapshots.of(trial):
            self._remove(snapshot)

    def _remove(self, snapshot: Snapshot) -> None:
        with suppress(OSError):  # what cannot be removed does no harm
            snapshot.path.unlink()
            _curves(snapshot.path).unlink()


def _curves(snapshot: Path) -> Path:
    """The file with the curves that go with a state."""
    return snapshot.with_suffix(".json")


def _are_curves(curves: Any, epochs: int) -> bool:
    """Whether that is what was kept as curves of so many epochs."""
    return isinstance(curves, dict) and all(_is_curve(curve, epochs) for curve in curves.values())


def _is_curve(curve: Any, epochs: int) -> bool:
    return isinstance(curve, list) and [type(value) for value in curve] == epochs * [float]
