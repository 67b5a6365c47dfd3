"""What a client may ask of a sweep: the arguments of `sgdr.search.sweep`, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model, field_validator, model_validator

from sgdr.errors import ArgumentError
from sgdr.search.problem.options import PLAIN, Kind, Option, Place
from sgdr.search.problem.space import Space
from sgdr.search.problem.starts import RATES
from sgdr.search.sweeps.config import OPTIONS, SweepConfig
from sgdr.search.sweeps.create_study import study_name

LARGEST_REQUEST = 16 * 1024
"""Bytes as JSON: it is kept as an attribute of the study."""
LONGEST_TIME = 1e9
"""Seconds."""
TYPES: Mapping[Kind, Any] = {
    **PLAIN,
    Kind.TIME: Annotated[float, Field(le=LONGEST_TIME)],
    Kind.SLOTS: int | Literal["auto"],
    Kind.RANGE: float | list[float],
    Kind.WHOLE_RANGE: int | list[int],
    Kind.WHOLES: int | list[int],
    Kind.VALUES: dict[str, JsonValue],
    Kind.SCHEDULES: list[str | dict[str, JsonValue]],
}
"""The types in JSON; all else is a text."""
FORMS = {
    Kind.RANGE: " [low, high], or one number.",
    Kind.WHOLE_RANGE: " [low, high], or one number.",
    Kind.SCHEDULES: ' Each is a text, or {"shape": "cosine", "base_lr": 0.03}.',
    Kind.VALUES: ' Each is a number, [low, high], [low, high, "log"] or {"choices": [...]}.',
}
"""How that is written which has several parts."""
ASKED = {name: option for name, option in OPTIONS.items() if Place.REST in option.shown}
"""All options that clients may give."""
OF_RAY = tuple(name for name, option in ASKED.items() if option.for_ray)
"""What is said only of the engine ray."""


def _field(option: Option) -> Any:
    """The type and the field of an option."""
    kind, default = TYPES.get(option.kind, str), option.default
    if option.kind is Kind.NAMES:
        literal: Any = Literal  # of names that are known at run time alone
        kind = GenericAlias(list, literal[option.choices])
    if option.kind in (Kind.NAMES, Kind.SCHEDULES):
        default = default or None
    if default is not None and option.kind in (Kind.NUMBER, Kind.AMOUNT):
        default = float(default)
    words = replace(option, help=option.rest or option.help).words("null")
    words += f"{'; for the engine ray' * option.for_ray}.{FORMS.get(option.kind, '')}"
    about: dict[str, Any] = {"description": words}
    if option.kind is Kind.CHOICE:
        about["json_schema_extra"] = {"enum": list(option.choices)}
    if option.kind is not Kind.SLOTS:  # whose limits depend on the workload, too
        about |= option.bounds
    if isinstance(default, tuple):
        default = list(default)
    return (kind if default is not None else kind | None), Field(default, **about)


_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
if TYPE_CHECKING:

    class _Options(BaseModel):
        """Fields that are known at run time alone."""

        def __init__(self, **options: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    _Options = create_model(
        "_Options",
        __config__=_CONFIG,
        workload=(str, Field(description="A registered name, see /v1/workloads.", examples=["digits"])),
        **{name: _field(option) for name, option in ASKED.items()},
    )


class SweepRequest(_Options):
    """A sweep to be run. Raises ValueError (pydantic's) for what no sweep can be."""

    model_config = _CONFIG

    @field_validator("study")
    @classmethod
    def _is_name(cls, study: str | None) -> str | None:
        return None if study is None else study_name(study)

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

    def config(self, **own: Any) -> SweepConfig:
        """The same in Python, with `own` options of the service's. Raises ValueError as `space` does."""
        asked = {part.name: getattr(self, part.name) for part in fields(SweepConfig) if part.name in ASKED}
        names = {name: asked[name] or () for name in asked if ASKED[name].kind is Kind.NAMES}
        return SweepConfig(**{**asked, **names, "space": self.space(), **own})

    def space(self) -> Space:
        """What it searches. Raises ValueError for a range that cannot be."""
        hparams = {name: _short_form(name, short) for name, short in self.hparams.items()}
        names = (part.name for part in fields(Space))
        return Space(**{**{name: _as_tuple(getattr(self, name)) for name in names}, "hparams": hparams})


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which JSON can write and nobody store."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _short_form(name: str, short: JsonValue) -> Any:
    """The form in which `Space` takes it: a range is a tuple there, and a list means choices."""
    if isinstance(short, Mapping):
        choices = short.get("choices")
        if set(short) != {"choices"} or not isinstance(choices, list) or not choices:
            reason = 'must be {"choices": [...]}, with one at least'
            raise _bad_hparam(name, short, reason, f"{short!r} {reason}")
        if any(isinstance(choice, list | dict) for choice in choices):
            raise _bad_hparam(name, short, "choices must be numbers, texts, true, false or null")
        numbers = choices
    else:
        numbers = short if isinstance(short, list) else [short]
    for number in numbers:
        if isinstance(number, int | float) and abs(number) > RATES[1]:
            raise _bad_hparam(name, short, f"numbers must lie within ±{RATES[1]:g}")
    return choices if isinstance(short, Mapping) else _as_tuple(short)


def _bad_hparam(name: str, short: JsonValue, reason: str, words: str | None = None) -> ArgumentError:
    message = f"hparams {name!r}: {words or reason}"
    return ArgumentError(name, short, reason, within="hparams", message=message)
