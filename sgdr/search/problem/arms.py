"""The arms of a comparison: schedules with restarts, and the kinds of controls without.

Whether restarts help is a question about the same budget with and without them, so a share of every search
goes to one cosine cycle and to a constant rate; relatives of restarts are further controls, where asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts
from sgdr.shapes import CONSTANT, CONTROLS, COSINE, RESTARTS, SHAPES

ARMS = (RESTARTS.name, *CONTROLS)
"""The names of the arms of every search."""
ALL_ARMS = tuple(SHAPES)
"""The names of all arms: those of `ARMS`, and the relatives that may be arms too."""
DEFAULT_SHARE = 0.25
"""The share of the trials that is for both controls together."""
BLOCK = 64
"""Trials of which the controls have their share."""


def arm_of(schedule: WarmRestarts | Formula, budget: int) -> str:
    """The arm of a schedule in epochs, by what it does within the budget: one of `ALL_ARMS`."""
    if isinstance(schedule, Formula):
        return schedule.kind
    if schedule.eta_min == schedule.base_lr and schedule.peak_decay == 1:
        return CONSTANT.name
    return RESTARTS.name if schedule.restarts(until=budget) else COSINE.name


def next_arm(begun: Mapping[str, int], share: float, trials: int, relatives: Sequence[str] = ()) -> str:
    """The arm of the next trial, after so many of each, of a search of `trials`.

    `share` is that of one cosine cycle and a constant rate together; a relative has as much as one of them.

    In every block of trials the controls come first and together: a few that came one by one would find
    nobody to be compared with, and be trained to the end.
    """
    block = min(trials, BLOCK * (sum(begun.values()) // BLOCK + 1))
    controls = (*CONTROLS, *relatives)
    for control in controls:
        most = (block - 1) // len(controls)  # so that something is left for restarts
        if begun.get(control, 0) < min(round(share / len(CONTROLS) * block), most):
            return control
    return RESTARTS.name


def planned(share: float, trials: int, relatives: Sequence[str] = ()) -> dict[str, int]:
    """How many of so many trials each arm will have, by its name; arms that have none are not named."""
    counts: dict[str, int] = {}
    for _ in range(trials):
        arm = next_arm(counts, share, trials, relatives)
        counts[arm] = counts.get(arm, 0) + 1
    return counts


class Places:
    """The arms of the new trials of a run, by their place among them: what each is does not depend on when,
    or by which worker, it is begun."""

    def __init__(
        self,
        begun: Mapping[str, int],
        drawn: Mapping[str, int],
        share: float,
        trials: int,
        relatives: Sequence[str] = (),
    ) -> None:
        """`begun` and `drawn`: what each arm has had in earlier runs, as trials and as new ones; the others
        as of `next_arm`."""
        self._begun, self._drawn = dict(begun), dict(drawn)
        self._share, self._trials, self._relatives = share, trials, tuple(relatives)
        self._known: list[tuple[str, int]] = []

    def __getitem__(self, place: int) -> tuple[str, int]:
        """The arm, and how many new trials of that arm come before."""
        while len(self._known) <= place:
            arm = next_arm(self._begun, self._share, self._trials, self._relatives)
            self._known.append((arm, self._drawn.get(arm, 0)))
            self._begun[arm] = self._begun.get(arm, 0) + 1
            self._drawn[arm] = self._drawn.get(arm, 0) + 1
        return self._known[place]
