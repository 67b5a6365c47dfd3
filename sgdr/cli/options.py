"""What several commands take, and how their texts are read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import typer

from sgdr.search.problem.options import PLAIN, Group, Kind, Option
from sgdr.search.problem.starts import split
from sgdr.search.sweeps.config import OPTIONS


def words(option: Option) -> str:
    """What the help of a command says of an option of a sweep."""
    return option.words() + ("; a time will do too, as 90s, 30m or 2h" if option.kind is Kind.TIME else "")


def declared(option: Option) -> Any:
    """What Typer is to know of an option of a sweep."""
    return typer.Option(
        option.flag,
        help=f"{words(option)}.",
        envvar=option.variable or None,
        show_default=option.unset or True,
        rich_help_panel=option.group if option.group is Group.WORKERS else None,
    )


Storage = Annotated[str | None, declared(OPTIONS["storage"])]
StudyName = Annotated[str, typer.Argument(help="Name of the study.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

StudyWorkload = Annotated[
    str | None,
    typer.Option(
        "--workload",
        "-w",
        help="A registered name, or package.module:object.",
        show_default="the study's",
    ),
]

_SLOTS = "Runs trained side by side: a number, or auto, which suits them to the devices"
SlotCount = Annotated[str, declared(replace(OPTIONS["slots"], help=_SLOTS))]

INTERRUPTED = 130
FAILED = 1
"""Exit codes."""
LARGEST_STEP = 2**63 - 1
MOST_STEPS = 10_000_000
"""The most steps that are computed at once."""
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def numbers(
    option: str, text: str | None, kind: type[float] | type[int]
) -> tuple[float, float] | float | None:
    """LOW:HIGH, or one number. Raises ValueError naming the option."""
    if text is None:
        return None
    try:
        parts = [kind(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if len(parts) not in (1, 2):
        what = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"{option} {text!r} must be LOW:HIGH or one number, of {what}")
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """1,2,3. Raises ValueError naming the option."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{option} {text!r} must be whole numbers, as 1,2,3") from None


def slots(option: str, text: str) -> int | str:
    """A whole number, or auto. Raises ValueError naming the option."""
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{option} {text!r} must be a whole number or auto") from None


def steps(text: str) -> range:
    """START:STOP, START:STOP:STRIDE, or one step. Raises ValueError."""
    try:
        parts = [int(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if len(parts) == 1:
        parts = [parts[0], parts[0] + 1]
    if len(parts) not in (2, 3) or parts[0] < 0 or parts[1] <= parts[0] or (len(parts) == 3 and parts[2] < 1):
        raise ValueError(
            f"--steps {text!r} must be START:STOP, START:STOP:STRIDE or one step, "
            "of whole numbers with 0 <= START < STOP and STRIDE >= 1"
        )
    chosen = range(*parts)
    if chosen.stop > LARGEST_STEP:
        raise ValueError(f"--steps {text!r} must end at {LARGEST_STEP} or before")
    if (chosen.stop - chosen.start) // chosen.step > MOST_STEPS:
        raise ValueError(f"--steps {text!r} names more than {MOST_STEPS:,} steps; give a longer STRIDE")
    return chosen


def seconds(option: str, text: str | None) -> float | None:
    """90, 90s, 30m, 2h or 1d. Raises ValueError naming the option."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([smhd]?)", text.strip())
    if not match or float(match[1]) == 0:
        raise ValueError(f"{option} {text!r} must be a time, as 90s, 30m or 2h")
    return float(match[1]) * SECONDS[match[2]]


READ: Mapping[Kind, Callable[[str, Any], Any]] = {
    Kind.RANGE: partial(numbers, kind=float),
    Kind.WHOLE_RANGE: partial(numbers, kind=int),
    Kind.WHOLES: whole_numbers,
    Kind.SLOTS: slots,
    Kind.TIME: seconds,
    Kind.SCHEDULES: lambda flag, texts: tuple(part for text in texts or () for part in split(text)),
    Kind.NAMES: lambda flag, text: () if text is None else [name.strip() for name in text.split(",")],
}
"""How the texts of options are read."""


def parameter(option: Option) -> inspect.Parameter:
    """The parameter of a command that takes an option of a sweep."""
    default = option.default
    if default is not None and option.kind not in PLAIN:
        default = option.text(default) or None
    kind: Any = PLAIN.get(option.kind, str)  # all that Typer itself reads
    if option.kind is Kind.SCHEDULES:  # of which each has an option of its own
        kind, default = list[str], None
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind if default is not None else kind | None, declared(option)],
    )


def read(option: Option, typed: Any) -> Any:
    """What was typed for an option of a sweep. Raises ValueError for a text that cannot be."""
    return READ[option.kind](option.flag, typed) if option.kind in READ else typed
