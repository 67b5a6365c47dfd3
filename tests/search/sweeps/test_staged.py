"""Sweeps of the staged search: one cosine first, then all shapes by one model, the same each time."""

import math

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from sgdr import search
from sgdr.choices import Stage
from sgdr.search.model.policy import PEAK_TRIALS
from sgdr.search.problem.declaration import Declaration
from tests.search_loop import searched, settings_of

DECLARED = Declaration("w", "error", "minimize", 12, "callable", None, None, None, {}, None)


def trials(storage, state=TrialState.COMPLETE):
    study = optuna.load_study(study_name="s", storage=storage)
    return [trial for trial in study.trials if trial.state == state]


def asked(**options):
    return settings_of(DECLARED, **{"sampler": "staged", "slots": 1, "pruner": "none", **options})


def test_it_begins_with_one_cosine_and_the_same_seed_gives_the_same_sweep():
    first, again = InMemoryStorage(), InMemoryStorage()
    assert searched(first, asked(trials=12))[0] and searched(again, asked(trials=12))[0]
    arms = [trial.user_attrs["arm"] for trial in trials(first)]
    assert arms[:PEAK_TRIALS] == ["cosine"] * PEAK_TRIALS
    assert len(set(arms)) > 1
    assert [trial.params for trial in trials(first)] == [trial.params for trial in trials(again)]
    assert len({trial.user_attrs["seed"] for trial in trials(first)}) == 12


def test_it_says_what_it_is_at():
    heard = []
    searched(InMemoryStorage(), asked(trials=40), heard=heard)
    stages = list(dict.fromkeys(progress.stage for progress in heard))
    assert stages[:2] == [Stage.PEAK, Stage.SHAPES] and set(stages) <= set(Stage)


def test_it_goes_on_from_what_the_study_knows():
    whole, parts = InMemoryStorage(), InMemoryStorage()
    searched(whole, asked(trials=10))
    searched(parts, asked(trials=6))
    searched(parts, asked(trials=10))
    assert [trial.params for trial in trials(parts)] == [trial.params for trial in trials(whole)]


@pytest.mark.parametrize(
    "space",
    [
        search.Space(closed=True),
        search.Space(base_lr=0.1),
        search.Space(base_lr=0.1, T_0=12, T_mult=1, eta_ratio=0.0),
        search.Space(T_0=(5, 9), T_mult=7),
    ],
)
def test_spaces_of_all_kinds(space):
    storage = InMemoryStorage()
    assert searched(storage, asked(trials=9, space=space, slots=2))[0]
    assert len(trials(storage)) == 9


def test_it_never_trains_more_than_a_quarter_before_it_knows_anything():
    assert asked(cost=16, trials=None).most_at_once == 4
    assert asked(cost=1, trials=None).most_at_once == 1
    assert asked(trials=64, sampler="tpe").most_at_once == 64


def test_what_is_enqueued_is_trained_first_and_learned_from():
    storage = InMemoryStorage()
    searched(storage, asked(trials=1))
    params = {"base_lr": 0.0123, "T_0": 3, "T_mult": 2, "eta_ratio": 0.05}
    optuna.load_study(study_name="s", storage=storage).enqueue_trial(params)
    searched(storage, asked(trials=8))
    assert trials(storage)[1].params == params
    assert all(math.isfinite(trial.value) for trial in trials(storage))
