"""The numbers that are set in the explorer: how each is read from text, and the stops of its slider."""

from __future__ import annotations

import reprlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sgdr import checks
from sgdr.cycles import Number
from sgdr.export.plan import LAST_STEP

LONGEST_NAME = 60
"""Characters."""


class Faults(ValueError):
    """What is wrong with texts: `messages` by the name of the field, each with the value and what to give."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__("; ".join(messages.values()))
        self.messages = dict(messages)


@dataclass(frozen=True)
class Field:
    """One of them. `read` gives the value of a text, or raises ValueError."""

    name: str
    label: str
    read: Callable[[str], Any]
    stops: tuple[Number, ...] = ()
    """The values of its slider, ascending; without any it has none."""

    def nearest(self, value: Number) -> int:
        """The place of the stop that is nearest to the value."""
        after = bisect_left(self.stops, value)
        near = self.stops[max(after - 1, 0) : after + 1]
        return self.stops.index(min(near, key=lambda stop: abs(stop - value)))


def number(text: str) -> Number | str:
    """The number that the text says, whole ones as ints; the text itself where it says none."""
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def plain(value: Number) -> str:
    """The number as one would type it; `number` reads the same one again."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if whole else value)


def read(fields: Iterable[Field], texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of those fields that have a text, by name. Raises Faults that tell of all bad ones."""
    values, messages = {}, {}
    for field in fields:
        if field.name in texts:
            try:
                values[field.name] = field.read(texts[field.name])
            except ValueError as error:
                messages[field.name] = str(error)
    if messages:
        raise Faults(messages)
    return values


def _checked(name: str, check: Callable[[str, Any], Any]) -> Callable[[str], Any]:
    return lambda text: check(name, number(text))


def _length(text: str) -> Number:
    value = number(text)
    if isinstance(value, str) or not 0 < value <= LAST_STEP:
        raise ValueError(
            f"T_0 must be a number > 0 and at most {LAST_STEP:,}, got {reprlib.repr(value)}; give a length, "
            "e.g. T_0=10"
        )
    return value


def _whole(name: str, least: int, example: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = number(text)
        if isinstance(value, int) and least <= value <= LAST_STEP:
            return value
        raise ValueError(
            f"{name} must be a whole number from {least} to {LAST_STEP:,}, got {reprlib.repr(value)}; "
            f"give e.g. {name}={example}"
        )

    return read


def _whole_or_none(name: str, example: int) -> Callable[[str], int | None]:
    read = _whole(name, 1, example)
    return lambda text: read(text) if text.strip() else None


def _name(text: str) -> str:
    # Half of a surrogate pair has no place in an address.
    name = " ".join(text.encode(errors="replace").decode().split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(
            f"name must have 1 to {LONGEST_NAME} characters, got {reprlib.repr(name)}; give a "
            f"{'shorter one' if name else 'name'}"
        )
    return name


def _rates(first: int, last: int) -> tuple[float, ...]:
    """Numbers of two digits from 10**first up to 10**last."""
    powers = range(first - 1, last - 1)
    return tuple(sorted({float(f"{digits}e{power}") for power in powers for digits in range(10, 101)}))


def _lengths(last: int) -> tuple[int, ...]:
    """Whole numbers of one or two digits, and zeros, from 1 up to 10**last."""
    return tuple(
        sorted({*range(1, 10), *(digits * 10**p for p in range(last - 1) for digits in range(10, 101))})
    )


NAME = Field("name", "Name", _name)
SCHEDULE = (
    Field("base_lr", "base_lr: peak rate", _checked("base_lr", checks.peak_rate), _rates(-6, 1)),
    Field("T_0", "T_0: first cycle (epochs)", _length, _lengths(4)),
    Field(
        "T_mult",
        "T_mult: growth of cycles",
        _checked("T_mult", checks.at_least_one),
        tuple(tenths // 10 if tenths % 10 == 0 else tenths / 10 for tenths in range(10, 41)),
    ),
    Field(
        "eta_min",
        "eta_min: lowest rate",
        _checked("eta_min", checks.lowest_rate),
        (0, *_rates(-9, 0)),
    ),
    Field(
        "peak_decay",
        "peak_decay: peak after peak",
        _checked("peak_decay", checks.decay),
        tuple(hundredths / 100 for hundredths in range(1, 101)),
    ),
    Field("warmup", "Warm-up (epochs)", _whole("warmup", 0, 5), (0, *_lengths(3))),
)
BUDGET = Field("budget", "Budget (epochs)", _whole("budget", 1, 70), _lengths(4))
STEPS_PER_EPOCH = Field(
    "steps_per_epoch", "Steps per epoch (for code)", _whole_or_none("steps_per_epoch", 391)
)
