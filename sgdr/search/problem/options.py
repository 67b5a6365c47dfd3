"""Options that are declared once: signatures, the command, the service and its form are made from them."""

from __future__ import annotations

import importlib
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from decimal import Decimal
from enum import Enum, Flag, StrEnum, auto
from typing import Any, TypeVar

from sgdr import checks
from sgdr.cycles import Number
from sgdr.errors import ArgumentError
from sgdr.search.problem import starts
from sgdr.search.problem.arguments import one_of, whole

T = TypeVar("T")

KEY = "option"
"""The key of an option in the metadata of its field."""
LEAST = 0.01
"""The smallest share of a core or a GPU that a worker may be given."""


class Kind(Enum):
    """What values an option takes: AMOUNT a whole number or a fraction below 1, of what machines have; TIME
    seconds; SLOTS a whole number or "auto"; NAMES some of the choices; SCHEDULES what `starts` reads; OBJECT
    whatever Python alone has."""

    TEXT = auto()
    WHOLE = auto()
    NUMBER = auto()
    AMOUNT = auto()
    TIME = auto()
    SLOTS = auto()
    SWITCH = auto()
    CHOICE = auto()
    NAMES = auto()
    RANGE = auto()
    WHOLE_RANGE = auto()
    WHOLES = auto()
    VALUES = auto()
    SCHEDULES = auto()
    OBJECT = auto()


PLAIN: Mapping[Kind, type] = {Kind.WHOLE: int, Kind.NUMBER: float, Kind.AMOUNT: float, Kind.SWITCH: bool}
"""The Python types of what is one number, or a truth value."""
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
"""The bounds of numbers, in words."""


class Place(Flag):
    """Where an option is shown, besides in Python."""

    NOWHERE, COMMAND, REST, FORM, EVERYWHERE = 0, 1, 2, 4, 7


class Group(StrEnum):
    """What options stand together, in the order of the form: WORKERS are for the engine ray alone."""

    BASIC = ""
    SEARCHED = "What is searched"
    MORE = "More"
    WORKERS = "Several workers"


@dataclass(frozen=True)
class Option:
    """The declaration of an option: what it takes, what is said of it, and where."""

    kind: Kind
    help: str
    """What it means: a phrase, which stands for itself."""
    unset: str = ""
    """What None, or nothing, means."""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    most: int | None = None
    """A limit that only Python checks: services have lower ones of their own."""
    wrong: str = ""
    """What a value must be, where the bounds alone do not say it well."""
    choices: tuple[str, ...] = ()
    instances: str = ""
    """The class, as module:name, whose instances will do beside the choices."""
    also: str = ""
    """What is said of these instances."""
    more: str = ""
    """Further sentences, which concern Python alone."""
    rest: str = ""
    """What the service says in place of the help."""
    shown: Place = Place.EVERYWHERE
    group: Group = Group.MORE
    label: str = ""
    """The label in the form; else the name."""
    ends: tuple[str, str] = ("", "")
    """What the form says of the low and the high end of a range."""
    variable: str = ""
    """The variable of the environment that is asked where nothing is given."""
    name: str = ""
    default: Any = None

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds of a number that there are, as "ge", "gt", "le" and "lt"."""
        ends = {name: getattr(self, name) for name in BOUNDS}
        return {name: end for name, end in ends.items() if end is not None}

    @property
    def fallback(self) -> str:
        """What None, or nothing, means, with the variable that is asked before."""
        return f"`${self.variable}`, else {self.unset}" if self.variable else self.unset

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def for_ray(self) -> bool:
        """Whether it is for the engine ray alone."""
        return self.group is Group.WORKERS and self.name != "engine"

    @property
    def title(self) -> str:
        """The label in the form."""
        return self.label or (self.name if "_" in self.name else self.name.capitalize())

    def words(self, none: str = "") -> str:
        """The help with the choices, and what `none`, the name of nothing, means."""
        text = self.help
        if self.choices and any(choice not in text for choice in self.choices):
            listed = ", ".join(self.choices[:-1])
            text += f": {listed} or {self.choices[-1]}"
        return f"{text}; {none}: {self.unset}" if none and self.unset else text

    def checked(self, value: Any) -> Any:
        """The value in its plain form. Raises ArgumentError where the option cannot have it."""
        if value is None and self.default is None:
            return None
        return _CHECKS[self.kind](self, value) if self.kind in _CHECKS else value

    def text(self, value: Any) -> str:
        """The value as it is typed on a command line."""
        if self.kind in (Kind.RANGE, Kind.WHOLE_RANGE):
            return ":".join(map(_brief, value if isinstance(value, list | tuple) else [value]))
        if self.kind in (Kind.WHOLES, Kind.NAMES):
            return ",".join(map(str, value if isinstance(value, list | tuple) else [value]))
        if self.kind is Kind.SCHEDULES:
            return f"{starts.BETWEEN} ".join(map(starts.text, starts.all_said(value)))
        if self.kind is Kind.TIME:  # which has no exponent there
            return f"{Decimal(repr(value)):f}"
        return str(value)


def option(default: T, kind: Kind, help: str, **about: Any) -> T:
    """A field of a dataclass that is an option with that default; `about`: further fields of its `Option`."""
    declared: T = field(default=default, metadata={KEY: Option(kind, help, **about)})
    return declared


def options_of(declaring: Any) -> dict[str, Option]:
    """The options that a dataclass declares, by name: positional ones first, then those by keyword."""
    return {
        part.name: replace(
            part.metadata[KEY],
            name=part.name,
            default=part.default if part.default_factory is MISSING else part.default_factory(),
        )
        for part in sorted(fields(declaring), key=lambda part: bool(part.kw_only))
        if KEY in part.metadata
    }


def _brief(number: float) -> str:
    """The number as short as it can be typed."""
    brief = str(number) if isinstance(number, int) else f"{number:g}"
    return brief if float(brief) == number else repr(number)


def _bounded(about: Option, value: Any, number: Number) -> Number:
    """The number, where it is within the bounds of the option. Raises ArgumentError."""
    for name, end in about.bounds.items():
        if not getattr(operator, name)(number, end):
            raise ArgumentError(about.name, value, about.wrong or f"must be {BOUNDS[name]} {end}")
    return number


def _whole(about: Option, value: Any) -> Any:
    is_slots = about.kind is Kind.SLOTS
    if is_slots and value == "auto":
        return value
    number = _bounded(about, value, whole(about.name, value, about.ge, " or 'auto'" if is_slots else ""))
    if about.most is not None and number > about.most:
        raise ArgumentError(about.name, value, f"must be at most {about.most}")
    return number


def _number(about: Option, value: Any) -> Number:
    number = checks.number(value)
    if number is None or not abs(number) < math.inf:
        raise ArgumentError(about.name, value, about.wrong or "must be a finite number")
    return _bounded(about, value, number)


def _amount(about: Option, value: Any) -> Number:
    number, least = checks.number(value), 0 if about.gt is None else LEAST
    if number is None or not least <= number < math.inf:
        raise ArgumentError(about.name, value, f"must be a number from {least}")
    if 0 < number < LEAST:
        raise ArgumentError(about.name, value, f"must be at least {LEAST}")
    if number > 1 and number != int(number):
        raise ArgumentError(about.name, value, "must be a whole number, or a fraction below 1")
    return _bounded(about, value, number)


def _text(about: Option, value: Any) -> Any:
    if not isinstance(value, str | os.PathLike):
        raise ArgumentError(about.name, value, "must be a text")
    return value


def _switch(about: Option, value: Any) -> bool:
    value = checks.plain(value)
    if not isinstance(value, int) or value not in (False, True):
        raise ArgumentError(about.name, value, "must be True or False")
    return bool(value)


def _choice(about: Option, value: Any) -> Any:
    if about.instances and not isinstance(value, str):
        module, _, name = about.instances.partition(":")
        if isinstance(value, getattr(importlib.import_module(module), name)):
            return value
    if value not in about.choices:
        raise ArgumentError(about.name, value, f"must be one of {', '.join(about.choices)}{about.also}")
    return value


def _names(about: Option, value: Any) -> tuple[str, ...]:
    """The names in the order of the choices, each once."""
    if not isinstance(value, Iterable):
        raise ArgumentError(about.name, value, "must be names")
    names = (value,) if isinstance(value, str) else tuple(value)
    for name in names:
        one_of(about.name, name, about.choices)
    return tuple(name for name in about.choices if name in names)


def _plain(about: Option, value: Any) -> Any:
    return checks.plain(value)


_CHECKS: Mapping[Kind, Callable[[Option, Any], Any]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.SLOTS: _whole,
    Kind.NUMBER: _number,
    Kind.TIME: _number,
    Kind.AMOUNT: _amount,
    Kind.CHOICE: _choice,
    Kind.NAMES: _names,
    Kind.SWITCH: _switch,
    Kind.SCHEDULES: lambda about, value: starts.all_said(value, about.name),
    Kind.RANGE: _plain,
    Kind.WHOLE_RANGE: _plain,
    Kind.WHOLES: _plain,
}
