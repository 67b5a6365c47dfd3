"""Rules of what a sweep keeps with a study and its trials."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from sgdr.choices import Outcome, State
from sgdr.search.storage import schema
from sgdr.search.storage.schema import MARKS, SAID_LATER, StudyAttributes, TrialAttributes, fault, is_readable
from sgdr.search.study.summary import outcome

STUDY: dict[str, Any] = {
    "workload": "digits",
    "budget": 20,
    "space": {"base_lr": [0.001, 1.0], "hparams": {"decay": "{}"}},
    "objective": "best-epoch",
    "metric": "error",
    "select_metric": None,
    "direction": "minimize",
    "steps_per_epoch": 12,
    "interval": "step",
    "pruner": "RestartAwarePruner",
    "sampler": "tpe",
    "controls": 0.25,
    "seed": 0,
    "versions": {"python": "3.11"},
}
NEEDED = STUDY.keys() - {"interval", "pruner", "sampler", "controls", "versions"}


def test_a_study_is_written_in_the_words_and_the_order_in_which_it_is_read():
    written = StudyAttributes.from_attrs(STUDY | {"somebody's": 1}).to_attrs()
    assert json.dumps(written) == json.dumps(STUDY)
    assert StudyAttributes.from_attrs(STUDY).arms == ("restarts", "cosine", "constant")
    early = StudyAttributes.from_attrs(STUDY | {"relatives": ["cyclic"]})
    assert early.arms == ("restarts", "cosine", "constant", "cyclic")
    later = STUDY | {"shapes": ["linear"], "confirmation": {"3": {}}, "verdict": {"decision": "undecided"}}
    later["comparison"] = [{"values": {"1": 0.5}}]
    assert StudyAttributes.from_attrs(later).to_attrs() == later


@pytest.mark.parametrize("name", STUDY)
def test_a_study_is_read_by_those_that_are_needed_alone(name):
    rest = {key: value for key, value in STUDY.items() if key != name}
    assert fault(rest) == (f"its attribute {name!r} is missing" if name in NEEDED else None)
    assert is_readable(rest) == (name not in NEEDED)
    assert MARKS <= NEEDED and set(SAID_LATER) <= STUDY.keys()


@given(
    st.sampled_from(sorted(NEEDED)),
    st.sampled_from([[], {}, "", -1, 0.5, True, {"hparams": 1}, ["final"], "FINAL", "x" * 99]),
)
def test_a_damaged_value_is_named(name, value):
    said = fault(STUDY | {name: value})
    fits = name in ("workload", "metric", "select_metric") and isinstance(value, str)
    assert said is None if fits else said is not None and said.startswith(f"its attribute {name!r} is ")
    if said is not None:
        with pytest.raises(ValueError, match=f"its attribute {name!r}"):
            StudyAttributes.from_attrs(STUDY | {name: value})


def test_a_trial_has_what_is_said_of_it_and_what_somebody_added_is_no_part_of_it():
    attrs = {"worker": "a", "schedule": {"base_lr": 0.1}, "seed": 0, "epochs": 0, "curve": {"error": [0.5]}}
    trial = TrialAttributes.from_attrs(attrs | {"note": "mine"})
    assert trial.to_attrs() == attrs
    assert (trial.seed, trial.epochs, trial.arm, trial.lost) == (0, 0, None, None)
    assert TrialAttributes().to_attrs() == {}


def test_the_names_that_loops_look_for_are_those_of_the_attributes():
    names = {field.name for field in fields(TrialAttributes)}
    assert {schema.BEGUN, schema.WORKER, schema.ENQUEUED, schema.CURVE} <= names
    assert {schema.RETRY_OF, schema.WITHDRAWN, schema.LOST, *schema.FORMS} <= names
    assert {schema.ARM, schema.SEED, schema.EPOCHS, schema.DIVERGED_AT, schema.ERROR} <= names
    assert {schema.CONFIRMATION, schema.VERDICT, schema.COMPARISON} <= {
        field.name for field in fields(StudyAttributes)
    }


def test_every_state_of_optuna_has_a_name_and_an_outcome():
    assert {*State} == {state.name for state in TrialState}
    outcomes = {outcome(state, diverged=False, failed=False) for state in State}
    assert outcomes | {Outcome.DIVERGED, Outcome.FAILED, Outcome.FOREIGN} == {*Outcome}
