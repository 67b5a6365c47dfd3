"""The search of one arm: what it is asked for, what it is told, and what it knows of an earlier run."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.search.strategy.quasi_random import spread
from sgdr.search.strategy.restart_aware import RestartAwarePruner
from sgdr.search.strategy.samplers import Arm
from sgdr.search.strategy.windowed_trials import BEST, RECENT

SPACE = {"base_lr": FloatDistribution(1e-3, 1.0, log=True), "T_0": IntDistribution(1, 60, log=True)}


class Recording(BaseSampler):
    """Gives each trial a rate of its own, and keeps which trials it has seen finished, and which running."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, dict[str, Any], float | None]]] = []
        self.running: list[list[dict[str, Any]]] = []

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        if name == "T_0":
            return 60
        trials = study.get_trials(deepcopy=False)
        done = [trial for trial in trials if trial.state.is_finished()]
        self.seen.append([(each.state.name, each.params, each.value) for each in done])
        self.running.append([trial.params for trial in trials if trial.state == TrialState.RUNNING][:-1])
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
    return create_trial(state=state, value=value, params=params, distributions=SPACE, user_attrs=attributes)


def with_names(*names: str, arm: str | None = None) -> Any:
    """A trial that searched these, whose schedule is of that kind."""
    span = FloatDistribution(0.0, 9.0)
    stated = {"base_lr": 0.1} if arm is None else {"kind": arm, "base_lr": 0.1}
    return create_trial(
        state=TrialState.PRUNED,
        params=dict.fromkeys(names, 3.0),
        distributions=dict.fromkeys(names, span),
        user_attrs={"schedule": stated},
    )


def test_it_knows_its_own_trials_by_what_was_searched_and_by_the_kind_of_their_schedule():
    assert arm().searches(with_names("T_0", "base_lr"))
    for other in ((), ("base_lr",), ("base_lr", "T_0", "T_mult"), ("base_lr", "T_1")):
        assert not arm().searches(with_names(*other))
    constant, linear = (
        Arm(name, {"base_lr": SPACE["base_lr"]}, RandomSampler(), NopPruner(), frozenset(), "minimize", 0, 0)
        for name in ("constant", "linear")
    )
    assert constant.searches(with_names("base_lr")) and not linear.searches(with_names("base_lr"))
    assert linear.searches(with_names("base_lr", arm="linear"))
    assert not constant.searches(with_names("base_lr", arm="linear"))


@pytest.mark.parametrize("evenly", [0, 9])
def test_parameters_that_are_given_are_asked_again(evenly):
    search = arm(evenly)
    points = [spread(SPACE, index, 5) for index in range(3)]
    assert [search.ask(point).params for point in points] == points


def test_the_first_are_spread_evenly_and_the_sampler_chooses_the_others():
    search = arm(evenly=4, sampler=Recording(), seed=3)
    trials = [search.ask() for _ in range(6)]
    assert [trial.params for trial in trials[:4]] == [spread(SPACE, index, 3) for index in range(4)]
    assert [trial.params["base_lr"] for trial in trials[4:]] == [0.496, 0.495]


def test_given_parameters_take_no_place_among_the_even_ones():
    search = arm(evenly=2, sampler=Recording(), seed=3)
    fixed = {"base_lr": 0.25, "T_0": 7}
    asked = [search.ask(params).params for params in (None, fixed, fixed, None, None)]
    assert asked[0] == spread(SPACE, 0, 3) and asked[3] == spread(SPACE, 1, 3)
    assert asked[1] == asked[2] == fixed and asked[4]["T_0"] == 60


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


def test_the_caller_may_count_the_even_points():
    search = arm(evenly=4, sampler=Recording(), seed=3)
    asked = [search.ask(draw=draw).params for draw in (2, 0, 2, 4, 3, 9)]
    assert [asked[at] for at in (0, 1, 2, 4)] == [spread(SPACE, index, 3) for index in (2, 0, 2, 3)]
    assert asked[3]["base_lr"] == 0.497 and asked[5]["base_lr"] == 0.495
    assert search.ask().params == spread(SPACE, 0, 3), "its own count goes on as before"


def test_given_parameters_are_no_point_whoever_counts():
    fixed = {"base_lr": 0.25, "T_0": 7}
    assert arm(evenly=4).ask(fixed, draw=1).params == fixed


def of_another(
    number: int,
    state: TrialState = TrialState.RUNNING,
    value: float | None = None,
    curve: dict[int, float] | None = None,
    params: dict[str, Any] | None = None,
    **attributes: Any,
) -> FrozenTrial:
    schedule = {"base_lr": 0.25, "T_0": 7, "T_mult": 1, "eta_min": 0.0}
    trial = create_trial(
        state=state,
        value=value,
        params={"base_lr": 0.25, "T_0": 7} if params is None else params,
        distributions=SPACE,
        user_attrs={"schedule": schedule, **attributes},
        intermediate_values=curve or {},
    )
    trial.number = number
    return trial


def test_another_worker_s_trial_is_running_and_then_finished():
    sampler = Recording()
    search = arm(sampler=sampler)
    search.see(of_another(812))
    search.ask()
    assert (sampler.seen[-1], sampler.running[-1]) == ([], [{"base_lr": 0.25, "T_0": 7}])
    search.see(of_another(812, curve={1: 0.5}))
    search.ask()
    assert len(sampler.running[-1]) == 2
    search.see(of_another(812, TrialState.COMPLETE, 0.125, {1: 0.5, 2: 0.25}))
    search.ask()
    assert sampler.seen[-1] == [("COMPLETE", {"base_lr": 0.25, "T_0": 7}, 0.125)]
    assert len(sampler.running[-1]) == 2


@pytest.mark.parametrize("before", [None, TrialState.RUNNING])
@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_it_is_there_once_however_often_it_is_told_of(before, state):
    sampler = Recording()
    search = arm(evenly=0, sampler=sampler)
    for _ in range(2):
        if before is not None:
            search.see(of_another(3, before))
    for _ in range(3):
        search.see(of_another(3, state, 0.125, {1: 0.25}))
    search.ask()
    assert sampler.seen[-1] == [(state.name, {"base_lr": 0.25, "T_0": 7}, 0.125)]
    assert sampler.running[-1] == []


def test_one_that_failed_while_it_was_running_is_seen_no_more():
    sampler = Recording()
    search = arm(sampler=sampler)
    for number in (4, 5):
        search.see(of_another(number))
    for _ in range(2):
        search.see(of_another(4, TrialState.FAIL))
    search.ask()
    assert sampler.seen[-1] == [] and len(sampler.running[-1]) == 1
    search.see(of_another(6, TrialState.FAIL))
    search.ask()
    assert len(sampler.running[-1]) == 2, "one of its own, one of another's"


def test_one_that_waits_is_not_begun():
    search = arm(evenly=1)
    search.see(of_another(4, TrialState.WAITING))
    assert search.ask().params == spread(SPACE, 0, 0)


def test_trials_of_others_take_their_places_among_the_even_points():
    search = arm(evenly=9)
    search.see(of_another(0))
    search.see(of_another(0, TrialState.FAIL))
    search.see(of_another(1, retry_of=0))
    search.see(of_another(2, TrialState.PRUNED, 0.5))
    assert search.ask().params == spread(SPACE, 2, 0)


def judged(search: Arm, curve: dict[int, float]) -> bool:
    """Whether a new trial with these reports is pruned; it has ended then."""
    trial = search.ask()
    trial.set_user_attr("schedule", {"base_lr": 0.1, "T_0": 7, "T_mult": 1, "eta_min": 0.0})
    for epoch, value in curve.items():
        trial.report(value, epoch)
    pruned = trial.should_prune()
    search.tell(trial, TrialState.FAIL, None)
    return pruned


def test_the_pruner_compares_with_the_running_trials_of_others():
    search = arm(pruner=RestartAwarePruner(60))
    search.see(of_another(1))
    search.see(of_another(2))
    curve = {1: 0.5}
    assert not judged(search, curve)
    for number, value in ((1, 0.4), (2, 0.3)):
        search.see(of_another(number, curve={1: value}))
    assert judged(search, curve)
    search.see(of_another(1, TrialState.FAIL))
    search.see(of_another(2, TrialState.FAIL))
    assert not judged(search, curve)


def test_the_pruner_judges_by_all_that_a_finished_trial_tells():
    search = arm(pruner=RestartAwarePruner(60))
    own = dict.fromkeys(range(1, 16), 0.5)
    for number in (1, 2):
        search.see(of_another(number, curve={1: 0.6, 15: 0.6}))
    assert not judged(search, own)
    dip = {epoch: 0.3 if epoch in (6, 7, 8) else 0.6 for epoch in range(1, 16)}
    for number in (1, 2):
        search.see(of_another(number, TrialState.PRUNED, 0.6, dip))
    assert judged(search, own)


def tpe(seed: int = 0) -> TPESampler:
    return TPESampler(seed=seed, n_startup_trials=64, multivariate=True, constant_liar=True)


def test_tpe_keeps_away_from_running_trials_whoever_trains_them():
    def chosen(begin: Callable[[Arm, int], object]) -> dict[str, Any]:
        search = filled(tpe(), 80)
        for number in range(20):
            begin(search, number)
        return search.ask().params

    alone = chosen(lambda search, number: None)
    own = chosen(lambda search, number: search.ask(alone))
    seen = chosen(lambda search, number: search.see(of_another(9000 + number, params=alone)))
    assert seen == own != alone


def filled(sampler: BaseSampler, trials: int, evenly: int = 64, pruner: BasePruner | None = None) -> Arm:
    """An arm that knows so many trials, the first of them the best."""
    search = arm(evenly, sampler, pruner)
    for index in range(trials):
        state = TrialState.PRUNED if index % 3 else TrialState.COMPLETE
        search.add(of_another(index, state, 0.1 + index / 1e5, {1: 0.5}, spread(SPACE, index, 0)))
    return search


@pytest.mark.parametrize("sampler", [tpe(), RandomSampler(seed=0)], ids=["tpe", "random"])
def test_what_a_named_sampler_looks_at_does_not_grow(sampler):
    search = filled(sampler, 3 * RECENT)
    looked_at = search.study.get_trials(deepcopy=False)
    assert len(looked_at) == RECENT + BEST
    assert [trial.number for trial in looked_at[:BEST]] == list(range(0, 3 * BEST, 3))


@pytest.mark.parametrize(
    "sampler",
    [Recording(), TPESampler(seed=0), CmaEsSampler(seed=0), GridSampler({"base_lr": [0.1], "T_0": [1, 2]})],
    ids=lambda sampler: type(sampler).__name__,
)
def test_a_sampler_of_the_user_s_own_sees_all(sampler):
    search = filled(sampler, RECENT + 100, evenly=0)
    assert len(search.study.get_trials(deepcopy=False)) == RECENT + 100


class Own(MedianPruner):
    """Somebody's."""


def test_a_pruner_of_the_user_s_own_sees_all():
    for pruner, shown in ((Own(), RECENT + 100), (MedianPruner(), RECENT + BEST)):
        search = filled(RandomSampler(seed=0), RECENT + 100, pruner=pruner)
        assert len(search.study.get_trials(deepcopy=False)) == shown


def test_no_point_of_a_grid_is_visited_twice_after_many_trials():
    rates = [0.1, 0.2, 0.3, 0.4, 0.5]
    search = arm(sampler=GridSampler({"base_lr": rates, "T_0": [7]}, seed=0))
    visited = set()
    for _ in range(4):
        trial = search.ask()
        visited.add(trial.params["base_lr"])
        search.tell(trial, TrialState.PRUNED, None)
        for index in range(RECENT // 2):
            search.add(of_another(index, TrialState.PRUNED, 0.5))
    assert len(visited) == 4


def test_a_trial_outlives_the_forgetting_of_those_begun_with_it():
    search = arm(evenly=1, sampler=RandomSampler(seed=0), pruner=RestartAwarePruner(60))
    trial = search.ask()
    trial.set_user_attr("schedule", {"base_lr": 0.1, "T_0": 7, "T_mult": 1, "eta_min": 0.0})
    trial.report(0.5, 1)
    assert not trial.should_prune()
    for index in range(RECENT + 100):
        search.add(of_another(index, TrialState.PRUNED, 0.4, {1: 0.4}))
    trial.report(0.5, 2)
    assert not trial.should_prune(), "it was judged at its rung before"
    assert search.notes(trial)["fixed_params"] == trial.params
    search.tell(trial, TrialState.COMPLETE, 0.25)
    assert judged(search, {1: 0.5})


def test_the_same_seed_gives_the_same_trials_after_any_number():
    drawn = []
    for _ in range(2):
        search = filled(tpe(), RECENT + 50, pruner=RestartAwarePruner(60))
        trials = [search.ask() for _ in range(4)]
        for index in range(12):
            trial = trials.pop(0)
            drawn.append(trial.params)
            search.tell(trial, TrialState.COMPLETE, 0.2 + index / 100)
            trials.append(search.ask())
    assert drawn[:12] == drawn[12:]


def test_the_study_of_an_arm_is_not_announced(capfd):
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        Arm("cosine", {}, RandomSampler(), NopPruner(), frozenset(), "minimize", evenly=0, seed=0)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(verbosity)
    assert capfd.readouterr() == ("", "")
