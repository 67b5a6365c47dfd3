"""The words that a study's attributes and its answers are chosen from, each declared once.

The command, REST and the dashboard take their lists from here. What is stored and answered is the plain text.
"""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """Whether a lower metric is better, or a higher one."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Objective(StrEnum):
    """What a trial is worth (see `search.problem.objective`).

    One model of it, of its best epoch, its best trough or its last epoch; what one would have on average, had
    one stopped at any time; or the models at its last troughs together.
    """

    BEST_EPOCH = "best-epoch"
    BEST_TROUGH = "best-trough"
    FINAL = "final"
    ANYTIME = "anytime"
    ENSEMBLE = "ensemble"


class Decision(StrEnum):
    """What a verdict says of restarts."""

    HELP = "restarts help"
    DO_NOT_HELP = "restarts do not help"
    UNDECIDED = "undecided"


class Effect(StrEnum):
    """What an answer says of restarts."""

    HELP = "help"
    DO_NOT_HELP = "do not help"
    EQUAL = "equal"
    UNDECIDED = "undecided"


class Stage(StrEnum):
    """What the staged search is at."""

    PEAK = "peak"
    SHAPES = "shapes"
    SEEDS = "seeds"


class State(StrEnum):
    """The states of a trial, as Optuna names them."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    RUNNING = "RUNNING"
    WAITING = "WAITING"


class Outcome(StrEnum):
    """What has become of a trial, in the order in which it is told (see `Study.outcomes`)."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    CUT_OFF = "cut off"
    RUNNING = "running"
    WAITING = "waiting"
    DIVERGED = "diverged"
    FAILED = "failed"
    FOREIGN = "foreign"
