"""The cycles of a schedule within a budget, and where in them an epoch is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from sgdr.checks import checked_step
from sgdr.cycles import Number
from sgdr.export.plan import LAST_STEP
from sgdr_service.dashboard.explorer.fields import number
from sgdr_service.dashboard.explorer.state import Explored

MOST_ROWS = 200
"""The most rows of the table of cycles."""


def begun(explored: Explored, budget: int) -> int:
    """How many cycles begin before the end of the budget."""
    if budget <= explored.warmup:
        return 0
    cycle = explored.cycle(budget)
    return cycle.index + (cycle.position > 0)


def rows(explored: Explored, budget: int, steps_per_epoch: int | None) -> list[dict[str, Any]]:
    """A row a cycle that begins within the budget, at most `MOST_ROWS`; lengths are in epochs.

    `trough` is the end of the cycle, None where the budget ends before it. `last` is the rate of the last
    step of the cycle, the lowest that it trains with: None without a trough, and where no step is in it.
    """
    per_epoch = steps_per_epoch or 1
    stepped = explored.schedule.scaled(per_epoch)
    cycles = []
    for index, (start, length) in enumerate(_within(explored, budget)):
        end = start + length
        last = math.ceil(end * per_epoch) - 1
        whole = end <= budget
        cycles.append(
            {
                "cycle": index,
                "start": _nearest(start),
                "length": _nearest(length),
                "trough": _nearest(end) if whole else None,
                "peak": max(explored.eta_min, explored.base_lr * explored.peak_decay**index),
                "last": stepped(last) if whole and last >= start * per_epoch else None,
            }
        )
    return cycles


def _within(explored: Explored, budget: int) -> Iterator[tuple[Fraction, Fraction]]:
    """Start and length of each cycle, exact."""
    start, length = Fraction(explored.warmup), Fraction(explored.T_0)
    for _ in range(MOST_ROWS):
        if start >= budget:
            return
        yield start, length
        start, length = start + length, length * Fraction(explored.T_mult)


def _nearest(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else float(value)


def at(explored: Explored, text: str, steps_per_epoch: int | None) -> str:
    """The rate at the epoch that the text says, and where in its cycle that is, in words.

    Raises ValueError where the text is no epoch.
    """
    epoch = number(text)
    if not isinstance(epoch, str) and epoch > LAST_STEP:
        raise ValueError(f"epoch must be at most {LAST_STEP:,}, got {epoch!r}; give an earlier one")
    epoch = checked_step(epoch, "epoch")
    cycle = explored.cycle(epoch)
    rate = f"{explored.schedule(epoch):.6g}"
    step = "" if steps_per_epoch is None else f", optimizer step {epoch * steps_per_epoch:,.10g}"
    if cycle.position < 0:
        return f"{rate}{step}: {epoch:.6g} of {explored.warmup} epochs into the warm-up"
    return f"{rate}{step}: cycle {cycle.index}, {cycle.position:.6g} of {cycle.length:.6g} epochs into it"
