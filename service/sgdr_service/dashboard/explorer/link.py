"""The link that holds an exploration: its query, written and read."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from sgdr.schedule import WarmRestarts
from sgdr.search.problem.types import Schedule
from sgdr.warmup import Warmup, unwarmed
from sgdr_service.dashboard.auth_middleware import PREFIX
from sgdr_service.dashboard.explorer import fields
from sgdr_service.dashboard.explorer.fields import Faults, number, plain
from sgdr_service.dashboard.explorer.state import MOST, Exploration, Explored

PARTS = ("budget", "steps_per_epoch", "edited", "log", "schedule")
FIELDS = tuple(field.name for field in fields.SCHEDULE)


def is_explorable(schedule: Schedule) -> bool:
    """Whether the explorer shows such a schedule: warm restarts without an end, also after one warm-up."""
    restarts = schedule.schedule if isinstance(schedule, Warmup) else schedule
    return isinstance(restarts, WarmRestarts) and restarts.cycles is None


def explorer_url(schedule: WarmRestarts | Warmup, budget: int, steps_per_epoch: int | None = None) -> str:
    """The URL of the explorer with that schedule, whose lengths and `budget` are in epochs.

    Raises ValueError for a warm-up before anything but a WarmRestarts, and for a limited number of cycles.
    """
    restarts, warmup = unwarmed(schedule)
    if not is_explorable(schedule):
        raise ValueError(
            f"schedule must be a WarmRestarts with cycles=None, got {schedule!r}; give such a one"
        )
    explored = Explored(**restarts.to_dict(), warmup=warmup)
    return url(Exploration((explored,), budget=budget, steps_per_epoch=steps_per_epoch))


def url(exploration: Exploration) -> str:
    """The URL of the explorer with that exploration; `read` reads its query."""
    texts = {
        **{field.name: plain(getattr(exploration, field.name)) for field in fields.SHARED},
        "edited": str(exploration.edited + 1) if exploration.edited else "",
        "log": "yes" if exploration.log else "",
    }
    pairs = [(name, text) for name, text in texts.items() if text]
    pairs += [("schedule", _written(explored)) for explored in exploration.schedules]
    return f"{PREFIX}/explorer?{urlencode(pairs, safe=':,')}"


def _written(explored: Explored) -> str:
    """The name comes last, since it may hold any character."""
    values = (f"{name}:{plain(getattr(explored, name))}" for name in FIELDS)
    return ",".join((*values, f"name:{explored.name}"))


def read(query: str) -> tuple[Exploration, list[str]]:
    """What a query holds, and what is wrong with it; defaults are in the place of what cannot be read."""
    pairs = parse_qsl(query, keep_blank_values=True)
    texts = dict(pairs)
    wrong: list[str] = []
    exploration = Exploration()
    for field in fields.SHARED:
        try:
            exploration = replace(exploration, **fields.read((field,), texts))
        except Faults as faults:
            wrong.append(f"{faults}. The default is taken.")
    schedules = _schedules([text for name, text in pairs if name == "schedule"], exploration.budget, wrong)
    schedules = schedules or exploration.schedules
    edited, log = _edited(texts, len(schedules), wrong), _log(texts, wrong)
    parts = ", ".join(PARTS)
    unknown = [reprlib.repr(name) for name in texts if name not in PARTS]
    wrong += [f"{name} is no part of a link to the explorer; its parts are {parts}." for name in unknown]
    return replace(exploration, schedules=schedules, edited=edited, log=log), wrong


def _schedules(texts: list[str], budget: int, wrong: list[str]) -> tuple[Explored, ...]:
    schedules = []
    for place, text in enumerate(texts[:MOST], start=1):
        name = f"Schedule {place}"
        try:
            explored = Explored(name).read(_fields(text))
            explored.check(budget)
        except Faults as faults:
            explored = Explored(name)
            wrong.append(f"{name}: {faults}. The default schedule is in its place.")
        schedules.append(explored)
    if len(texts) > MOST:
        wrong.append(f"There are {len(texts):,} schedules; the first {MOST} are shown. Remove the others.")
    return tuple(schedules)


def _fields(text: str) -> dict[str, str]:
    """The texts of a schedule's fields. Raises Faults for a field that there is not."""
    numbers, named, name = text.partition("name:")
    texts = {}
    for part in filter(None, numbers.split(",")):
        field, _, texts[field] = part.partition(":")
        if field not in FIELDS:
            known = ", ".join(FIELDS)
            words = f"{reprlib.repr(field)} is no field of a schedule; write e.g. T_0:10, of {known}"
            raise Faults({field: words})
    return {**texts, "name": name} if named else texts


def _edited(texts: Mapping[str, str], count: int, wrong: list[str]) -> int:
    text = texts.get("edited", "1")
    place = number(text)
    if isinstance(place, int) and 1 <= place <= count:
        return place - 1
    wrong.append(
        f"edited must be the place of a schedule, 1 to {count}, got {reprlib.repr(text)}. It is 1 now."
    )
    return 0


def _log(texts: Mapping[str, str], wrong: list[str]) -> bool:
    text = texts.get("log", "no")
    if text not in ("yes", "no"):
        wrong.append(f"log must be yes or no, got {reprlib.repr(text)}. It is no now.")
    return text == "yes"
