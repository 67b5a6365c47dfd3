"""Schedules that a search starts from: those that the user has today, as texts, mappings or schedules.

All three say the same: a shape of `sgdr.shapes`, fields of its schedules, the epochs of a warm-up before it,
and values of the workload's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from sgdr import checks, relatives
from sgdr.errors import ArgumentError
from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.shapes import CONSTANT, COSINE, MILESTONES, RESTARTS, SHAPES
from sgdr.warmup import Warmup, unwarmed, unwarmed_fields

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

NAME = "start"
"""The option that takes schedules to start from."""
BETWEEN = ";"
"""What stands between several schedules in one text."""
SHAPE = "shape"
"""The key of a mapping that names the shape."""
EXAMPLE = 'give e.g. "cosine base_lr=0.03"'
SHORTEST = 0.01
"""The shortest length that a schedule may have, in epochs: each cycle is listed."""
RATES = (1e-36, 1e36)
"""What float32 holds with room on both sides."""
_BARE = re.compile(r"[^\s\",;=\[\]{}]+")

_OF_WARMUP = ("kind", "schedule", "steps")
"""The keys of the fields of a `Warmup`."""

Said = dict[str, Any]
"""What is said of a schedule: its shape by the key `SHAPE`, and values by name."""


@dataclass(frozen=True)
class Start:
    """A schedule that the user has today, and the workload's own values of its training."""

    schedule: Schedule
    """The schedule, in epochs."""
    hparams: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The start in plain JSON values."""
        return {"schedule": self.schedule.to_dict(), "hparams": dict(self.hparams)}

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Start:
        """What `to_dict` made these values of. Raises ValueError where it did not."""
        hparams = checks.mapping("hparams", stated.get("hparams"))
        return cls(relatives.from_dict(stated.get("schedule", {})), dict(hparams))


def all_said(value: Any, name: str = NAME) -> tuple[Said, ...]:
    """What is said of each of several schedules, or of one, in the argument `name`.

    Raises ArgumentError for what is of no shape.
    """
    return tuple(said(part, name) for part in parts(value, name))


def parts(value: Any, name: str = NAME) -> list[Any]:
    """Each of several schedules, or of one, as the argument `name` has it; a text may have several.

    Raises ArgumentError for what is no list of any kind.
    """
    if value is None:
        return []
    single = isinstance(value, str | Mapping) or callable(value)
    if not single and not isinstance(value, Iterable):
        raise ArgumentError(name, value, "must be schedules", EXAMPLE)
    listed = [value] if single else value
    return [part for one in listed for part in (split(one) if isinstance(one, str) else [one])]


def split(text: str) -> list[str]:
    """The texts of the schedules that one text has; itself where it has none, to be refused."""
    return [part.strip() for part in text.split(BETWEEN) if part.strip()] or [text]


def said(value: Any, name: str = NAME) -> Said:
    """What a text, a mapping or a schedule says. Raises ArgumentError for what is of no shape."""
    if isinstance(value, str):
        return _of_text(value, name)
    if isinstance(unwarmed(value)[0], WarmRestarts | Formula):
        value = value.to_dict()
    inner, warmup = unwarmed_fields(value)
    if not isinstance(inner, Mapping) or not all(isinstance(key, str) for key in (*inner, *value)):
        raise ArgumentError(name, value, "must be a text, a mapping, or a schedule of a shape", EXAMPLE)
    values = {key: checks.plain(one) for key, one in inner.items()}
    if warmup:
        beside = {key: checks.plain(one) for key, one in value.items() if key not in _OF_WARMUP}
        values |= {**beside, WARMUP: warmup}
    shape = values.pop(SHAPE if SHAPE in values else "kind", RESTARTS.name)
    if shape not in SHAPES:
        raise ArgumentError(name, value, f"has shape {shape!r}, which must be one of {', '.join(SHAPES)}")
    return {SHAPE: shape, **{key: one for key, one in values.items() if one is not None}}


def text(said: Mapping[str, Any]) -> str:
    """What is said of a schedule, as one types it."""
    values = (f"{name}={_typed(value)}" for name, value in said.items() if name != SHAPE)
    return " ".join([said[SHAPE], *values])


def start_of(said: Mapping[str, Any], hparams: Mapping[str, BaseDistribution], budget: int) -> Start:
    """The schedule that is meant within a budget in epochs, for a workload that takes those values.

    A value of the workload's that is not given may be left out where there is but one to choose from. Raises
    ArgumentError where a field or a value is missing, unknown or bad, or the schedule is too long.
    """
    shape, given = said[SHAPE], {name: value for name, value in said.items() if name != SHAPE}
    names, needed = _fields(shape)
    warmup, left = _warmup(said, given.pop(WARMUP, 0), budget)
    unknown = [name for name in given if name not in names and name not in hparams]
    if unknown:
        known = ", ".join([*names, WARMUP, *(name for name in hparams if name not in names)])
        raise _bad(said, f"has {unknown[0]}, which is none of {known}")
    own = {name: given.get(name, _only(held)) for name, held in hparams.items()}
    lacking = [name for name in needed if name not in given]
    lacking += [name for name, value in own.items() if value is None and name not in given]
    if lacking:
        raise _bad(said, f"lacks {', '.join(lacking)}", f"add e.g. {lacking[0]}=…")
    try:
        schedule = _schedule(shape, {name: given[name] for name in names if name in given}, left)
    except ValueError as error:
        raise _bad(said, f"is no schedule: {error}") from error
    _check_fit(said, schedule, budget, warmup)
    values = {name: _as_held(said, name, value, hparams[name]) for name, value in own.items()}
    return Start(Warmup(schedule, warmup) if warmup else schedule, values)


def _of_text(text: str, argument: str) -> Said:
    shape, *words = text.split() or [""]
    if shape not in SHAPES:
        raise ArgumentError(argument, text, f"must begin with a shape, one of {', '.join(SHAPES)}", EXAMPLE)
    values: Said = {SHAPE: shape}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals or not value or name in values:
            reason = f"has {word!r}, where each value must be given once, as name=value"
            raise ArgumentError(argument, text, reason, EXAMPLE)
        values[name] = _value(value)
    return values


def _value(word: str) -> Any:
    """The number, the truth value, the word, or the list of them, that is typed."""
    try:
        return json.loads(word)
    except ValueError:
        pass
    if "," in word and '"' not in word:
        return [_value(part) for part in word.split(",") if part]
    try:
        return float(word)
    except ValueError:
        return word


def _typed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_typed, value)) + "," * (len(value) == 1)
    if isinstance(value, str):
        if _BARE.fullmatch(value) and _value(value) == value:
            return value
        return json.dumps(value).replace(" ", "\\u0020").replace(BETWEEN, "\\u003b")
    return json.dumps(value)


def _fields(shape: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of a shape's schedules that may be given, and those of them that must be."""
    if shape in (COSINE.name, CONSTANT.name):
        return ("base_lr", "eta_min") if shape == COSINE.name else ("base_lr",), ("base_lr",)
    parts = fields(relatives.KINDS.get(shape, WarmRestarts))
    usual = ("length", "milestones")
    needed = tuple(part.name for part in parts if part.default is MISSING and part.name not in usual)
    return tuple(part.name for part in parts), needed


def _schedule(shape: str, values: Said, budget: int) -> WarmRestarts | Formula:
    """The schedule with these fields; what may be left out suits the budget. Raises ValueError."""
    if shape == CONSTANT.name:
        return WarmRestarts(T_0=budget, eta_min=values["base_lr"], **values)
    if shape == COSINE.name:
        return WarmRestarts(T_0=budget, **values)
    kind = relatives.KINDS.get(shape, WarmRestarts)
    usual = {"length": budget, "milestones": tuple(budget * percent / 100 for percent in MILESTONES)}
    names = {part.name for part in fields(kind)}
    made: WarmRestarts | Formula = kind(**{name: usual[name] for name in usual if name in names} | values)
    return made


def _warmup(said: Mapping[str, Any], value: Any, budget: int) -> tuple[int, int]:
    """The epochs of the warm-up, and what they leave of the budget. Raises ArgumentError."""
    number = checks.number(value)
    if number is None or not 0 <= number < budget or number != int(number):
        raise _bad(said, f"has {WARMUP}={value!r}, which must be whole epochs from 0 to {budget - 1}")
    return int(number), budget - int(number)


def _check_fit(said: Mapping[str, Any], schedule: Schedule, budget: int, warmup: int) -> None:
    low, high = RATES
    if not low <= schedule.base_lr <= high:
        raise _bad(said, f"has base_lr={schedule.base_lr!r}, which must lie from {low:g} to {high:g}")
    for name in getattr(schedule, "lengths", ("T_0",)):
        length = getattr(schedule, name)
        for epochs in length if isinstance(length, tuple) else [] if length is None else [length]:
            if epochs > budget - warmup:
                reason = f"has {name}={epochs!r}, which does not fit the budget of {budget} epochs"
                reason += " less its warm-up" if warmup else ""
                raise _bad(said, reason, "shorten it, or raise budget")
            if epochs < SHORTEST:
                raise _bad(said, f"has {name}={epochs!r}, which must be at least {SHORTEST} epochs")


def _only(distribution: BaseDistribution) -> Any:
    """The value of what has but one; None where there are several."""
    if not distribution.single():
        return None
    choices = getattr(distribution, "choices", None)
    return distribution.low if choices is None else choices[0]  # type: ignore[attr-defined]


def _as_held(said: Mapping[str, Any], name: str, value: Any, distribution: BaseDistribution) -> Any:
    """A value of the workload's in the type that its distribution has. Raises ArgumentError."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return value
    number = checks.number(value)
    if number is None or not abs(number) < float("inf"):
        raise _bad(said, f"has {name}={value!r}, which must be a finite number")
    if not isinstance(distribution, IntDistribution):
        return float(number)
    if number != int(number):
        raise _bad(said, f"has {name}={value!r}, which must be a whole number")
    return int(number)


def _bad(said: Mapping[str, Any], reason: str, fix: str = "") -> ArgumentError:
    return ArgumentError(NAME, text(said), reason, fix)
