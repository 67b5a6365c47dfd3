"""The numbers that are set in the explorer: how each is read from text, and the stops of its slider."""

from __future__ import annotations

import reprlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sgdr import checks
from sgdr.cycles import Number
from sgdr.errors import bad_field
from sgdr.export.plan import LAST_STEP

LONGEST_NAME = 60
"""Characters."""


class Faults(ValueError):
    """What is wrong with texts: `messages` by the name of the field, each with the value and what to give."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__("; ".join(messages.values()))
        self.messages = dict(messages)


def number(text: str) -> Number | str:
    """The number that the text says, whole ones as ints; the text itself where it says none."""
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def plain(value: Number | str | None) -> str:
    """The value as one would type it, nothing for None; `number` reads the same number again."""
    if value is None:
        return ""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if whole else value)


@dataclass(frozen=True)
class Field:
    """One field of the explorer."""

    name: str
    label: str
    check: Callable[[str, Any], Any]
    """What gives the value of what `parse` makes of a text, under that name, or raises ValueError."""
    stops: tuple[Number, ...] = ()
    """The values of its slider, ascending; without any it has none."""
    parse: Callable[[str], Any] = number

    def read(self, text: str) -> Any:
        """The value of a text. Raises ValueError."""
        return self.check(self.name, self.parse(text))

    def nearest(self, value: Number) -> int:
        """The place of the stop that is nearest to the value."""
        after = bisect_left(self.stops, value)
        near = self.stops[max(after - 1, 0) : after + 1]
        return self.stops.index(min(near, key=lambda stop: abs(stop - value)))


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


def _length(name: str, value: Number | str) -> Number:
    if isinstance(value, str) or not 0 < value <= LAST_STEP:
        wanted = f"must be a number > 0 and at most {LAST_STEP:,}"
        raise bad_field(name, value, wanted, f"give a length, e.g. {name}=10", shown=reprlib.repr(value))
    return value


def _whole(name: str, value: Any, least: int, example: int) -> int:
    if not isinstance(value, int) or not least <= value <= LAST_STEP:
        wanted = f"must be a whole number from {least} to {LAST_STEP:,}"
        raise bad_field(name, value, wanted, f"give e.g. {name}={example}", shown=reprlib.repr(value))
    return value


def _whole_or_none(name: str, value: Any) -> int | None:
    return _whole(name, value, 1, 391) if str(value).strip() else None


def _name(name: str, text: str) -> str:
    # Half of a surrogate pair has no place in an address.
    words = " ".join(text.encode(errors="replace").decode().split())
    if not 1 <= len(words) <= LONGEST_NAME:
        fix = f"give a {'shorter one' if words else 'name'}"
        wanted = f"must have 1 to {LONGEST_NAME} characters"
        raise bad_field(name, words, wanted, fix, shown=reprlib.repr(words))
    return words


def _rates(first: int, last: int) -> tuple[float, ...]:
    """Numbers of two digits from 10**first up to 10**last."""
    powers = range(first - 1, last - 1)
    return tuple(sorted({float(f"{digits}e{power}") for power in powers for digits in range(10, 101)}))


def _lengths(last: int) -> tuple[int, ...]:
    """Whole numbers of one or two digits, and zeros, from 1 up to 10**last."""
    return tuple(
        sorted({*range(1, 10), *(digits * 10**p for p in range(last - 1) for digits in range(10, 101))})
    )


TENTHS = tuple(tenths // 10 if tenths % 10 == 0 else tenths / 10 for tenths in range(10, 41))
HUNDREDTHS = tuple(hundredths / 100 for hundredths in range(1, 101))

NAME = Field("name", "Name", _name, parse=str)
SCHEDULE = (
    Field("base_lr", "base_lr: peak rate", checks.peak_rate, _rates(-6, 1)),
    Field("T_0", "T_0: first cycle (epochs)", _length, _lengths(4)),
    Field("T_mult", "T_mult: growth of cycles", checks.at_least_one, TENTHS),
    Field("eta_min", "eta_min: lowest rate", checks.lowest_rate, (0, *_rates(-9, 0))),
    Field("peak_decay", "peak_decay: peak after peak", checks.decay, HUNDREDTHS),
    Field("warmup", "Warm-up (epochs)", partial(_whole, least=0, example=5), (0, *_lengths(3))),
)
OF_ONE = (NAME, *SCHEDULE)
"""The fields that each schedule has."""
BUDGET = Field("budget", "Budget (epochs)", partial(_whole, least=1, example=70), _lengths(4))
STEPS_PER_EPOCH = Field("steps_per_epoch", "Steps per epoch (for code)", _whole_or_none)
SHARED = (BUDGET, STEPS_PER_EPOCH)
"""The fields that all schedules share."""
