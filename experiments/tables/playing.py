"""Peers played on one table, and the hand's split of each cost, which is chosen on the other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments.tables.judging import Losses, Repeats, floor, noise
from experiments.tables.lineup import HAND, ORACLE, Peer
from experiments.tables.table import Table
from experiments.tables.trials import Replay


@dataclass(frozen=True)
class Named:
    """What a peer named at one cost."""

    rows: list[int]
    """The row of each repeat; -1 where it had none to name."""
    spent: float
    """What it had spent by then, in full trainings, on average."""
    split: str | None = None
    """The split of the hand that it is; None for other peers."""


@dataclass(eq=False)
class Played:
    """All peers on one table."""

    table: Table
    repeats: Repeats
    named: dict[str, dict[float, Named]] = field(default_factory=dict)
    """What was named, by the peer's name and the cost."""

    def __post_init__(self) -> None:
        self.floor = floor(self.table)
        self.noise = noise(self.table)
        self._losses: dict[tuple[str, float], Losses] = {}

    def losses(self, name: str, cost: float) -> Losses:
        """The true losses of what a peer named at a cost."""
        if (name, cost) not in self._losses:
            self._losses[name, cost] = self.repeats.true(self.table, self.named[name][cost].rows)
        return self._losses[name, cost]

    def distance(self, name: str, cost: float) -> Losses:
        """The same above what is attainable, which is taken as it is."""
        return self.losses(name, cost) - self.floor.mean


def play(table: Table, peer: Peer, repeats: Repeats, costs: Sequence[float]) -> dict[float, Named]:
    """What a peer names in each repeat, at each of the rising costs from its least on."""
    within = [cost for cost in costs if cost >= peer.least]
    if not within:
        return {}
    points = [
        peer.named([Replay(table, order[: repeats.seen], cost, number) for cost in within])
        for number, order in enumerate(repeats.orders[: peer.most_repeats])
    ]
    return {
        cost: Named([row for _, row in at], float(np.mean([spent for spent, _ in at])))
        for cost, at in zip(within, zip(*points, strict=True), strict=True)
    }


def choose_splits(played: Sequence[Played], costs: Sequence[float]) -> None:
    """Add the hand to each table: at each cost the split that is best on the others, and that best on itself.

    Best is the mean distance to the attainable, in standard deviations between seeds. One table alone has the
    latter only.
    """
    scores = [
        {
            (name, cost): float(one.distance(name, cost).whole.mean()) / one.noise
            for name, named in one.named.items()
            for cost in named
            if name.startswith(HAND)
        }
        for one in played
    ]
    for one, own in zip(played, scores, strict=True):
        others = [score for score in scores if score is not own]
        for cost in costs:
            names = [name for name, at in own if at == cost]
            if names:
                _add(one, ORACLE, cost, min(names, key=lambda name: own[name, cost]))
            shared = [name for name in names if all((name, cost) in score for score in others)]
            if shared and others:
                _add(one, HAND, cost, min(shared, key=lambda name: _mean(others, name, cost)))


def _mean(scores: Sequence[Mapping[tuple[str, float], float]], name: str, cost: float) -> float:
    return float(np.mean([score[name, cost] for score in scores]))


def _add(played: Played, name: str, cost: float, split: str) -> None:
    chosen = played.named[split][cost]
    played.named.setdefault(name, {})[cost] = Named(chosen.rows, chosen.spent, split)
