"""What a client may ask of a sweep: the arguments of `sgdr.search.sweep`, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from sgdr.errors import ArgumentError
from sgdr.search.problem.arms import DEFAULT_SHARE
from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.problem.space import RATES, Space
from sgdr.search.strategy.named import PRUNERS
from sgdr.search.sweeps.cluster import ENGINES
from sgdr.search.sweeps.config import LARGEST_SEED, SAMPLERS
from sgdr.search.sweeps.create_study import study_name
from sgdr.shapes import RELATIVES

if TYPE_CHECKING:
    Relative: TypeAlias = str
else:  # of names that are known at run time alone
    Relative = Literal[RELATIVES]

LONGEST_NAME = 200
"""Characters."""
LARGEST_REQUEST = 16 * 1024
"""Bytes as JSON: it is kept as an attribute of the study."""
OF_RAY = ("workers", "cpus_per_worker", "gpus_per_worker")
"""What is said only of the engine ray."""


class SweepRequest(BaseModel):
    """A sweep to be run. Raises ValueError (pydantic's) for what no sweep can be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    workload: str = Field(description="A registered name, see /v1/workloads.", examples=["digits"])
    trials: int = Field(64, ge=1, description="To be finished, those of earlier runs of the study included.")
    budget: int | None = Field(None, ge=1, description="Epochs of one trial; null: the workload's own.")
    study: str | None = Field(
        None, description="Its name, which is the sweep's id too; null: the workload's own."
    )
    base_lr: float | list[float] | None = Field(
        None, description="Range of the peak rate, [low, high], or one number; null: the workload's own."
    )
    T_0: int | list[int] | None = Field(
        None, description="Range of the first cycle's length in epochs, or one number; null: 1 to the budget."
    )
    T_mult: int | list[int] = Field([1, 2, 3], description="The factors by which cycles may grow.")
    eta_ratio: float | list[float] = Field([0.0, 0.1], description="Range of eta_min / base_lr.")
    closed: bool = Field(
        False, description="Search the number of cycles in place of T_0; trials end at their last trough."
    )
    hparams: dict[str, JsonValue] = Field(
        {},
        description='Further values that the workload takes: a number, [low, high], [low, high, "log"] or '
        '{"choices": [...]}. What is not named keeps the range that the workload declares.',
    )
    objective: str = Field("best-epoch", json_schema_extra={"enum": list(OBJECTIVES)})
    pruner: str = Field("restart-aware", json_schema_extra={"enum": list(PRUNERS)})
    sampler: str = Field("tpe", json_schema_extra={"enum": list(SAMPLERS)})
    slots: int | Literal["auto"] = Field(
        "auto", description="Trials that are trained side by side, by each worker."
    )
    engine: str = Field(
        "local",
        description="local: one worker on the service's host; ray: several on Ray, on the cluster that the "
        "service is told of, else on its host.",
        json_schema_extra={"enum": list(ENGINES)},
    )
    workers: int = Field(1, ge=1, description="How many; this and the next two are for the engine ray.")
    cpus_per_worker: float = Field(
        1.0, gt=0, description="Cores of a worker: a whole number, or a fraction below 1."
    )
    gpus_per_worker: float = Field(
        0.0, ge=0, description="GPUs of a worker: a whole number, or that share of one and of its memory."
    )
    controls: float = Field(DEFAULT_SHARE, ge=0, lt=1, description="Share of trials without restarts.")
    relatives: list[Relative] | None = Field(
        None,
        description="Further arms without restarts, each half as many as the controls; null: none, or those "
        "of the study that is gone on with.",
    )
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    timeout: float | None = Field(
        None, gt=0, le=1e9, description="Seconds after which it stops, to be resumed."
    )
    resume: bool = Field(False, description="Go on with the study where there is one.")
    confirm: bool = Field(
        False, description="Then train the best again on new seeds, on the service's host, for a verdict."
    )

    @field_validator("study")
    @classmethod
    def _is_name(cls, study: str | None) -> str | None:
        return None if study is None else checked_name(study)

    @model_validator(mode="after")
    def _is_small(self) -> Self:
        text = json.dumps(self.model_dump(), allow_nan=False, ensure_ascii=False)
        if not _is_unicode(text):
            raise ValueError("texts must have no half of a surrogate pair; write whole characters")
        if len(text.encode()) > LARGEST_REQUEST:
            raise ValueError(
                f"the request must have at most {LARGEST_REQUEST:,} bytes as JSON; leave out choices"
            )
        return self

    def arguments(self) -> dict[str, Any]:
        """What is searched and how, as `sgdr.search.sweep` takes it. Raises ValueError as `space` does."""
        names = ("trials", "budget", "objective", "pruner", "sampler", "slots", "controls", "seed", "timeout")
        given = {name: getattr(self, name) for name in names}
        return {"space": self.space(), **given, "relatives": self.relatives or ()}

    def crew(self) -> dict[str, Any]:
        """The engine and its workers, as `sgdr.search.sweep` takes them."""
        return {name: getattr(self, name) for name in ("engine", *OF_RAY)}

    def space(self) -> Space:
        """What it searches. Raises ValueError for a range that cannot be."""
        return Space(
            base_lr=cast("tuple[float, float] | float | None", _as_tuple(self.base_lr)),
            T_0=cast("tuple[int, int] | int | None", _as_tuple(self.T_0)),
            T_mult=cast("tuple[int, ...] | int", _as_tuple(self.T_mult)),
            eta_ratio=cast("tuple[float, float] | float", _as_tuple(self.eta_ratio)),
            closed=self.closed,
            hparams={name: _short_form(name, given) for name, given in self.hparams.items()},
        )


def checked_name(study: str) -> str:
    """The name as it is. Raises ValueError where no study can have it, or it is too long."""
    study_name(study)
    if len(study) > LONGEST_NAME:
        reason = f"must have at most {LONGEST_NAME} characters, not {len(study):,}"
        message = f"study={study[:LONGEST_NAME]!r}… {reason}"
        raise ArgumentError("study", study, reason, message=message)
    return study


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which JSON can write and nobody store."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _as_tuple(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


def _short_form(name: str, given: JsonValue) -> Any:
    """The form in which `Space` takes it: a range is a tuple there, and a list means choices."""
    if isinstance(given, Mapping):
        choices = given.get("choices")
        if set(given) != {"choices"} or not isinstance(choices, list) or not choices:
            reason = 'must be {"choices": [...]}, with one at least'
            raise _bad_hparam(name, given, reason, f"{given!r} {reason}")
        if any(isinstance(choice, list | dict) for choice in choices):
            raise _bad_hparam(name, given, "choices must be numbers, texts, true, false or null")
        numbers = choices
    else:
        numbers = given if isinstance(given, list) else [given]
    for number in numbers:
        if isinstance(number, int | float) and abs(number) > RATES[1]:
            raise _bad_hparam(name, given, f"numbers must lie within ±{RATES[1]:g}")
    return choices if isinstance(given, Mapping) else _as_tuple(given)


def _bad_hparam(name: str, given: JsonValue, reason: str, words: str | None = None) -> ArgumentError:
    message = f"hparams {name!r}: {words or reason}"
    return ArgumentError(name, given, reason, within="hparams", message=message)
