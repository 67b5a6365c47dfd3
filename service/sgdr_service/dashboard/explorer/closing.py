"""Whether a budget ends at a trough, and the nearest schedules and budgets that do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sgdr.export.plan import LAST_STEP
from sgdr.schedule import WarmRestarts
from sgdr_service.dashboard.explorer.cycles import MOST_ROWS, begun
from sgdr_service.dashboard.explorer.fields import Faults, plain
from sgdr_service.dashboard.explorer.state import Exploration, Explored


@dataclass(frozen=True)
class Offer:
    """A way to end at a trough."""

    words: str
    exploration: Exploration


def is_closed(explored: Explored, budget: int) -> bool:
    """Whether the budget is a trough; a rate that is constant has no cycles to be cut off."""
    return _is_constant(explored, budget) or explored.cycle(budget).index > explored.cycle(budget - 1).index


def said(explored: Explored, budget: int) -> str:
    """Says where the budget ends, in words that lead to the offers where that is not at a trough."""
    cycle = explored.cycle(budget)
    if _is_constant(explored, budget):
        return "The rate is constant: any budget will do."
    if is_closed(explored, budget):
        return f"The budget of {budget} epochs ends at the trough of cycle {cycle.index - 1}."
    if cycle.position <= 0:
        return f"The budget of {budget} epochs ends within the warm-up: no cycle begins. Take more:"
    return (
        f"The budget of {budget} epochs is no trough: it ends {cycle.position:.6g} of {cycle.length:.6g} "
        f"epochs into cycle {cycle.index}, at a rate of {explored.schedule(budget):.4g}. To end at a trough, "
        "take:"
    )


def _is_constant(explored: Explored, budget: int) -> bool:
    return explored.eta_min == explored.base_lr and budget > explored.warmup


def offers(exploration: Exploration) -> list[Offer]:
    """Other T_0 with about as many cycles, then other budgets: what ends at a trough, nearest to this.

    A whole T_0 may need a budget that is a few epochs shorter.
    """
    distinct = dict.fromkeys([*_by_T_0(exploration), *_by_budget(exploration)])
    return [offer for offer in distinct if _can_be_taken(offer)]


def _by_T_0(exploration: Exploration) -> Iterator[Offer]:
    explored, budget = exploration.current, exploration.budget
    within, cycles = budget - explored.warmup, begun(explored, budget)
    if not 0 < cycles <= MOST_ROWS:
        return
    for count in range(max(cycles - 1, 1), cycles + 2):
        try:
            closed = WarmRestarts.closing(within, count, explored.T_mult, base_lr=explored.base_lr)
        except ValueError:  # so many cycles do not fit, not even with T_0=1
            return
        troughs = closed.troughs(budget=within)
        if closed.T_0 != explored.T_0:
            changed = replace(explored, T_0=closed.T_0)
            yield _offer(exploration, changed, explored.warmup + troughs[-1], len(troughs))


def _by_budget(exploration: Exploration) -> Iterator[Offer]:
    explored = exploration.current
    cycle = explored.cycle(exploration.budget)
    for count, near in ((cycle.index, cycle.start), (cycle.index + 1, cycle.start + cycle.length)):
        if count > 0 and near <= LAST_STEP:
            yield _offer(exploration, explored, _first_epoch(explored, count, math.ceil(near)), count)


def _first_epoch(explored: Explored, index: int, near: int) -> int:
    """The first whole epoch of that cycle, which is near that one: boundaries are rounded where not whole."""
    while explored.cycle(near - 1).index >= index:
        near -= 1
    while explored.cycle(near).index < index:
        near += 1
    return near


def _offer(exploration: Exploration, explored: Explored, budget: int, cycles: int) -> Offer:
    changed = []
    if explored.T_0 != exploration.current.T_0:
        changed.append(f"T_0 = {plain(explored.T_0)}")
    if budget != exploration.budget:
        changed.append(f"budget = {budget}")
    words = f"{', '.join(changed)}: {cycles:,} cycle{'s' * (cycles != 1)}"
    return Offer(words, replace(exploration.with_current(explored), budget=budget))


def _can_be_taken(offer: Offer) -> bool:
    try:
        offer.exploration.check()
    except Faults:
        return False
    return offer.exploration.budget <= LAST_STEP
