"""The search of one arm: what it is asked for, what it is told, and what it knows of an earlier run."""

from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler
from optuna.trial import TrialState

from sgdr.search.sampling import Arm
from sgdr.search.spread import spread

SPACE = {"base_lr": FloatDistribution(1e-3, 1.0, log=True), "T_0": IntDistribution(1, 60, log=True)}


class Recording(BaseSampler):
    """Gives each trial a rate of its own, and keeps which trials it has seen finished."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, dict[str, Any], float | None]]] = []

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        if name == "T_0":
            return 60
        done = [each for each in study.get_trials(deepcopy=False) if each.state.is_finished()]
        self.seen.append([(each.state.name, each.params, each.value) for each in done])
        return 0.5 - trial.number / 1000


def arm(
    evenly: int = 0,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
    seed: int = 0,
    direction: str = "minimize",
) -> Arm:
    sampler = RandomSampler(seed=1) if sampler is None else sampler
    return Arm("restarts", SPACE, sampler, pruner or NopPruner(), frozenset(), direction, evenly, seed)


def of_earlier(state: TrialState, value: float | None = None, **attributes: Any) -> Any:
    params = {"base_lr": 0.25, "T_0": 7}
    return optuna.trial.create_trial(
        state=state, value=value, params=params, distributions=SPACE, user_attrs=attributes
    )


def test_it_knows_its_own_parameters_by_their_names():
    assert arm().searches({"T_0": 3, "base_lr": 0.1})
    for other in ({}, {"base_lr": 0.1}, {"base_lr": 0.1, "T_0": 3, "T_mult": 1}, {"base_lr": 0.1, "T_1": 3}):
        assert not arm().searches(other)


@pytest.mark.parametrize("evenly", [0, 9])
def test_parameters_that_are_given_are_asked_again(evenly):
    search = arm(evenly)
    points = [spread(SPACE, index, 5) for index in range(3)]
    assert [search.ask(point).params for point in points] == points
    assert search.begun == 3


def test_the_first_are_spread_evenly_and_the_sampler_chooses_the_others():
    search = arm(evenly=4, sampler=Recording(), seed=3)
    trials = [search.ask() for _ in range(6)]
    assert [trial.params for trial in trials[:4]] == [spread(SPACE, index, 3) for index in range(4)]
    assert [trial.params["base_lr"] for trial in trials[4:]] == [0.496, 0.495]


def test_given_parameters_take_no_place_among_the_even_ones():
    search = arm(evenly=2, sampler=Recording(), seed=3)
    given = {"base_lr": 0.25, "T_0": 7}
    found = [search.ask(params).params for params in (None, given, given, None, None)]
    assert found[0] == spread(SPACE, 0, 3) and found[3] == spread(SPACE, 1, 3)
    assert found[1] == found[2] == given and found[4]["T_0"] == 60


def test_the_sampler_is_told_how_trials_ended():
    sampler = Recording()
    search = arm(sampler=sampler)
    complete, pruned, failed = (search.ask() for _ in range(3))
    pruned.report(0.75, 4)
    search.tell(complete, TrialState.COMPLETE, 0.125)
    search.tell(pruned, TrialState.PRUNED, None)
    search.tell(failed, TrialState.FAIL, None)
    search.ask()
    assert sampler.seen[-1] == [
        ("COMPLETE", complete.params, 0.125),
        ("PRUNED", pruned.params, 0.75),
        ("FAIL", failed.params, None),
    ]


def test_the_sampler_knows_the_trials_of_an_earlier_run():
    sampler = Recording()
    search = arm(sampler=sampler)
    search.add(of_earlier(TrialState.COMPLETE, 0.5))
    search.ask()
    assert sampler.seen[-1] == [("COMPLETE", {"base_lr": 0.25, "T_0": 7}, 0.5)]


def test_the_pruner_knows_them_too():
    search = arm(pruner=MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    earlier = of_earlier(TrialState.COMPLETE, 0.5)
    earlier.intermediate_values = {1: 0.5, 2: 0.5}
    search.add(earlier)
    worse, better = search.ask(), search.ask()
    for trial, value in ((worse, 0.6), (better, 0.4)):
        trial.report(value, 1)
    assert worse.should_prune() and not better.should_prune()


def test_failed_trials_do_not_count():
    search = arm()
    trials = [search.ask() for _ in range(4)]
    assert search.begun == 4
    for trial, state in zip(trials, (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL), strict=False):
        search.tell(trial, state, 1.0 if state == TrialState.COMPLETE else None)
    assert search.begun == 3
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        search.add(of_earlier(state, 1.0 if state == TrialState.COMPLETE else None))
    assert search.begun == 5


def test_after_a_failure_no_even_point_is_asked_for_twice():
    search = arm(evenly=6)
    trials = [search.ask() for _ in range(3)]
    search.tell(trials[0], TrialState.FAIL, None)
    trials += [search.ask() for _ in range(3)]
    assert [trial.params for trial in trials] == [spread(SPACE, index, 0) for index in range(6)]


def test_a_later_run_goes_on_after_the_even_points_of_the_earlier():
    search = arm(evenly=6)
    search.add(of_earlier(TrialState.COMPLETE, 0.5))
    search.add(of_earlier(TrialState.FAIL))  # cut off,
    search.add(of_earlier(TrialState.PRUNED, retry_of=1))  # and trained again
    search.add(of_earlier(TrialState.FAIL, error="oops"))
    assert search.begun == 2
    assert search.ask().params == spread(SPACE, 3, 0)


def test_what_a_sampler_has_noted_of_a_trial_can_be_kept():
    search = arm(sampler=GridSampler({"base_lr": [0.1], "T_0": [1, 2, 3]}, seed=0))
    assert {search.notes(search.ask())["grid_id"] for _ in range(2)} <= {0, 1, 2}


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_its_pruner_minimises_or_maximises(direction):
    search = arm(pruner=MedianPruner(n_startup_trials=1, n_warmup_steps=0), direction=direction)
    first = search.ask()
    first.report(0.5, 1)
    search.tell(first, TrialState.COMPLETE, 0.5)
    higher = search.ask()
    higher.report(0.6, 1)
    assert higher.should_prune() == (direction == "minimize")
