"""Peers that have been played before, read back from a file of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.tables.lineup import HAND
from experiments.tables.playing import Named, Played


def add(figures: Mapping[str, Any], played: Sequence[Played], costs: Sequence[float]) -> None:
    """Add what `Comparison.to_dict` has kept of all peers but the hand, whose splits are not among it.

    Raises ValueError where the repeats, the costs or the values of a table were others.
    """
    if list(figures["costs"]) != list(costs):
        raise ValueError(f"costs are {list(costs)}, and those that are known {figures['costs']}")
    for one in played:
        name = one.table.about.name
        kept = figures["tables"].get(name)
        if kept is None:
            continue
        if kept["orders"] != one.repeats.orders or kept["attainable"] != list(one.floor):
            raise ValueError(f"{name} is another table than that which is known, or has other repeats")
        for peer, by_cost in kept["peers"].items():
            if not peer.startswith(HAND):
                one.named[peer] = {
                    float(cost): Named(at["rows"], at["spent"]) for cost, at in by_cost.items()
                }
