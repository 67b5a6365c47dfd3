"""Samplers that come to an end: the search ends with them, and says so."""

import warnings

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BruteForceSampler, GridSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from sgdr.search.problem.space import Space
from sgdr.search.storage.connect import open_storage
from sgdr.search.strategy.enumeration import Exhausted, as_choice
from sgdr.search.strategy.restart_aware import RestartAwarePruner
from sgdr.search.strategy.samplers import Arm
from sgdr.shapes import EARLIER
from tests.search_loop import searched, settings_of

GRID = {"base_lr": [0.05, 0.2], "T_0": [1, 3], "T_mult": [1, 2], "eta_ratio": [0.0]}
"""Eight points."""
FIXED = Space(base_lr=0.1, T_0=(1, 4), T_mult=(1, 2), eta_ratio=0.0)
"""Eight points too."""


def grid(**more):
    return GridSampler({**GRID, **more}, seed=1)


def brute_force(**how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return BruteForceSampler(seed=1, **how)


SAMPLERS = {
    "grid": (grid, Space()),
    "brute force": (brute_force, FIXED),
    "strict brute force": (lambda: brute_force(avoid_premature_stop=True), FIXED),
}


def points(storage):
    return [
        tuple(trial.params.values())
        for trial in optuna.load_study(study_name="s", storage=storage).trials
        if trial.state == TrialState.COMPLETE and "T_mult" in trial.params
    ]


@pytest.mark.parametrize("slots", [1, 3, 16])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("trials", [8, 9, 40])
def test_the_search_ends_when_every_point_was_tried(tiny, sampler, slots, trials):
    make, space = SAMPLERS[sampler]
    settings = settings_of(tiny.workload, trials=trials, sampler=make(), space=space, slots=slots, controls=0)
    storage, remarks = InMemoryStorage(), list[str]()
    assert searched(storage, settings, remarks=remarks)[0]
    assert len(points(storage)) == len(set(points(storage))) == 8
    assert len(optuna.load_study(study_name="s", storage=storage).trials) == 8
    name = type(settings.sampler).__name__
    ended = f"{name} has nothing more to try: the search ends with 8 of {trials} trials"
    assert remarks == ([] if trials == 8 else [ended])


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("pruner", ["hyperband", "restart-aware"])
def test_controls_are_trained_beside_and_pruned_points_are_tried(tiny, sampler, pruner):
    make, space = SAMPLERS[sampler]
    settings = settings_of(
        tiny.workload,
        trials=16,
        sampler=make(),
        space=space,
        controls=0.25,
        pruner=pruner,
        seed=3,
        shapes=EARLIER,
    )
    storage = InMemoryStorage()
    assert searched(storage, settings)[0]
    trials = optuna.load_study(study_name="s", storage=storage).trials
    arms = [trial.user_attrs["arm"] for trial in trials]
    tried = {tuple(trial.params.values()) for trial in trials if "T_mult" in trial.params}
    assert len(tried) == 8 and len(trials) == 12 and arms.count("constant") >= 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_goes_on_tries_what_is_left_and_nothing_twice(tmp_path, tiny, sampler):
    make, space = SAMPLERS[sampler]
    storage = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)

    def go_on(trials):
        settings = settings_of(tiny.workload, trials=trials, sampler=make(), space=space, controls=0)
        remarks: list[str] = []
        assert searched(storage, settings, remarks=remarks)[0]
        return remarks

    assert go_on(3) == [] and len(points(storage)) == 3
    assert "ends with 8 of 20" in go_on(20)[0] and len(set(points(storage))) == 8
    assert "ends with 8 of 30" in go_on(30)[0]
    assert len(optuna.load_study(study_name="s", storage=storage).trials) == 8


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_was_enqueued_is_trained_beside_what_the_sampler_tries(tiny, sampler):
    make, space = SAMPLERS[sampler]
    storage = InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage)
    whole = {"base_lr": 0.1, "T_0": 2, "T_mult": 1, "eta_ratio": 0.0}
    study.enqueue_trial(whole)
    study.enqueue_trial({"T_0": 4})
    settings = settings_of(tiny.workload, trials=20, sampler=make(), space=space, controls=0, slots=1)
    assert searched(storage, settings)[0]
    trials = study.trials
    assert trials[0].params == whole and trials[0].state == TrialState.COMPLETE
    if sampler == "grid":  # which chooses nothing for others
        assert "All parameters must be specified" in trials[1].user_attrs["error"]
        assert len(trials) == 10
    else:
        assert trials[1].params["T_0"] == 4 and len(trials) == len(set(points(storage))) == 8


@pytest.mark.parametrize("when", ["before_trial", "after_trial"])
def test_any_sampler_may_end_the_search(tiny, when):
    class Ending(RandomSampler):
        calls = 0

        def count(self, study):
            self.calls += 1
            if self.calls == 3:
                study.stop()

        def before_trial(self, study, trial):
            if when == "before_trial":
                self.count(study)

        def after_trial(self, study, trial, state, values):
            if when == "after_trial":
                self.count(study)

    storage, remarks = InMemoryStorage(), list[str]()
    settings = settings_of(tiny.workload, sampler=Ending(seed=0), controls=0, slots=1)
    assert searched(storage, settings, remarks=remarks)[0]
    assert len(points(storage)) == 3
    assert remarks == ["Ending has nothing more to try: the search ends with 3 of 8 trials"]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Space(), "base_lr, eta_ratio are ranges of real numbers: fix each by one number"),
        (Space(base_lr=0.1), "eta_ratio is a range of real numbers"),
    ],
)
def test_a_space_that_cannot_be_enumerated_is_refused_in_one_line(tiny, space, said):
    with pytest.raises(ValueError, match=f"^sampler=BruteForceSampler tries every value, and {said}"):
        settings_of(tiny.workload, sampler=brute_force(), space=space)


def test_values_of_the_workload_are_enumerated_too(tiny):
    workload = tiny.Tiny()
    workload.hparams = {"decay": [0.0, 0.1], "momentum": 0.9, "width": (1, 2), "step": (0.0, 1.0)}
    stepped = {"step": FloatDistribution(0.0, 1.0, step=0.5)}
    space = Space(base_lr=0.1, T_0=2, T_mult=1, eta_ratio=0.0, hparams=stepped)
    settings = settings_of(workload, trials=99, sampler=brute_force(), space=space, controls=0)
    storage = InMemoryStorage()
    assert searched(storage, settings)[0] and len(set(points(storage))) == len(points(storage)) == 12


def test_a_fixed_value_is_a_choice_of_one_to_samplers_and_is_kept_as_before(tiny):
    assert as_choice(FloatDistribution(0.1, 0.1, log=True)) == CategoricalDistribution((0.1,))
    assert as_choice(IntDistribution(3, 3)) == CategoricalDistribution((3,))
    for wide in (FloatDistribution(0.1, 0.2), IntDistribution(1, 3), CategoricalDistribution((1, 2))):
        assert as_choice(wide) is wide
    storage = InMemoryStorage()
    searched(storage, settings_of(tiny.workload, space=FIXED, trials=4))
    for trial in optuna.load_study(study_name="s", storage=storage).trials:
        assert trial.distributions["base_lr"] == FloatDistribution(0.1, 0.1, log=True)
        assert trial.params["base_lr"] == 0.1


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_gives_the_same_points_with_fixed_values_as_ever(tiny, sampler):
    space = Space(base_lr=0.1, T_0=(1, 6), eta_ratio=(0.0, 0.1))
    settings = settings_of(tiny.workload, space=space, sampler=sampler, trials=8, controls=0, slots=1)
    storage = InMemoryStorage()
    searched(storage, settings)
    made = optuna.load_study(study_name="s", storage=storage).trials
    plain = settings.arm("restarts", 7, made_seed(settings))
    plain._asked = dict(plain.distributions)  # as they are kept: ranges of one value
    for trial in made:
        asked = plain.ask()
        assert asked.params == trial.params
        asked.set_user_attr("schedule", trial.user_attrs["schedule"])
        plain.tell(asked, TrialState.COMPLETE, trial.value)


def made_seed(settings):
    from sgdr.search.problem.seeds import sampler_seed

    return sampler_seed(settings.seed, 0, 0)


def test_trials_of_an_earlier_run_are_known_by_choices():
    space = {"base_lr": FloatDistribution(0.1, 0.1, log=True), "T_0": IntDistribution(1, 2)}

    def arm():
        pruner = RestartAwarePruner(budget=4)
        return Arm("restarts", space, brute_force(), pruner, frozenset(), "minimize", 0, 0)

    grid = arm()
    earlier = create_trial(value=1.0, params={"base_lr": 0.1, "T_0": 1}, distributions=space)
    grid.add(earlier)
    assert earlier.distributions == space
    last = grid.ask()
    assert last.params == {"base_lr": 0.1, "T_0": 2}
    with pytest.raises(Exhausted, match="BruteForceSampler has nothing more to try"):
        grid.ask()
    grid.tell(last, TrialState.COMPLETE, 2.0)
    with pytest.raises(Exhausted):
        grid.ask()
