"""An answer in a few plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sgdr.choices import Effect, Objective
from sgdr.search.problem.objective import measure
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.shapes import CONSTANT, COSINE, RESTARTS, SHAPES
from sgdr.warmup import flat_fields

if TYPE_CHECKING:
    from sgdr.search.study.answer import Answer, Difference

LISTED = 5
"""The most others that are named one by one."""


def in_words(answer: Answer) -> str:
    """The sentences, one a line."""
    sentences = [_schedule(answer), _value(answer), _probability(answer), _simplest(answer), _start(answer)]
    sentences += [_cosine(answer), _restarts(answer), _cost(answer)]
    return "\n".join(sentence for sentence in sentences if sentence)


def described(shape: str, schedule: Schedule, hparams: Mapping[str, Any]) -> str:
    """A schedule of that shape with its fields, and what else is searched with it."""
    plain = {name: value for name, value in flat_fields(schedule).items() if value is not None}
    if shape == CONSTANT.name:  # whatever it is written as
        plain = {name: value for name, value in plain.items() if name in ("base_lr", WARMUP)}
    return f"{SHAPES[shape].words} with {_listed({**plain, **hparams})}"


def _schedule(answer: Answer) -> str:
    what = described(answer.shape, answer.schedule, answer.hparams)
    epochs = f"{answer.budget} epoch{'s' * (answer.budget != 1)}"
    return f"Use {what} (trial {answer.number}), trained for {epochs}."


def _value(answer: Answer) -> str:
    measured = _measured(answer)
    if answer.objective == Objective.ENSEMBLE:
        measured += f", that of {_models(answer)},"
    if answer.objective == Objective.ANYTIME:
        measured += ", its mean had one stopped at any of the budgets that halve the last,"
    expected = f"Its {measured} is expected to be {answer.value:.4g}"
    if answer.interval is None:
        return f"{expected}: it was trained once, and nobody knows how much of that is luck."
    low, high = answer.interval
    return f"{expected} (95 % interval of its mean over seeds: {low:.4g} to {high:.4g})."


def _measured(answer: Answer) -> str:
    return measure(answer.objective, answer.metric)


def _models(answer: Answer) -> str:
    count = answer.models
    if count == 1:
        return "its last model alone"
    return f"the mean prediction of the models at its last {count} troughs, {count} forward passes each time"


def _probability(answer: Answer) -> str:
    if answer.tried == 1:
        return "It is the only schedule that was trained to its end."
    best = (
        f"Of the {answer.tried} schedules tried it is the best with a probability of {answer.probability:.0%}"
    )
    if not answer.equal:
        return f"{best}; all others are worse."
    numbers = ", ".join(str(peer.number) for peer in answer.equal[:LISTED])
    more = ", …" * (len(answer.equal) > LISTED)
    if len(answer.equal) == 1:
        return f"{best}; that of trial {numbers} cannot be told from it."
    return f"{best}; {len(answer.equal)} others cannot be told from it (those of trials {numbers}{more})."


def _simplest(answer: Answer) -> str:
    if answer.leader == answer.number:
        return ""
    return (
        f"It is the simplest of those within {answer.margin:.2g}, the margin, of the best, "
        f"which is that of trial {answer.leader}."
    )


def _start(answer: Answer) -> str:
    gain = answer.gain_over_start
    if gain is None:
        return ""
    if gain.number == answer.number:
        return "It is the schedule that you started from: keep it."
    start = f"that of the schedule that you started from (trial {gain.number}, {_interval(gain)})"
    return f"Its {_measured(answer)} is {_apart(gain)} than {start}."


def _cosine(answer: Answer) -> str:
    gain = answer.gain_over_cosine
    if gain is None or answer.shape == COSINE.name:
        return ""
    cosine = f"that of the best single cosine (trial {gain.number}, {_interval(gain)})"
    return f"Its {_measured(answer)} is {_apart(gain)} than {cosine}."


def _restarts(answer: Answer) -> str:
    apart = answer.restarts_difference
    if apart is None or answer.restarts is None:
        missing = "none of them has any" if answer.shape != RESTARTS.name else "all of them have some"
        more = "a study of a higher cost tries more"
        return f"Whether restarts help cannot be told from these schedules, for {missing}: {more}."
    other = f"the best without (trial {apart.number}, {_interval(apart, 98)})"
    facts = f"the {_measured(answer)} of the best with restarts is {_apart(apart)} than that of {other}"
    within = f"within ± {max(abs(apart.low), abs(apart.high)):.2g}"
    return {
        Effect.HELP: f"Restarts help: {facts}.",
        Effect.DO_NOT_HELP: f"Restarts do not help: {facts}.",
        Effect.EQUAL: f"With restarts or without is equal {within}, the margin: {facts}.",
        Effect.UNDECIDED: f"Whether restarts help is undecided; any difference is {within}: {facts}.",
    }[Effect(answer.restarts)]


def _cost(answer: Answer) -> str:
    return f"The search has cost {answer.cost:.1f} full trainings."


def _apart(apart: Difference) -> str:
    return f"{abs(apart.difference):.2g} {'higher' if apart.difference > 0 else 'lower'}"


def _interval(apart: Difference, percent: int = 95) -> str:
    return f"{percent} % interval {apart.low:+.2g} to {apart.high:+.2g}"


def _listed(values: Mapping[str, Any]) -> str:
    texts = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
    return ", ".join(texts)
