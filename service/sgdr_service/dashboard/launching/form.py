"""The form's values as the JSON of a `SweepRequest`, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.options import Kind, Option, Place
from sgdr.search.problem.space import DEFAULT_BASE_LR
from sgdr.search.problem.starts import split
from sgdr.search.study.stated import stated
from sgdr.search.sweeps.config import DEFAULT_EXTENT, OPTIONS
from sgdr.shapes import DEFAULT_SHAPES
from sgdr_service.sweeps.request import SweepRequest

Values: TypeAlias = dict[str, Any]
"""The values by field: text as it is typed, empty for the default; of switches whether they are on."""

FORM: Mapping[str, Option] = {name: option for name, option in OPTIONS.items() if Place.FORM in option.shown}
"""The options of the form, in its order."""


def _named(*kinds: Kind) -> tuple[str, ...]:
    return tuple(name for name, option in FORM.items() if option.kind in kinds)


RANGES = _named(Kind.RANGE, Kind.WHOLE_RANGE)
"""Each has a field for its low end and one for its high end: base_lr.0 and base_lr.1."""
LISTS = _named(Kind.WHOLES, Kind.NAMES)
"""Fields of several values, with commas between."""
SCHEDULES = _named(Kind.SCHEDULES)
"""Fields of several schedules, with semicolons between."""
CHOICES = {name: FORM[name].choices for name in _named(Kind.CHOICE)}
SWITCHES = _named(Kind.SWITCH)
TEXTS = tuple(name for name in FORM if name not in (*RANGES, *CHOICES, *SWITCHES))
"""Fields in which something is typed, of ranges aside."""
HPARAMS = "hparams."
"""Begins the fields of the workload's further values, which are in JSON."""
DEFAULTS: Mapping[str, Any] = {
    name: field.default for name, field in SweepRequest.model_fields.items() if name != "workload"
}


def ends(name: str) -> tuple[str, str]:
    """The two fields of a range."""
    return f"{name}.0", f"{name}.1"


def empty() -> Values:
    """A form in which everything is left to its default."""
    texts = ("workload", *TEXTS, *(end for name in RANGES for end in ends(name)))
    return {**dict.fromkeys(texts, ""), **{name: DEFAULTS[name] for name in (*CHOICES, *SWITCHES)}}


def placeholders(declared: Declaration, budget: str) -> dict[str, str]:
    """The default that an empty field means, by field, where the field of the budget says `budget`."""
    own = {"study": declared.name, "budget": declared.budget, "shapes": [*DEFAULT_SHAPES]}
    defaults = {**DEFAULTS, **DEFAULT_EXTENT, **own}
    ranges = _default_ranges(declared, budget)
    return {
        **{name: "none" if defaults[name] is None else _typed(defaults[name]) for name in TEXTS},
        **{end: _text(value) for name in RANGES for end, value in zip(ends(name), ranges[name], strict=True)},
        **{
            f"{HPARAMS}{name}": json.dumps(short_form(searched))
            for name, searched in declared.hparams.items()
        },
    }


def as_json(values: Values, declared: Declaration) -> dict[str, Any]:
    """The JSON of the request; a text that is no number stays one, for the request to refuse.

    What is left to its default is left out, unless a sweep is resumed: there it would mean what that sweep
    was last asked for.
    """
    asked: dict[str, Any] = {"workload": values["workload"]}
    for name in TEXTS:
        text = values[name].strip()
        if FORM[name].kind is Kind.TEXT:
            asked |= {name: values[name]} if values[name] else {}
        elif name in SCHEDULES:
            asked |= {name: split(text)} if text else {}
        elif text:
            parts = [_number(part.strip()) for part in text.split(",") if part.strip()]
            asked[name] = parts if name in LISTS else _number(values[name])
    for name, default in _default_ranges(declared, values["budget"]).items():
        typed = [values[end].strip() for end in ends(name)]
        if any(typed):
            asked[name] = [_number(text) if text else end for text, end in zip(typed, default, strict=True)]
    asked |= {name: values[name] for name in (*CHOICES, *SWITCHES) if values[name] != DEFAULTS[name]}
    hparams = {
        name.removeprefix(HPARAMS): _parsed(text)
        for name, text in values.items()
        if name.startswith(HPARAMS) and text.strip()
    }
    if hparams:
        asked["hparams"] = hparams
    return {"workload": asked["workload"], **DEFAULTS, **asked} if values["resume"] else asked


def values_of(request: Mapping[str, Any]) -> Values:
    """The form that asks for what a request, a `SweepRequest` as JSON, asks for."""
    values = empty()
    for name, value in request.items():
        if value == DEFAULTS.get(name):
            continue
        if name in RANGES:
            both = value if isinstance(value, list) else [value, value]
            values |= {end: _text(number) for end, number in zip(ends(name), both, strict=True)}
        elif name == "hparams":
            values |= {f"{HPARAMS}{hparam}": json.dumps(short) for hparam, short in value.items()}
        else:
            values[name] = value if name in (*CHOICES, *SWITCHES) else _text_of(name, value)
    return values


def short_form(distribution: BaseDistribution) -> Any:
    """The JSON of `SweepRequest.hparams` that means that distribution.

    None where it has steps, or choices that are numbers which JSON does not have.
    """
    if isinstance(distribution, CategoricalDistribution):
        choices = list(distribution.choices)
        return {"choices": choices} if all(stated(choice) is choice for choice in choices) else None
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if distribution.step != (1 if isinstance(distribution, IntDistribution) else None):
        return None
    return [distribution.low, distribution.high, *(["log"] if distribution.log else [])]


def _default_ranges(declared: Declaration, budget: str) -> dict[str, tuple[Any, ...]]:
    """The range that two empty fields mean; texts that are empty where an option has none."""
    epochs = _number(budget)
    return {
        **{name: tuple(DEFAULTS[name] or ("", "")) for name in RANGES},
        "base_lr": declared.base_lr or DEFAULT_BASE_LR,
        "T_0": (1, epochs if isinstance(epochs, int) else declared.budget),
    }


def _number(text: str) -> int | float | str:
    """The number that is typed; the text itself where it is none that JSON has."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if isinstance(number, int) or math.isfinite(number):
            return number
    return text


def _parsed(text: str) -> Any:
    """The JSON that is typed; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text(value: float | str) -> str:
    """The value as one would type it."""
    return f"{value!r}" if isinstance(value, float) else str(value)


def _text_of(name: str, value: Any) -> str:
    """The value of an option as one would type it."""
    return FORM[name].text(value) if name in SCHEDULES else _typed(value)


def _typed(value: Any) -> str:
    """The same of one value, or of several with commas between."""
    return ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
