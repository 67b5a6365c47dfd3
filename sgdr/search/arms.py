"""The arms of a comparison: schedules with restarts, and the two kinds of controls without.

Whether restarts help is a question about the same budget with and without them, so a share of every search
goes to one cosine cycle and to a constant rate.
"""

from __future__ import annotations

from collections.abc import Mapping

from sgdr.schedule import WarmRestarts

ARMS = ("restarts", "cosine", "constant")
CONTROLS = ARMS[1:]
DEFAULT_SHARE = 0.25
"""Of the trials, for both controls together."""
BLOCK = 64
"""Trials of which the controls have their share."""


def arm_of(schedule: WarmRestarts, budget: int) -> str:
    """The arm of a schedule in epochs, by what it does within the budget: one of `ARMS`."""
    if schedule.eta_min == schedule.base_lr and schedule.peak_decay == 1:
        return "constant"
    return "restarts" if schedule.restarts(until=budget) else "cosine"


def next_arm(begun: Mapping[str, int], share: float, trials: int) -> str:
    """The arm of the next trial, after so many of each, of a search of `trials`.

    In every block of trials the controls come first and together: a few that came one by one would find
    nobody to be compared with, and be trained to the end.
    """
    block = min(trials, BLOCK * (sum(begun.values()) // BLOCK + 1))
    for control in CONTROLS:
        most = (block - 1) // len(CONTROLS)  # so that something is left for restarts
        if begun.get(control, 0) < min(round(share / len(CONTROLS) * block), most):
            return control
    return "restarts"


class Places:
    """The arms of the new trials of a run, by their place among them: what each is does not depend on when,
    or by which worker, it is begun."""

    def __init__(self, begun: Mapping[str, int], drawn: Mapping[str, int], share: float, trials: int) -> None:
        """`begun` and `drawn`: what each arm has had in earlier runs, as trials and as new ones; `share` and
        `trials` as of `next_arm`."""
        self._begun, self._drawn = dict(begun), dict(drawn)
        self._share, self._trials = share, trials
        self._known: list[tuple[str, int]] = []

    def __getitem__(self, place: int) -> tuple[str, int]:
        """The arm, and how many new trials of that arm come before."""
        while len(self._known) <= place:
            arm = next_arm(self._begun, self._share, self._trials)
            self._known.append((arm, self._drawn.get(arm, 0)))
            self._begun[arm] = self._begun.get(arm, 0) + 1
            self._drawn[arm] = self._drawn.get(arm, 0) + 1
        return self._known[place]
