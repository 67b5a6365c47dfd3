"""What the routes about studies answer, as models for OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from sgdr.search.problem.arms import ALL_ARMS
from sgdr.search.study.columns import FIRST, REST, Column
from sgdr_service.parameter_types import CyclePosition

State = Literal["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]
if TYPE_CHECKING:
    Arm: TypeAlias = str
else:  # of names that are known at run time alone
    Arm = Literal[ALL_ARMS]

Fields = dict[str, JsonValue]
"""The fields of a schedule: those of warm restarts, or the `kind` of a relative and its own."""
SCHEDULE: dict[str, JsonValue] = {"base_lr": 0.1548, "T_0": 4, "T_mult": 1, "eta_min": 0.00458}
CONFIRMED: dict[str, JsonValue] = {"mean": 0.0152, "low": 0.0145, "high": 0.0159, "seeds": 64, "failed": None}


class ConfirmedValue(BaseModel):
    """What a trial's schedule gave on seeds that the search has not seen."""

    mean: float | None
    low: float | None = Field(description="Of the 95 % interval of the mean.")
    high: float | None
    seeds: int
    failed: str | None = Field(description="Why it is out, where it diverged or failed on one of them.")


class BestTrial(BaseModel):
    """A completed trial, as one would use it. T_0, restarts, epoch and budget are in epochs."""

    number: int
    value: float
    schedule: Fields
    restarts: list[int]
    epoch: int = Field(description="From 1: the one whose model has the value.")
    budget: int = Field(description="Epochs trained.")
    hparams: dict[str, Any]
    seed: int
    arm: Arm
    confirmed: ConfirmedValue | None = Field(description="None: its value is partly luck.")


BEST: dict[str, JsonValue] = {
    "number": 38,
    "value": 0.01163,
    "schedule": SCHEDULE,
    "restarts": [4, 8, 12, 16],
    "epoch": 18,
    "budget": 20,
    "hparams": {},
    "seed": 3217684,
    "arm": "restarts",
    "confirmed": CONFIRMED,
}


PARITY: dict[str, JsonValue] = {
    "cannot": ["step(epoch) finds the cycle by a rounded logarithm: …"],
    "nearest": "CosineAnnealingWarmRestarts(T_0=80, T_mult=3, eta_min=0.00458) means the same rates.",
}


class ParityReport(BaseModel):
    """What the scheduler that a framework has itself can do of the schedule."""

    model_config = ConfigDict(json_schema_extra={"examples": [PARITY]})
    cannot: list[str] = Field(description="What the framework's own scheduler cannot do of this schedule.")
    nearest: str | None = Field(description="The nearest that it can do; None where there is no code.")


CODED: dict[str, JsonValue] = {
    **BEST,
    "steps_per_epoch": 20,
    "interval": "step",
    "code": {"torch": "import torch\n…"},
    "parity": {"torch": PARITY},
}


class CodedBest(BestTrial):
    """The same with code."""

    model_config = ConfigDict(json_schema_extra={"examples": [CODED]})
    steps_per_epoch: int | None = Field(
        description="Optimizer steps in an epoch, which the code counts; None: it is not known."
    )
    interval: Literal["step", "epoch"] = Field(
        description="Whether the rate changes at every step, or once an epoch."
    )
    code: dict[str, str] = Field(
        description="By framework: torch, optax, keras, braintools, transformers; a comment that says why "
        "where there is none."
    )
    parity: dict[str, ParityReport] = Field(
        description="By framework: what its own scheduler cannot do, and the nearest that it can."
    )


SUMMARY: dict[str, JsonValue] = {
    "study": "digits",
    "workload": "digits",
    "budget": 100,
    "objective": "best-epoch",
    "metric": "error",
    "direction": "minimize",
    "steps_per_epoch": 20,
    "trials": {"COMPLETE": 9, "PRUNED": 55},
    "outcomes": {"complete": 9, "pruned": 55},
    "arms": {"restarts": 48, "cosine": 8, "constant": 8},
    "best": BEST,
    "verdict": "restarts do not help",
    "started": "2026-11-21T09:12:44",
}


class StudySummary(BaseModel):
    """A study in short."""

    model_config = ConfigDict(json_schema_extra={"examples": [SUMMARY]})
    study: str
    workload: str
    budget: int
    objective: str
    metric: str
    direction: Literal["minimize", "maximize"]
    steps_per_epoch: int | None
    trials: dict[str, int] = Field(description="By state, as Optuna names it.")
    outcomes: dict[str, int] = Field(description="By how they ended, in words.")
    arms: dict[str, int] = Field(description="Finished trials by arm.")
    best: BestTrial | None
    verdict: str | None = Field(
        description="restarts help, restarts do not help, undecided; None: unconfirmed."
    )
    started: str | None = Field(description="When its first trial began.")


class StudyDetails(StudySummary):
    """A study, with what it was made with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **SUMMARY,
                    "space": {"base_lr": [0.001, 1.0], "T_0": [1, 100], "T_mult": [1, 2, 3]},
                    "select_metric": "select_error",
                    "pruner": "RestartAwarePruner",
                    "sampler": "tpe",
                    "controls": 0.25,
                    "seed": 0,
                    "versions": {"sgdr": "0.1.0", "jax": "0.10.2"},
                    "last_error": None,
                }
            ]
        }
    )
    space: dict[str, Any] = Field(description="What was searched; T_0 in epochs.")
    select_metric: str | None
    pruner: str | None
    sampler: str | None
    controls: float | None = Field(description="Share of the trials without restarts.")
    seed: int
    versions: dict[str, str]
    last_error: str | None = Field(description="What the last trial that failed by itself said.")


TRIAL: dict[str, JsonValue] = {
    "number": 38,
    "state": "COMPLETE",
    "arm": "restarts",
    "value": 0.01163,
    **SCHEDULE,
    "hparams": {},
    "seed": 3217684,
    "epochs": 100,
    "diverged_at": None,
    "retry_of": None,
    "seconds": 1.2,
    "started": "2026-11-21T09:12:46.104000",
    "error": None,
    "foreign": False,
}


class _Row(BaseModel):
    """A trial in short. T_0 is in epochs."""

    model_config = ConfigDict(json_schema_extra={"examples": [TRIAL]})


CELLS: dict[str, Any] = {
    "number": int,
    "state": State,
    "arm": Arm | None,
    "real": float | None,
    "length": float | int | None,
    "whole": int | None,
    "text": str | None,
    "flag": bool,
}
"""What cells may be, by the form of their column."""


def _cells(columns: Iterable[Column]) -> dict[str, Any]:
    return {column.name: (CELLS[column.form], Field(description=column.words)) for column in columns}


_HPARAMS = Field(
    description="What else is searched, by name: the workload's own values, and those of relatives. A "
    'number that is not finite is "inf", "-inf" or "nan".'
)
if TYPE_CHECKING:
    TrialRow: TypeAlias = _Row
else:  # of columns that are known at run time alone
    TrialRow = create_model(
        "TrialRow",
        __base__=_Row,
        __doc__=_Row.__doc__,
        __module__=__name__,
        **_cells(FIRST),
        hparams=(dict[str, Any], _HPARAMS),
        **_cells(REST),
    )


class Trial(TrialRow):
    """A trial with its curves and cycles."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **TRIAL,
                    "curve": {"error": [0.31, 0.12, 0.09], "loss": [1.1, 0.5, 0.3]},
                    "restarts": [4, 8],
                    "troughs": [4, 8],
                }
            ]
        }
    )
    curve: dict[str, list[float | None]] = Field(
        description="By name, a value an epoch; empty until it has ended."
    )
    restarts: list[int] = Field(description="Within the epochs trained.")
    troughs: list[int]


class BestRate(BaseModel):
    """The rate of a study's best schedule at a step."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "study": "digits",
                    "number": 38,
                    "step": 370,
                    "unit": "batch",
                    "steps_per_epoch": 20,
                    "lr": 0.0926,
                    "cycle": {"index": 2, "start": 300, "length": 400, "position": 70},
                }
            ]
        }
    )
    study: str
    number: int = Field(description="Of the trial.")
    step: int | float
    unit: Literal["batch", "epoch"] = Field(description="What a step is.")
    steps_per_epoch: int | None
    lr: float
    cycle: CyclePosition | None = Field(description="None of a shape without cycles.")


OVERALL: dict[str, JsonValue] = {**CODED, "study": "digits", "metric": "error", "direction": "minimize"}


class BestOverall(CodedBest):
    """A trial that is among the best of all studies of a workload."""

    model_config = ConfigDict(json_schema_extra={"examples": [OVERALL]})
    study: str
    metric: str
    direction: Literal["minimize", "maximize"]


class Candidate(BaseModel):
    """A schedule of a confirmation."""

    model_config = ConfigDict(extra="allow")
    number: int
    arm: Arm
    schedule: Fields
    mean: float | None
    low: float | None
    high: float | None


class VerdictAnswer(BaseModel):
    """Whether restarts help, as far as the seeds tell."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "decision": "restarts do not help",
                    "words": "restarts do not help: error is 0.00657 higher with restarts than with …",
                    "candidates": [{"number": 6, "arm": "cosine", "schedule": SCHEDULE, **CONFIRMED}],
                    "restarts": 17,
                    "control": 6,
                    "difference": {"mean": 0.00657, "low": 0.00262, "high": 0.00993, "seeds": 64},
                    "more_seeds": None,
                    "metric": "error",
                    "direction": "minimize",
                    "seeds": 64,
                    "trials": 64,
                }
            ]
        },
    )
    decision: Literal["restarts help", "restarts do not help", "undecided"]
    words: str
    candidates: list[Candidate]
    restarts: int | None = Field(description="The best trial with restarts.")
    control: int | None = Field(description="The best trial without.")
    difference: dict[str, float] | None
    more_seeds: int | None = Field(description="How many more would decide, about.")
    metric: str
    direction: Literal["minimize", "maximize"]
    seeds: int
    trials: int
