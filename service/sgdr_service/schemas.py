"""What is answered about studies and the best: classes that OpenAPI documents, whose instances are answered.

They are plain dataclasses: what comes from a storage is answered as it is, neither checked nor converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, JsonValue
from pydantic.config import JsonDict

from sgdr.choices import Decision, Direction, Effect, Objective
from sgdr.cycles import Cycle
from sgdr.export.parity.report import Report
from sgdr.search.evaluation.study_comparison import ComparedSchedule, PairedDifference, StudyComparison
from sgdr.search.problem.arms import ALL_ARMS
from sgdr.search.study.answer import Answer, Difference, Peer
from sgdr.search.study.verdict import Confirmed, Verdict
from sgdr.stepping import Interval
from sgdr_service.documented import documented

if TYPE_CHECKING:
    Arm: TypeAlias = str
else:  # of names that are known at run time alone
    Arm = Literal[ALL_ARMS]

Fields = dict[str, JsonValue]
"""The fields of a schedule: those of warm restarts, or the `kind` of a relative and its own; of a warm-up its
`steps`, in epochs, and the `schedule` after it."""
SCHEDULE: JsonDict = {"base_lr": 0.1548, "T_0": 4, "T_mult": 1, "eta_min": 0.00458}
CONFIRMED: JsonDict = {"mean": 0.0152, "low": 0.0145, "high": 0.0159, "seeds": 64, "failed": None}


@dataclass
class ConfirmedValue:
    """What a trial's schedule gave on seeds that the search has not seen."""

    mean: float | None
    low: Annotated[float | None, Field(description="Of the 95 % interval of the mean.")]
    high: float | None
    seeds: int
    failed: Annotated[
        str | None, Field(description="Why it is out, where it diverged or failed on one of them.")
    ]


@dataclass
class BestTrial:
    """A completed trial, as one would use it. T_0, restarts, epoch and budget are in epochs."""

    number: int
    value: float
    schedule: Fields
    restarts: list[int]
    epoch: Annotated[int, Field(description="From 1: the one whose model has the value.")]
    budget: Annotated[int, Field(description="Epochs trained.")]
    hparams: dict[str, Any]
    seed: int
    arm: Arm
    start: Annotated[bool, Field(description="Whether its schedule is one that was there before the sweep.")]
    confirmed: Annotated[ConfirmedValue | None, Field(description="None: its value is partly luck.")]


BEST: JsonDict = {
    "number": 38,
    "value": 0.01163,
    "schedule": SCHEDULE,
    "restarts": [4, 8, 12, 16],
    "epoch": 18,
    "budget": 20,
    "hparams": {},
    "seed": 3217684,
    "arm": "restarts",
    "start": False,
    "confirmed": CONFIRMED,
}


PARITY: JsonDict = {
    "cannot": ["step(epoch) finds the cycle by a rounded logarithm: …"],
    "nearest": "CosineAnnealingWarmRestarts(T_0=80, T_mult=3, eta_min=0.00458) means the same rates.",
}
CODED: JsonDict = {
    **BEST,
    "steps_per_epoch": 20,
    "interval": "step",
    "code": {"torch": "import torch\n…"},
    "parity": {"torch": PARITY},
}


@documented(CODED)
@dataclass
class CodedBest(BestTrial):
    """The same with code."""

    steps_per_epoch: Annotated[
        int | None,
        Field(description="Optimizer steps in an epoch, which the code counts; None: it is not known."),
    ]
    interval: Annotated[
        Interval, Field(description="Whether the rate changes at every step, or once an epoch.")
    ]
    code: Annotated[
        dict[str, str],
        Field(
            description="By framework: torch, optax, keras, braintools, transformers; a comment that says "
            "why where there is none."
        ),
    ]
    parity: Annotated[
        dict[str, Report],
        Field(description="By framework: what its own scheduler cannot do, and the nearest that it can."),
    ]


SUMMARY: JsonDict = {
    "study": "digits",
    "workload": "digits",
    "budget": 100,
    "objective": "best-epoch",
    "metric": "error",
    "direction": "minimize",
    "steps_per_epoch": 20,
    "trials": {"COMPLETE": 9, "PRUNED": 55},
    "spent": 14.53,
    "outcomes": {"complete": 9, "pruned": 55},
    "arms": {"restarts": 48, "cosine": 8, "constant": 8},
    "best": BEST,
    "verdict": "restarts do not help",
    "started": "2026-11-21T09:12:44",
}


@documented(SUMMARY)
@dataclass
class StudySummary:
    """A study in short."""

    study: str
    workload: str
    budget: int
    objective: str
    metric: str
    direction: Direction
    steps_per_epoch: int | None
    trials: Annotated[dict[str, int], Field(description="By state, as Optuna names it.")]
    spent: Annotated[float, Field(description="What finished trials have trained, in full trainings.")]
    outcomes: Annotated[dict[str, int], Field(description="By how they ended, in words.")]
    arms: Annotated[dict[str, int], Field(description="Finished trials by arm.")]
    best: BestTrial | None
    verdict: Annotated[
        str | None, Field(description="restarts help, restarts do not help, undecided; None: unconfirmed.")
    ]
    started: Annotated[str | None, Field(description="When its first trial began.")]


@documented(
    {
        **SUMMARY,
        "space": {"base_lr": [0.001, 1.0], "T_0": [1, 100], "T_mult": [1, 2, 3]},
        "select_metric": "select_error",
        "pruner": "RestartAwarePruner",
        "sampler": "tpe",
        "controls": 0.25,
        "margin": None,
        "seed": 0,
        "versions": {"sgdr": "0.1.0", "jax": "0.10.2"},
        "last_error": None,
    }
)
@dataclass
class StudyDetails(StudySummary):
    """A study, with what it was made with."""

    space: dict[str, Any]
    """What was searched; T_0 in epochs."""
    select_metric: str | None
    pruner: str | None
    sampler: str | None
    controls: float | None
    """Share of the trials without restarts."""
    margin: float | None
    """Differences below it do not count in the answer, in the unit of the metric; null: none was given."""
    seed: int
    versions: dict[str, str]
    last_error: str | None
    """What the last trial that failed by itself said."""


@documented(
    {
        "study": "digits",
        "number": 38,
        "step": 370,
        "unit": "batch",
        "steps_per_epoch": 20,
        "lr": 0.0926,
        "cycle": {"index": 2, "start": 300, "length": 400, "position": 70},
    }
)
@dataclass
class BestRate:
    """The rate of a study's best schedule at a step."""

    study: str
    number: int
    """The number of the trial."""
    step: int | float
    unit: Literal["batch", "epoch"]
    """The unit of the steps."""
    steps_per_epoch: int | None
    lr: float
    cycle: Cycle | None
    """null for a shape without cycles."""


OVERALL: JsonDict = {**CODED, "study": "digits", "metric": "error", "direction": "minimize"}


@documented(OVERALL)
@dataclass
class BestOverall(CodedBest):
    """A trial that is among the best of all studies of a workload."""

    study: str
    metric: str
    direction: Direction


@documented({"items": [CODED], "total": 9})
@dataclass
class BestList:
    """Completed trials, the best first."""

    items: list[CodedBest]
    total: int
    """Completed trials."""


@documented({"items": [OVERALL]})
@dataclass
class OverallList:
    """The best first: confirmed ones by their means, then the others by what the search found."""

    items: list[BestOverall]


documented(schedule={"type": "object", "additionalProperties": True}, arm={"enum": [*ALL_ARMS]})(Confirmed)
documented(
    {
        "decision": "restarts do not help",
        "words": "restarts do not help: error is 0.00657 higher with restarts than with …",
        "candidates": [
            {
                "number": 6,
                "arm": "cosine",
                "schedule": SCHEDULE,
                "hparams": {},
                "searched": 0.0139,
                "values": {"1000": 0.0152},
                "mean": 0.0152,
                "low": 0.0145,
                "high": 0.0159,
                "epoch": 18.0,
                "failed": None,
                "ensemble": None,
            }
        ],
        "restarts": 17,
        "control": 6,
        "difference": {"mean": 0.00657, "low": 0.00262, "high": 0.00993, "seeds": 64},
        "more_seeds": None,
        "metric": "error",
        "direction": "minimize",
        "seeds": 64,
        "trials": 64,
    },
    decision={"enum": [*Decision]},
    direction={"enum": [*Direction]},
)(Verdict)

SCHEDULE_AND_SHAPE: dict[str, JsonDict] = {
    "schedule": {"type": "object", "additionalProperties": True},
    "shape": {"enum": [*ALL_ARMS]},
}
PAIR: JsonDict = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
GAIN: JsonDict = {"number": 6, "difference": -0.0012, "low": -0.0031, "high": 0.0004}
documented(GAIN)(Difference)
documented(**SCHEDULE_AND_SHAPE)(Peer)
documented(
    {
        "number": 38,
        "shape": "restarts",
        "schedule": SCHEDULE,
        "hparams": {},
        "budget": 20,
        "value": 0.0152,
        "interval": [0.0141, 0.0163],
        "probability": 0.46,
        "equal": [
            {
                "number": 6,
                "shape": "cosine",
                "schedule": {"base_lr": 0.2, "T_0": 20, "T_mult": 1, "eta_min": 0.0},
                "hparams": {},
                "value": 0.0164,
                "low": -0.0031,
                "high": 0.0004,
            }
        ],
        "gain_over_start": None,
        "gain_over_cosine": GAIN,
        "restarts": "undecided",
        "restarts_difference": GAIN,
        "margin": 0.0004,
        "leader": 38,
        "tried": 64,
        "cost": 14.53,
        "metric": "error",
        "direction": "minimize",
        "objective": "best-epoch",
        "models": 1,
        "words": "Use restarts with base_lr 0.1548, T_0 4, T_mult 1, eta_min 0.00458 (trial 38), …",
    },
    interval={"anyOf": [PAIR, {"type": "null"}]},
    restarts={"anyOf": [{"type": "string", "enum": [*Effect]}, {"type": "null"}]},
    direction={"enum": [*Direction]},
    objective={"enum": [*Objective]},
    **SCHEDULE_AND_SHAPE,
)(Answer)

documented({"mean": 0.0012, "low": -0.0004, "high": 0.0028, "seeds": 16, "clear": False})(PairedDifference)
documented(**SCHEDULE_AND_SHAPE)(ComparedSchedule)
documented(
    {
        "schedules": [
            {
                "number": 38,
                "shape": "restarts",
                "schedule": SCHEDULE,
                "hparams": {},
                "budget": 20,
                "values": {"1000": 0.0152, "2000": 0.0149},
                "diverged": {},
                "mean": 0.01505,
                "low": 0.0131,
                "high": 0.017,
                "difference": None,
                "words": "restarts with base_lr 0.1548, T_0 4, T_mult 1, eta_min 0.00458",
            }
        ],
        "metric": "error",
        "direction": "minimize",
        "objective": "best-epoch",
        "words": "On the same seeds, at 95 %, schedule 2 cannot be told from schedule 1, the …",
    },
    direction={"enum": [*Direction]},
    objective={"enum": [*Objective]},
)(StudyComparison)
