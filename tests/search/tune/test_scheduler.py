"""The scheduler's verdicts are the pruner's, on whatever curves; and what Tune asks of a scheduler."""

import math
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from sgdr import search
from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.problem.space import Space
from sgdr.search.strategy.restart_aware import rungs

BUDGET = 40
CONFIG = {"base_lr": 0.5, "T_0": 7, "T_mult": 2, "eta_ratio": 0.1}


def scheduler(budget: int = BUDGET, **options: Any) -> Any:
    restart_aware = search.RestartAwareScheduler(budget, **{"metric": "error", "mode": "min", **options})
    assert restart_aware.set_search_properties(None, None)
    return restart_aware


def trial(config: dict[str, Any]) -> Trial:
    return Trial("tiny", stub=True, config=config)


def added(to: Any, config: dict[str, Any]) -> Trial:
    created = trial(config)
    to.on_trial_add(None, created)
    return created


def stops(asked: Any, of: Trial, epoch: int, value: float, **more: Any) -> bool:
    result = {"training_iteration": epoch, "error": value, **more}
    return bool(asked.on_trial_result(None, of, result) == TrialScheduler.STOP)


def random_trials(random: np.random.Generator, count: int, budget: int) -> list[tuple[dict[str, Any], Any]]:
    """Configs and noisy curves, some of which diverge."""
    trials = []
    for _ in range(count):
        config = {
            "base_lr": float(np.exp(random.uniform(-7, 0))),
            "T_0": int(random.integers(1, budget + 1)),
            "T_mult": int(random.integers(1, 4)),
            "eta_ratio": float(random.choice([0.0, 0.05, 1.0])),
        }
        curve = random.normal(0.5 / np.sqrt(np.arange(1, budget + 1)), 0.1) + random.normal(0, 0.1)
        if random.random() < 0.15:
            curve[int(random.integers(budget)) :] = random.choice([math.nan, math.inf])
        trials.append((config, curve))
    return trials


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("mode", "direction"), [("min", "minimize"), ("max", "maximize")])
@pytest.mark.parametrize(("budget", "factor", "every"), [(40, 3, 1), (40, 2, 3), (200, 4, 7), (1, 3, 1)])
def test_verdicts_are_the_pruners(
    objective: str, mode: str, direction: str, budget: int, factor: int, every: int
) -> None:
    random = np.random.default_rng([budget, factor, every, OBJECTIVES.index(objective)])
    pruner = search.RestartAwarePruner(budget, objective, factor)
    study = optuna.create_study(direction=direction, pruner=pruner)
    asked = scheduler(budget, mode=mode, objective=objective, reduction_factor=factor)
    verdicts = []
    waiting = random_trials(random, 60, budget)
    running: list[list[Any]] = []
    while waiting or running:
        while waiting and len(running) < 7:  # side by side, at different epochs
            config, curve = waiting.pop()
            theirs = study.ask()
            schedule, _ = Space().schedule(config, budget)
            theirs.set_user_attr("schedule", schedule.to_dict())
            running.append([theirs, added(asked, config), curve, 0])
        place = int(random.integers(len(running)))
        theirs, ours, curve, epoch = running[place]
        epoch = running[place][3] = min(epoch + every, budget)
        value = float(curve[epoch - 1])
        theirs.report(value, epoch)
        prune = theirs.should_prune()
        stop = stops(asked, ours, epoch, value)
        assert stop == (prune or epoch == budget)
        if stop:
            verdicts.append(prune)
            study.tell(theirs, None if prune else value, TrialState.PRUNED if prune else TrialState.COMPLETE)
            asked.on_trial_complete(None, ours, {"training_iteration": epoch, "error": value})
            del running[place]
        elif random.random() < 0.01:  # some fail, and nobody is compared with them
            study.tell(theirs, state=TrialState.FAIL)
            asked.on_trial_error(None, ours)
            del running[place]
    assert budget == 1 or 5 < sum(verdicts) < len(verdicts)


def test_a_trial_that_ends_by_itself_is_compared_with_as_well() -> None:
    asked = scheduler(reduction_factor=2)
    last = rungs(BUDGET)[-1]
    for _ in range(2):
        good = added(asked, CONFIG)
        for epoch in range(1, last):
            stops(asked, good, epoch, 0.1)
        asked.on_trial_complete(None, good, {"training_iteration": last, "error": 0.1, "done": True})
    assert len(asked._places[last]) == 2
    bad = added(asked, CONFIG)
    stopped = [
        epoch for epoch in range(1, BUDGET) if stops(asked, bad, epoch, 0.1 if epoch < last - 3 else 0.2)
    ]
    assert last not in stopped  # the best three epochs were as good as theirs
    worse = added(asked, CONFIG)
    assert stops(asked, worse, last, 0.2)


def test_a_trial_that_begins_again_is_not_judged_twice() -> None:
    asked = scheduler()
    first, second, _ = rungs(BUDGET)
    for value in (0.3, 0.2, 0.1):
        assert not stops(asked, added(asked, CONFIG), first, value) or value > 0.1
    again = added(asked, CONFIG)
    assert not stops(asked, again, first, 0.05)
    asked.on_trial_error(None, again)
    asked.on_trial_add(None, again)
    for epoch in range(1, second):
        assert not stops(asked, again, epoch, 0.9)
    assert len(asked._places[first]) == 4


def test_the_length_of_a_closed_schedule_is_known() -> None:
    asked = scheduler()
    closed = trial({"base_lr": 0.5, "cycles": 3, "T_mult": 2, "eta_ratio": 0.1})
    assert asked._schedule(closed, {}).T_0 == BUDGET // 7
    assert asked._schedule(closed, {"T_0": 4}).T_0 == 4  # what it came to in a space of shorter cycles
    assert asked._schedule(trial({"T_0": 7}), {"T_0": 4}).T_0 == 7
    assert asked._schedule(trial({"T_0": 7}), {}).T_mult == 1


def test_it_is_pickled_saved_and_restored_with_what_it_knows(tmp_path: Path) -> None:
    asked = scheduler()
    first = rungs(BUDGET)[0]
    for value in (0.1, 0.2, 0.3):
        stops(asked, added(asked, CONFIG), first, value)
    copied = cloudpickle.loads(cloudpickle.dumps(asked))
    asked.save(str(tmp_path / "scheduler"))
    restored = search.RestartAwareScheduler(BUDGET, metric="error", mode="min")
    restored.restore(str(tmp_path / "scheduler"))
    for one in (copied, restored):
        assert one.debug_string() == asked.debug_string()
        assert stops(one, added(one, CONFIG), first, 0.4)
    assert f"num_stopped=2, trials by epoch: 3 at {first}" in asked.debug_string()


def test_metric_and_mode_are_tunes_unless_they_are_given() -> None:
    restart_aware = search.RestartAwareScheduler(BUDGET)
    assert (
        restart_aware.set_search_properties("error", "max", trainable="tiny")
        and restart_aware.metric == "error"
    )
    own = search.RestartAwareScheduler(BUDGET, metric="loss")
    assert own.set_search_properties("objective", "min") and own.metric == "loss"
    anonymous = search.RestartAwareScheduler(BUDGET)
    assert anonymous.set_search_properties(None, "min") and anonymous.metric == "_metric"
    chosen = search.RestartAwareScheduler(BUDGET, metric="objective", mode="min")
    assert chosen.set_search_properties("objective", "min") and chosen.metric == "objective"
    with pytest.raises(ValueError, match=r"metric='objective' is the best so far, .* metric=\.\.\.\)"):
        search.RestartAwareScheduler(BUDGET).set_search_properties("objective", "min")
    with pytest.raises(ValueError, match=r"metric='error', mode=None: give both to tune\.TuneConfig"):
        search.RestartAwareScheduler(BUDGET, metric="error").on_trial_add(None, trial(CONFIG))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"lr": 0.1}, r"has no T_0 in its config \['lr'\]; add T_0 \(and T_mult\)"),
        ({"T_0": 0}, "T_0"),
        ({"T_0": 7, "cycles": 2}, "and not both"),
        ({"T_0": 7, "T_mult": 0}, "T_mult"),
        ({"T_0": 7, "eta_ratio": -1}, r"eta_ratio=-1\.0 must not be below 0"),
    ],
)
def test_a_trial_without_its_first_cycle_is_refused_before_it_trains(
    config: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        added(scheduler(), config)


def test_a_result_without_epoch_or_metric_is_refused() -> None:
    asked = scheduler(time_attr="epoch")
    one = added(asked, CONFIG)
    with pytest.raises(ValueError, match=r"has no 'epoch', but \['error', 'training_iteration'\]"):
        stops(asked, one, 1, 0.5)
    with pytest.raises(ValueError, match=r"has no 'error', but \['epoch'\]"):
        asked.on_trial_result(None, one, {"epoch": 1})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"budget": 0}, "budget=0 must be a whole number of at least 1"),
        ({"budget": 9, "reduction_factor": 1}, "reduction_factor=1 must be a whole number of at least 2"),
        (
            {"budget": 9, "objective": "best"},
            "objective='best' must be one of best-epoch, best-trough, final, anytime, ensemble",
        ),
        ({"budget": 9, "mode": "minimize"}, "mode='minimize' must be 'min' or 'max'"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search.RestartAwareScheduler(**arguments)


def test_an_optuna_study_of_the_same_trials_by_parameters_alone_agrees() -> None:
    """Where the floor of the rates is 0, as the pruner takes it to be in anybody's study."""
    study = optuna.create_study(pruner=search.RestartAwarePruner(BUDGET))
    asked = scheduler()
    random = np.random.default_rng(5)
    space = {"T_0": IntDistribution(1, BUDGET, log=True), "base_lr": FloatDistribution(1e-3, 1.0, log=True)}
    stopped = []
    for _ in range(30):
        theirs = study.ask(space)
        ours = added(asked, theirs.params)
        for epoch, value in enumerate(random.normal(0.5, 0.1, BUDGET - 1), 1):
            theirs.report(float(value), epoch)
            stopped.append(theirs.should_prune())
            assert stops(asked, ours, epoch, float(value)) == stopped[-1]
            if stopped[-1]:
                break
    assert 5 < sum(stopped) < 30


def test_rungs_are_counted_from_the_end_of_a_warm_up() -> None:
    asked, first = scheduler(), rungs(BUDGET)[0]
    others = [added(asked, CONFIG) for _ in range(3)]
    assert not any(stops(asked, other, first, 0.1) for other in others)
    warm = added(asked, {**CONFIG, "warmup": 4})
    assert not any(stops(asked, warm, epoch, 9.0) for epoch in range(1, first + 4))
    assert stops(asked, warm, first + 4, 9.0)
