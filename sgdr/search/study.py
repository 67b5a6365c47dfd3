"""What is read back from a study: the best schedules, trials and curves as tables, and what it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgdr.schedule import WarmRestarts
from sgdr.search import snapshots
from sgdr.search.arms import ARMS, arm_of
from sgdr.search.objective import chosen_epoch, sign
from sgdr.search.storage import default_url, open_storage, shown
from sgdr.search.verdict import Confirmed, Verdict

if TYPE_CHECKING:
    import pandas as pd
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

MARKS = {"workload", "space", "objective", "direction"}
"""The attributes by which a study is known to be a sweep's; anybody's study may have one of them."""


@dataclass(frozen=True)
class Best:
    """A completed trial, as one would use it."""

    number: int
    value: float
    schedule: WarmRestarts
    """In epochs."""
    epoch: int
    """The epoch, from 1, whose model has the value."""
    budget: int
    """Epochs trained."""
    hparams: Mapping[str, Any]
    seed: int
    curves: Mapping[str, list[float]] = field(repr=False)
    """By name, a value an epoch."""
    arm: str
    """restarts, cosine or constant."""
    confirmed: Confirmed | None
    """What it gave on other seeds; None where it was not trained on any: its value is partly luck then."""


class Study:
    """A study in its storage, as it stood when it was loaded."""

    def __init__(self, name: str, url: str, storage: BaseStorage, study_id: int) -> None:
        self.name = name
        self.url = url
        self.attributes: dict[str, Any] = storage.get_study_user_attrs(study_id)
        """workload, space, budget, objective, metric, direction, select_metric, steps_per_epoch, pruner,
        sampler, controls, seed, versions."""
        self.frozen: list[FrozenTrial] = storage.get_all_trials(study_id, deepcopy=False)
        """Optuna's trials, by number."""

    @property
    def counts(self) -> dict[str, int]:
        """How many trials there are, by state: COMPLETE, PRUNED, FAIL, RUNNING."""
        counts: dict[str, int] = {}
        for trial in self.frozen:
            counts[trial.state.name] = counts.get(trial.state.name, 0) + 1
        return counts

    @property
    def outcomes(self) -> dict[str, int]:
        """How many trials are complete, pruned, diverged, failed, cut off or running.

        Diverged: a value or a parameter was no longer finite. Failed: by an error of their own. Cut off: by
        the end of their worker; `resume` trains them again. What there is none of is left out.
        """
        outcomes: dict[str, int] = {}
        for trial in self.frozen:
            outcome = _OUTCOMES[trial.state.name]
            if outcome == "pruned" and "diverged_at" in trial.user_attrs:
                outcome = "diverged"
            if outcome == "cut off" and "error" in trial.user_attrs:
                outcome = "failed"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        order = dict.fromkeys((*_OUTCOMES.values(), "diverged", "failed"))
        return {outcome: outcomes[outcome] for outcome in order if outcome in outcomes}

    @property
    def last_error(self) -> str | None:
        """What the last trial that failed by itself said, in one line; None where there is none."""
        errors = [trial.user_attrs["error"] for trial in self.frozen if "error" in trial.user_attrs]
        return str(errors[-1]).splitlines()[0] if errors else None

    @property
    def started(self) -> datetime | None:
        """When its first trial began."""
        return min((trial.datetime_start for trial in self.frozen if trial.datetime_start), default=None)

    @property
    def best(self) -> Best:
        """The trial to use: the best confirmed one, else the best completed. Raises ValueError when there is
        none."""
        best = self.top(1)
        if not best:
            raise ValueError(f"study {self.name!r} has no completed trial yet; {self.why_none()}")
        return best[0]

    def why_none(self) -> str:
        """What to do where no trial is completed."""
        at = [trial.user_attrs["diverged_at"] for trial in self.frozen if "diverged_at" in trial.user_attrs]
        if at:
            return (
                f"{len(at)} diverged, the first at epoch {min(at)}: lower base_lr, or look for NaN and "
                "infinite numbers in the data"
            )
        if self.last_error:
            return f"the last that failed said {self.last_error}"
        return "let it run, or give it more trials"

    def top(self, k: int) -> list[Best]:
        """The k best completed trials: the confirmed ones in the order of their means, then the others, and
        last those that failed on other seeds."""
        if k < 1:
            raise ValueError(f"k={k} must be at least 1")
        found = self.ranked()
        if self.verdict is not None:
            order = {each.number: place for place, each in enumerate(self.verdict.candidates)}
            failed = {each.number for each in self.verdict.candidates if each.failed is not None}
            found.sort(key=lambda best: (best.number in failed, order.get(best.number, len(order))))
        return found[:k]

    def ranked(self) -> list[Best]:
        """All completed trials by the value that the search found, the best first; of equals the earlier."""
        direction = sign(self.attributes["direction"])
        complete = [trial for trial in self.frozen if trial.state.name == "COMPLETE"]
        complete.sort(key=lambda trial: (direction * (trial.value or 0.0), trial.number))
        return [self._as_best(trial) for trial in complete]

    @cached_property
    def verdict(self) -> Verdict | None:
        """What `confirm` found; None before."""
        kept = self.attributes.get("verdict")
        return None if kept is None else Verdict.from_dict(kept)

    @cached_property
    def _confirmed(self) -> dict[int, Confirmed]:
        return {each.number: each for each in self.verdict.candidates} if self.verdict else {}

    @property
    def snapshot_folder(self) -> Path:
        """Where `confirm` keeps its finalists' models (see `snapshots`)."""
        return snapshots.folder(self.url, self.name)

    @property
    def arms(self) -> dict[str, int]:
        """How many finished trials each arm got."""
        finished = [trial for trial in self.frozen if trial.state.name in ("COMPLETE", "PRUNED")]
        counts = Counter(trial.user_attrs.get("arm") for trial in finished)
        return {arm: counts[arm] for arm in ARMS if counts[arm]}

    def _as_best(self, trial: FrozenTrial) -> Best:
        attributes, study = trial.user_attrs, self.attributes
        schedule = WarmRestarts(**attributes["schedule"])
        curves: dict[str, list[float]] = attributes["curve"]
        select = curves[study["select_metric"] or study["metric"]]
        assert trial.value is not None, "a completed trial has a value"
        return Best(
            number=trial.number,
            value=trial.value,
            schedule=schedule,
            epoch=chosen_epoch(study["objective"], select, schedule, study["direction"]),
            budget=len(select),
            hparams={name: trial.params[name] for name in study["space"]["hparams"]},
            seed=attributes["seed"],
            curves=curves,
            arm=attributes.get("arm") or arm_of(schedule, len(select)),  # older studies do not name it
            confirmed=self._confirmed.get(trial.number),
        )

    def trials(self) -> pd.DataFrame:
        """A row a trial, by number: state, arm, value, the schedule in epochs, further parameters, seed,
        epochs trained, diverged_at, seconds, started, error."""
        import pandas as pd

        hparams = list(self.attributes.get("space", {}).get("hparams", ()))
        rows = []
        for trial in self.frozen:
            attributes = trial.user_attrs
            curve = attributes.get("curve", {}).get(self.attributes.get("metric"), ())
            rows.append(
                {
                    "number": trial.number,
                    "state": trial.state.name,
                    "arm": attributes.get("arm"),
                    "value": trial.value if trial.state.name == "COMPLETE" else None,
                    **{name: attributes.get("schedule", {}).get(name) for name in _SCHEDULE},
                    **{name: trial.params.get(name) for name in hparams},
                    "seed": attributes.get("seed"),
                    "epochs": len(curve),
                    "diverged_at": attributes.get("diverged_at"),
                    "retry_of": attributes.get("retry_of"),
                    "seconds": attributes.get("seconds"),
                    "started": trial.datetime_start,
                    "error": attributes.get("error"),
                }
            )
        columns = ["number", "state", "arm", "value", *_SCHEDULE, *hparams, *_REST]
        whole = dict.fromkeys(("T_0", "T_mult", "seed", "epochs", "diverged_at", "retry_of"), "Int64")
        real = dict.fromkeys(("value", "base_lr", "eta_min", "seconds"), "float64")
        return pd.DataFrame(rows, columns=columns).astype({**whole, **real}).set_index("number")

    def curves(self) -> pd.DataFrame:
        """A row an epoch of a trial: number, epoch (from 1), and a column for each value."""
        import pandas as pd

        tables = [
            pd.DataFrame(
                {"number": trial.number, "epoch": range(1, len(next(iter(curve.values()))) + 1), **curve}
            )
            for trial in self.frozen
            if (curve := trial.user_attrs.get("curve"))
        ]
        if not tables:
            return pd.DataFrame({"number": pd.Series(dtype="int64"), "epoch": pd.Series(dtype="int64")})
        return pd.concat(tables, ignore_index=True)


_OUTCOMES = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "cut off",
    "RUNNING": "running",
    "WAITING": "waiting",
}
_SCHEDULE = ("base_lr", "T_0", "T_mult", "eta_min")
_REST = ("seed", "epochs", "diverged_at", "retry_of", "seconds", "started", "error")


def made_by_sweep(attributes: Mapping[str, Any]) -> bool:
    """Whether a study's attributes are those of a sweep, all written."""
    return attributes.keys() >= MARKS


def load(name: str, storage: str | None = None) -> Study:
    """The study called `name` in the storage at that URL (None: see `default_url`).

    Raises ValueError when there is no such storage or study; it names those that there are.
    """
    url = default_url() if storage is None else storage
    opened = open_storage(url)
    found = Study(name, url, opened, study_id(opened, name, url))
    if not made_by_sweep(found.attributes):
        raise ValueError(f"study {name!r} in {shown(url)} was not made by sgdr; read it with Optuna")
    return found


def study_id(storage: BaseStorage, name: str, url: str) -> int:
    """Optuna's number of the study. Raises ValueError when there is none, naming those that there are."""
    try:
        return storage.get_study_id_from_name(name)
    except KeyError:
        names = ", ".join(repr(study.study_name) for study in storage.get_all_studies()) or "none"
        raise ValueError(f"no study {name!r} in {shown(url)}; there is {names}") from None


def studies(storage: str | None = None) -> list[Study]:
    """All studies of a storage that were made by sweeps, by name."""
    url = default_url() if storage is None else storage
    opened = open_storage(url)
    found = sorted(opened.get_all_studies(), key=lambda study: study.study_name)
    return [
        Study(each.study_name, url, opened, each._study_id)
        for each in found
        if made_by_sweep(each.user_attrs)
    ]


def delete(name: str, storage: str | None = None) -> None:
    """Deletes a study with all its trials. Raises ValueError when there is none, or a worker is at it."""
    import time

    from sgdr.search.lease import living

    url = default_url() if storage is None else storage
    opened = open_storage(url, create=True)
    number = study_id(opened, name, url)
    if living(opened.get_study_user_attrs(number), time.time()):
        raise ValueError(f"study {name!r} is being swept right now; stop that first")
    opened.delete_study(number)
    snapshots.Snapshots(snapshots.folder(url, name)).delete()
