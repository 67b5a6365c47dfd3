"""The staged sampler in anybody's study: what it proposes, what it names, and what it puts up with."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from sgdr import WarmRestarts, Warmup
from sgdr.search.strategy.staged.sampler import StagedSampler

SPACE = {
    "base_lr": FloatDistribution(1e-3, 1.0, log=True),
    "T_0": IntDistribution(1, 60, log=True),
    "T_mult": CategoricalDistribution((1, 2, 3)),
    "eta_ratio": FloatDistribution(0.0, 0.1),
}


def planted(params, noise=0.0):
    """A valley in the peak with a cliff behind it, where longer first cycles are a little better."""
    off = math.log(params["base_lr"]) - math.log(0.3)
    cycles = 0.01 * abs(math.log(params.get("T_0", 60) / 20))
    return 0.3 + 0.1 * off**2 + 0.5 * (off > 0.7) + cycles + noise


def searched(trials, sampler=None, space=SPACE, noise=0.008, direction="minimize"):
    sampler, random = sampler or StagedSampler(60), np.random.default_rng(0)
    study = optuna.create_study(sampler=sampler, direction=direction)
    sign = 1 if direction == "minimize" else -1
    for _ in range(trials):
        trial = study.ask(space)
        study.tell(trial, sign * planted(trial.params, noise * random.normal()))
    return study, sampler


def test_it_begins_with_one_cosine_and_finds_the_peak_within_a_few_trials():
    study, sampler = searched(8)
    assert study.trials[0].params["T_0"] == 60
    assert 1e-3 < study.trials[0].params["base_lr"] < 1
    assert 0.1 < sampler.best_trial(study).params["base_lr"] < 0.6


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_is_nearer_to_the_best_than_random_trials(direction):
    staged, sampler = searched(12, noise=0.001, direction=direction)
    random = [
        planted(searched(12, optuna.samplers.RandomSampler(seed=seed), noise=0.001)[0].best_params)
        for seed in range(5)
    ]
    assert planted(sampler.best_trial(staged).params) < np.median(random)


def test_what_leads_is_trained_again_rather_than_always_something_new():
    study, _ = searched(24, noise=0.02)
    settings = [tuple(trial.params.values()) for trial in study.trials]
    assert 6 < len(set(settings)) < 24


def test_the_same_trials_give_the_same_proposals():
    first, second = (searched(8)[0] for _ in range(2))
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]


def test_shapes_with_parameters_of_their_own_and_further_values():
    def objective(trial):
        base_lr = trial.suggest_float("base_lr", 1e-3, 1.0, log=True)
        shape = trial.suggest_categorical("shape", ["restarts", "cosine", "linear", "one-cycle"])
        decay = trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True)
        params = {"base_lr": base_lr}
        if shape == "restarts":
            params["T_0"] = trial.suggest_int("T_0", 1, 60, log=True)
            trial.suggest_categorical("T_mult", [1, 2])
        if shape == "one-cycle":
            trial.suggest_float("pct_start", 0.1, 0.5)
        gain = {"one-cycle": 0.1}.get(shape, 0.0)
        return planted(params) - gain + 0.02 * abs(math.log(decay / 1e-3))

    sampler = StagedSampler(60)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=24)
    best = sampler.best_trial(study).params
    assert study.trials[0].params["shape"] == "cosine"
    assert {trial.params["shape"] for trial in study.trials} >= {"cosine", "one-cycle"}
    assert best["shape"] == "one-cycle"
    assert objective(optuna.trial.FixedTrial(best)) < 0.28


def test_what_failed_diverged_or_was_enqueued():
    sampler = StagedSampler(60)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({"base_lr": 0.123, "T_0": 17, "T_mult": 2, "eta_ratio": 0.05})
    outcomes = []
    for _ in range(9):
        trial = study.ask(SPACE)
        value = planted(trial.params)
        if trial.number == 1:
            study.tell(trial, state=TrialState.FAIL)
        elif trial.number == 2:
            trial.report(math.nan, 1)
            study.tell(trial, state=TrialState.PRUNED)
        elif trial.number == 3:
            study.tell(trial, state=TrialState.PRUNED)
        elif trial.number == 4:
            study.tell(trial, math.inf)
        else:
            study.tell(trial, value)
        outcomes.append(trial.params)
    assert outcomes[0] == {"base_lr": 0.123, "T_0": 17, "T_mult": 2, "eta_ratio": 0.05}
    assert math.isfinite(sampler.best_trial(study).value)


def test_peaks_that_diverge_are_left_alone():
    sampler = StagedSampler(60)
    study = optuna.create_study(sampler=sampler)
    for _ in range(6):
        trial = study.ask(SPACE)
        off = math.log(trial.params["base_lr"] / 5e-3)
        if off > 0.7:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, 0.3 + 0.1 * off**2)
    states = [trial.state for trial in study.trials]
    assert states[0] == TrialState.PRUNED
    assert states.count(TrialState.PRUNED) <= 3
    assert 2e-3 < sampler.best_trial(study).params["base_lr"] < 1.2e-2


def test_trials_that_are_trained_side_by_side_differ():
    sampler = StagedSampler(60)
    study = optuna.create_study(sampler=sampler)
    trials = [study.ask(SPACE) for _ in range(6)]
    assert len({trial.params["base_lr"] for trial in trials}) > 3
    for trial in trials:
        study.tell(trial, planted(trial.params))
    assert sampler.best_trial(study).number in range(6)


@pytest.mark.parametrize(
    "space",
    [
        {"base_lr": FloatDistribution(0.1, 0.1)},
        {"base_lr": FloatDistribution(1e-3, 1.0, log=True), "cycles": IntDistribution(1, 6, log=True)},
        {
            "base_lr": FloatDistribution(0.0, 1.0),
            "T_0": IntDistribution(5, 5),
            "T_mult": IntDistribution(1, 3),
        },
        {"base_lr": FloatDistribution(1e-3, 1.0, log=True), "eta_min": FloatDistribution(0.0, 0.01)},
        {"T_0": IntDistribution(1, 60, log=True), "T_mult": IntDistribution(1, 3)},
    ],
)
def test_spaces_of_all_kinds(space):
    study = optuna.create_study(sampler=StagedSampler(60))
    for number in range(6):
        trial = study.ask(space)
        assert trial.params.keys() == space.keys()
        study.tell(trial, float(number))


@pytest.mark.parametrize(
    "space",
    [
        {"optimizer": CategoricalDistribution(("sgd", "adam", None))},
        {"optimizer": CategoricalDistribution(("sgd", "adam")), "T_0": IntDistribution(1, 60)},
    ],
)
def test_a_study_without_a_peak_is_searched_with_one_warning(space):
    study = optuna.create_study(sampler=StagedSampler(60), study_name="odd")
    with pytest.warns(UserWarning) as warned:
        for number in range(4):
            study.tell(study.ask(space), float(number))
    (said,) = {str(warning.message) for warning in warned}
    assert len(warned) == 1
    assert said.startswith("study 'odd' has no parameter base_lr, ") and "but 'optimizer', of which" in said
    assert "names that it knows are base_lr, T_0, cycles, T_mult, eta_ratio, eta_min, warmup, shape" in said


def test_no_trial_to_name():
    study = optuna.create_study(sampler=StagedSampler(60))
    with pytest.raises(ValueError, match="no trial is complete"):
        study.sampler.best_trial(study)
    study.ask(SPACE)
    with pytest.raises(ValueError, match="no "):
        study.sampler.best_trial(study)


@pytest.mark.parametrize("budget", [0, 1.5, "60", None, True])
def test_budgets_that_are_none(budget):
    with pytest.raises(ValueError, match="budget"):
        StagedSampler(budget)


def test_a_warm_up_is_searched_along_by_its_name():
    space = {**SPACE, "warmup": IntDistribution(0, 10)}
    study, sampler = searched(10, space=space)
    first = study.trials[0].params
    assert first["warmup"] == 5 and {trial.params["warmup"] for trial in study.trials} <= {0, 5, 10}
    schedule, budget = sampler._schedule(first, "restarts")
    assert budget == 60 and schedule == Warmup(WarmRestarts(first["base_lr"], 55, 1), 5)
