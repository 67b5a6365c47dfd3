"""Points at which a rate is wrong: counted, told apart, a few of them kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from experiments.parity.judge import PEAK, TOLERANCE, Fields, Rates, Setting, Steps, half_cosine

LATE, EARLY, ROUNDED, RESUMED, OTHER = "late", "early", "rounded", "resumed", "other"
KINDS = {
    LATE: "still in the cycle before: at a restart, the trough in place of the peak",
    EARLY: "in the next cycle already: the peak in place of the trough",
    ROUNDED: "in the right cycle, less than 1 % of the peak off",
    RESUMED: "made anew with last_epoch, it does not go on where it was",
    OTHER: "anything else",
}
NEAR = 0.01
"""A share of the peak: so near is a rounded rate to the exact one."""
KEPT = 10
"""Steps of a setting and a kind."""


class Point(NamedTuple):
    """A point at which a rate is wrong."""

    fields: Fields
    step: int
    rate: float
    exact: float

    @property
    def off(self) -> float:
        """The difference, as a share of the peak; infinite for what is no number."""
        off = abs(self.rate - self.exact) / PEAK
        return off if np.isfinite(off) else float("inf")


@dataclass
class Wrong:
    """The points of one setting and one kind."""

    count: int
    worst: Point
    first: list[int]


@dataclass
class Way:
    """One way to ask a peer for rates."""

    peer: str
    name: str
    resumes: bool = False
    points: int = 0
    """Looked at."""
    settings: int = 0
    largest: float = 0.0
    """Difference where the rate is right, as a share of the peak."""
    wrong: dict[tuple[Fields, str], Wrong] = field(default_factory=dict)

    def look(self, setting: Setting, steps: Steps, rates: Rates, exact: Rates, *, first: bool = True) -> None:
        """Compares the rates at these steps; `first` of the setting."""
        off = np.abs(rates - exact) / PEAK
        bad = ~(off <= TOLERANCE)
        self.points += len(steps)
        self.settings += first
        self.largest = max(self.largest, float(np.max(off, initial=0.0, where=~bad)))
        if not bad.any():
            return
        kinds = (
            np.full(bad.sum(), RESUMED) if self.resumes else _kinds(setting, steps[bad], rates[bad], off[bad])
        )
        for kind in KINDS:
            chosen = np.flatnonzero(bad)[kinds == kind]
            if len(chosen):
                self._count(setting.fields, kind, steps[chosen], rates[chosen], exact[chosen])

    def _count(self, fields: Fields, kind: str, steps: Steps, rates: Rates, exact: Rates) -> None:
        worst = int(np.argmax(np.nan_to_num(np.abs(rates - exact), nan=np.inf)))
        point = Point(fields, int(steps[worst]), float(rates[worst]), float(exact[worst]))
        known = self.wrong.setdefault((fields, kind), Wrong(0, point, []))
        known.count += len(steps)
        known.worst = max(known.worst, point, key=lambda candidate: candidate.off)
        known.first += steps[: KEPT - len(known.first)].tolist()

    def by_kind(self) -> Counter[str]:
        """How many points are wrong in which manner."""
        counts: Counter[str] = Counter()
        for (_, kind), wrong in self.wrong.items():
            counts[kind] += wrong.count
        return counts


def _kinds(setting: Setting, steps: Steps, rates: Rates, off: Rates) -> np.ndarray:
    """The kinds of wrong points, by what the rate would be the right one of."""
    kinds = np.full(len(steps), OTHER, dtype=object)
    for kind, later in ((LATE, -1), (EARLY, 1)):
        position, length = setting.position(steps, later)
        other = half_cosine(position / length)
        kinds[np.abs(rates - other) <= NEAR * PEAK] = kind
    kinds[off <= NEAR] = ROUNDED
    return kinds
