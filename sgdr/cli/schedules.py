"""A schedule of any shape by the options of a command, which are the fields of all shapes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from sgdr import shapes
from sgdr.shapes import FIELDS, MAKERS, RESTARTS, Meaning, Schedule
from sgdr.warmup import Warmup

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT = RESTARTS.name
WARMUP = "warmup"
"""The option of the warm-up, whose own field is the length in steps."""
PARAMETERS = {shape: fields for shape, fields in shapes.PARAMETERS.items() if fields.keys() <= FIELDS.keys()}
"""The fields of each shape that has numbers and words alone, not schedules."""
LENGTHS = ("length", "half length", "half length or none", "factor")
"""What is an int where it is whole: then boundaries are exact."""


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _option(name: str, meaning: Meaning) -> inspect.Parameter:
    shapes = [shape for shape, fields in PARAMETERS.items() if name in fields]
    defaults = {PARAMETERS[shape][name].default for shape in shapes} - {inspect.Parameter.empty, None}
    words = meaning.words.rstrip(".")
    of = "" if len(shapes) == len(PARAMETERS) else f"; of {', '.join(shapes)}"
    among = "" if isinstance(meaning.form, str) else f": {', '.join(meaning.form)}"
    shown = ", ".join(map(str, defaults)) if len(defaults) == 1 else False
    return _parameter(name, _kind(meaning), f"{words}{among}{of}.", shown)


def _kind(meaning: Meaning) -> type:
    if meaning.form == "count or none":
        return int
    return str if meaning.form == "lengths" or not isinstance(meaning.form, str) else float


def _parameter(name: str, kind: Any, words: str, shown: str | bool) -> inspect.Parameter:
    option = typer.Option(_flag(name), help=words, show_default=shown, rich_help_panel="Schedule")
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


OPTIONS = (
    _parameter("shape", str, f"One of {', '.join(PARAMETERS)}.", DEFAULT),
    *(_option(name, meaning) for name, meaning in FIELDS.items() if name != "steps"),
    _parameter(WARMUP, int, f"{FIELDS['steps'].words.rstrip('.')}, before any shape.", "none"),
)


def taking_schedule(command: Command) -> Command:
    """The command, with the options of a schedule in place of its keyword arguments."""
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = (*own, *OPTIONS)
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def given(typed: Mapping[str, Any]) -> str | None:
    """The first of the options that was typed, as a flag; None where there is none."""
    return next((_flag(name) for name, value in typed.items() if value is not None), None)


def schedule(typed: Mapping[str, Any]) -> Schedule:
    """The schedule that the options name; whole lengths are ints. Raises ValueError for what cannot be."""
    values = {name: value for name, value in typed.items() if value is not None}
    shape, warmup = values.pop("shape", DEFAULT), values.pop(WARMUP, 0)
    if shape not in PARAMETERS:
        raise ValueError(f"--shape {shape!r} must be one of {', '.join(PARAMETERS)}")
    fields = PARAMETERS[shape]
    for name in values.keys() - fields.keys():
        known = ", ".join(map(_flag, (*fields, WARMUP)))
        raise ValueError(f"{_flag(name)} has no meaning for --shape {shape}, which has {known}; leave it out")
    needed = [name for name, field in fields.items() if field.default is inspect.Parameter.empty]
    for name in needed:
        if name not in values:
            raise ValueError(
                f"{_flag(name)} is missing: --shape {shape} needs {' and '.join(map(_flag, needed))}"
            )
    made = MAKERS[shape](**{name: _read(name, value) for name, value in values.items()})
    return Warmup(made, warmup) if warmup else made


def _read(name: str, value: Any) -> Any:
    form = FIELDS[name].form
    if form == "lengths":
        try:
            return tuple(_whole(float(part)) for part in value.split(",") if part.strip())
        except ValueError:
            raise ValueError(f"{_flag(name)} {value!r} must be numbers, as 30,60") from None
    return _whole(value) if form in LENGTHS else value


def _whole(number: float) -> float | int:
    return int(number) if number.is_integer() else number


def options_of(schedule: Schedule) -> str | None:
    """The options that name the schedule, to some digits; None where there are none for it."""
    inner: Any = schedule.schedule if isinstance(schedule, Warmup) else schedule
    values = inner.to_dict()
    shape = values.pop("kind", DEFAULT)
    if shape not in PARAMETERS:
        return None
    defaults = {name: parameter.default for name, parameter in PARAMETERS[shape].items()}
    if shape == DEFAULT:
        defaults = {}  # the four of them are always told
    else:
        values = {"shape": shape, **values}
    if isinstance(schedule, Warmup):
        values[WARMUP] = schedule.steps
    told = {
        name: value for name, value in values.items() if value is not None and value != defaults.get(name)
    }
    return " ".join(f"{_flag(name)} {_text(value)}" for name, value in told.items())


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
