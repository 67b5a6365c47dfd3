"""The restart-aware rule on curves made by hand, and the pruner over it in studies of Optuna alone."""

import itertools
import math
import pickle

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from sgdr import WarmRestarts, Warmup, relatives, search
from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.strategy.restart_aware import (
    RestartAwarePruner,
    bounded,
    credited,
    keeps,
    rungs,
    standing,
    to_fall,
)

BUDGET = 40
FIRST, SECOND, THIRD = 1, 10, 20
"""The rungs of that budget."""
PRUNED_BY = tuple(objective for objective in OBJECTIVES if objective != "ensemble")
"""The objectives under which trials are compared on the way."""

values_ = st.floats(-100, 100).map(lambda value: round(value, 3))
lengths = st.one_of(st.integers(1, 50), st.floats(0.5, 50))
factors = st.sampled_from([1, 2, 3, 1.5])


def cyclic(schedule, best, last=BUDGET, spike=0.5):
    """Losses by epoch that sink to `best` towards the end of the budget, and jump up at every restart."""
    losses = {}
    for epoch in range(1, last + 1):
        cycle = schedule.cycle(epoch)
        high = spike * (1 - cycle.position / cycle.length) * (cycle.index > 0 and cycle.position > 0)
        losses[epoch] = best + 0.3 * math.exp(-epoch / 4) + high
    return losses


def flat(value, last=BUDGET):
    return dict.fromkeys(range(1, last + 1), value)


def decide(curves, budget, objective="best-epoch", direction="minimize", factor=3, **how):
    """Which of trials (T_0, T_mult, values by epoch) are kept to the end, in lockstep, in a study."""
    pruner = RestartAwarePruner(budget, objective, factor)
    study = optuna.create_study(direction=direction, pruner=pruner, **how)
    trials = [study.ask({}) for _ in curves]
    for trial, (T_0, T_mult, _) in zip(trials, curves, strict=True):
        trial.set_user_attr("schedule", {"T_0": T_0, "T_mult": T_mult})
    running = dict(enumerate(trials))
    for epoch in range(1, budget + 1):
        for number, trial in running.items():
            if epoch in curves[number][2]:
                trial.report(curves[number][2][epoch], epoch)
        pruned = [number for number, trial in running.items() if trial.should_prune()]
        for number in pruned:
            study.tell(running.pop(number), state=TrialState.PRUNED)
    return sorted(running)


# The rule


@settings(deadline=None)
@given(st.integers(1, 10**7))
def test_rungs_of_every_budget_rise_and_lie_below_it(budget):
    epochs = rungs(budget)
    assert all(1 <= rung < budget for rung in epochs)
    assert all(before < after for before, after in itertools.pairwise(epochs))
    assert len(epochs) <= 3 and bool(epochs) is (budget > 1)


def test_rungs_are_an_eightieth_a_quarter_and_a_half():
    assert rungs(BUDGET) == (FIRST, SECOND, THIRD) and rungs(800) == (10, 200, 400)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("after", [1, 2])
def test_the_spike_after_a_restart_does_not_make_a_good_trial_look_bad(objective, after):
    schedule = WarmRestarts(1.0, SECOND - after, 3)  # the restart is just before the rung
    good = cyclic(schedule, best=0.1)
    assert good[SECOND] > 0.4 > min(good[epoch] for epoch in range(1, SECOND))
    assert standing(good, schedule, SECOND, objective) < standing(flat(0.4), schedule, SECOND, objective)


def test_one_lucky_epoch_is_worth_a_third_of_itself():
    losses = flat(0.6) | {7: 0.0}
    assert standing(losses, WarmRestarts(1.0, 40), SECOND, "best-epoch") == pytest.approx(0.4)


def test_best_epoch_is_the_lowest_mean_of_three_epochs_so_far():
    losses = dict(enumerate([0.9, 0.6, 0.3, 0.3, 0.3, 0.8, 0.1], 1))
    schedule = WarmRestarts(1.0, 40)
    assert standing(losses, schedule, 2, "best-epoch") == pytest.approx(0.75)
    assert standing(losses, schedule, 7, "best-epoch") == pytest.approx(0.3)


def test_best_trough_sees_the_ends_of_cycles_alone_and_now_before_the_first():
    losses = flat(0.5) | {1: 0.1, 2: 0.1, 3: 0.1} | {6: 0.3, 7: 0.3, 8: 0.3}
    schedule = WarmRestarts(1.0, 8)
    assert standing(losses, schedule, 5, "best-trough") == pytest.approx((0.1 + 0.5 + 0.5) / 3)
    assert standing(losses, schedule, 10, "best-trough") == pytest.approx(0.3)


def test_final_is_now_in_the_lower_half_of_the_rates_and_else_the_last_trough():
    losses = {epoch: 1 / epoch for epoch in range(1, 21)}
    schedule = WarmRestarts(1.0, 8)
    assert standing(losses, schedule, 8, "final") == pytest.approx((1 / 6 + 1 / 7 + 1 / 8) / 3)
    assert standing(losses, schedule, 11, "final") == standing(losses, schedule, 8, "final")
    assert standing(losses, schedule, 12, "final") == pytest.approx((1 / 10 + 1 / 11 + 1 / 12) / 3)


def test_anytime_is_the_mean_of_what_best_epoch_has_at_every_stopping_budget():
    losses = {epoch: 1 / epoch for epoch in range(1, 21)}
    schedule = WarmRestarts(1.0, 8)
    stops = [standing(losses, schedule, stop, "best-epoch") for stop in (12, 6, 3, 2, 1)]
    assert standing(losses, schedule, 12, "anytime") == pytest.approx(sum(stops) / 5)
    assert standing({4: 0.5, 12: 0.3}, schedule, 12, "anytime") == pytest.approx((0.3 + 4 * 0.5) / 5)


def test_of_an_ensemble_nothing_ends_but_what_is_not_finite():
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET, "ensemble"))
    trials = [study.ask({}) for _ in range(6)]
    for worth, trial in enumerate(trials):
        trial.set_user_attr("schedule", {"T_0": 7})
        for epoch in range(1, BUDGET):
            trial.report(math.nan if worth == 5 else worth, epoch)
    assert [trial.should_prune() for trial in trials] == [False] * 5 + [True]


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(1, 60), values_, min_size=1),
    lengths,
    factors,
    st.sampled_from(OBJECTIVES),
)
def test_a_trial_with_finite_values_always_has_a_finite_standing(losses, T_0, T_mult, objective):
    worth = standing(losses, WarmRestarts(1.0, T_0, T_mult), max(losses), objective)
    assert min(losses.values()) - 1e-9 <= worth <= max(losses.values()) + 1e-9


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_standing_of_a_trial_that_is_not_finite_now_is_the_worst(objective, bad):
    assert standing(flat(0.1) | {SECOND: bad}, WarmRestarts(1.0, 5), SECOND, objective) == math.inf


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_later_epochs_are_not_looked_at(objective):
    schedule = WarmRestarts(1.0, 5)
    assert standing(flat(0.5) | {11: 0.0}, schedule, SECOND, objective) == pytest.approx(0.5)


def test_one_in_the_reduction_factor_goes_on():
    standings = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert [keeps(own, standings, 3) for own in standings] == [True, True, False, False, False, False]
    assert [keeps(own, standings, 2) for own in standings] == [True, True, True, False, False, False]


@settings(deadline=None)
@given(st.lists(values_, min_size=1, max_size=30), st.integers(2, 5))
def test_the_best_and_its_equals_always_go_on(standings, factor):
    assert keeps(min(standings), standings, factor)


def test_equals_go_on_together_or_not_at_all():
    assert all(keeps(0.3, [0.3] * 9, 3) for _ in range(9))
    standings = [0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    assert keeps(0.1, standings, 3) and not keeps(0.3, standings, 3)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_of_fewer_trials_than_the_reduction_factor_the_best_goes_on(factor):
    standings = [float(worth) for worth in range(factor - 1)]
    assert [keeps(own, standings, factor) for own in standings] == [own == 0.0 for own in standings]


@settings(deadline=None)
@given(
    st.lists(values_, min_size=1, max_size=20),
    st.lists(st.just(math.inf), max_size=20),
    st.integers(2, 5),
)
def test_others_that_are_not_finite_never_end_a_trial_that_would_go_on_without_them(finite, broken, factor):
    for own in finite:
        assert not keeps(own, finite, factor) or keeps(own, finite + broken, factor)


# The pruner, in lockstep


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_restart_at_a_rung_does_not_end_the_best_trial(objective):
    schedules = [WarmRestarts(1.0, SECOND - 1, 3)] + [WarmRestarts(1.0, BUDGET)] * 8
    curves = [cyclic(schedules[0], best=0.1)] + [cyclic(schedules[1], best=0.2 + k / 100) for k in range(8)]
    assert max(range(9), key=lambda trial: curves[trial][SECOND]) == 0  # at the rung it looks the worst
    trials = [(s.T_0, s.T_mult, curve) for s, curve in zip(schedules, curves, strict=True)]
    assert 0 in decide(trials, BUDGET, objective)


@pytest.mark.parametrize("objective", PRUNED_BY)
def test_a_truly_bad_trial_ends_at_its_first_rung(objective):
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET, objective))
    trials = [study.ask({}) for _ in range(6)]
    for worth, trial in enumerate(trials):
        trial.set_user_attr("schedule", {"T_0": 7})
        trial.report(0.9 if worth == 5 else 0.2 + worth / 100, FIRST)
    assert [trial.should_prune() for trial in trials] == [False, False, True, True, True, True]


def test_a_lucky_epoch_does_not_carry_a_bad_trial():
    trials = [(BUDGET, 1, flat(0.3 + k / 100) | {FIRST: 0.9}) for k in range(6)]
    lucky = flat(0.6) | {FIRST: 0.9, 7: 0.2}  # the best epoch of all
    assert decide([*trials, (BUDGET, 1, lucky)], BUDGET) == [0]
    good = lucky | {6: 0.2, 8: 0.2}  # not by luck
    assert decide([*trials, (BUDGET, 1, good)], BUDGET) == [6]


def test_equal_trials_all_go_to_the_end():
    assert decide([(4, 2, flat(0.5))] * 9, BUDGET) == list(range(9))


def test_one_trial_alone_goes_to_the_end_however_bad_and_of_two_the_better():
    assert decide([(4, 2, flat(50.0))], BUDGET) == [0]
    assert decide([(4, 2, flat(50.0)), (4, 2, flat(0.5))], BUDGET) == [1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_broken_values_of_others_end_nothing_but_themselves(bad, direction):
    broken = [(4, 2, flat(0.5) | {epoch: bad}) for epoch in (FIRST, SECOND, THIRD)]
    fine = [(4, 2, flat(0.5))] * 4
    assert decide([*broken, *fine], BUDGET, direction=direction) == [3, 4, 5, 6]


def test_others_that_reported_nothing_or_too_little_end_nothing():
    mine = (4, 2, flat(0.5) | {FIRST: 0.1})
    assert decide([(4, 2, {}), (4, 2, flat(0.1, last=SECOND - 1)), mine], BUDGET) == [0, 1, 2]


def test_a_value_that_is_not_a_number_ends_its_own_trial():
    """Between rungs too, and when the trial is alone."""
    assert decide([(4, 2, flat(0.5) | {SECOND + 3: math.nan})], BUDGET) == []


@settings(deadline=None, max_examples=50)
@given(
    st.integers(2, 25).flatmap(
        lambda budget: st.tuples(
            st.just(budget),
            st.lists(
                st.tuples(
                    lengths, factors, st.dictionaries(st.integers(1, budget), values_, min_size=budget // 2)
                ),
                min_size=3,
                max_size=8,
            ),
        )
    ),
    st.sampled_from(OBJECTIVES),
    st.sampled_from([2, 3]),
)
def test_maximizing_the_negated_values_decides_the_same(drawn, objective, factor):
    budget, curves = drawn
    negated = [(T_0, T_mult, {e: -value for e, value in curve.items()}) for T_0, T_mult, curve in curves]
    verdicts = decide(curves, budget, objective, "minimize", factor)
    assert verdicts == decide(negated, budget, objective, "maximize", factor)
    assert verdicts  # somebody goes on


def worth(T_0):
    """The loss of a schedule in what follows: T_0 = 8 is the best."""
    return 0.1 + 0.05 * abs(math.log2(T_0 / 8))


def objective(trial, every=1, asked=1, direction=1.0):
    """A user's own, with nothing but T_0 and T_mult among its parameters."""
    T_0 = trial.suggest_int("T_0", 1, BUDGET, log=True)
    T_mult = trial.suggest_categorical("T_mult", [1, 2])
    losses = cyclic(WarmRestarts(1.0, T_0, T_mult), worth(T_0))
    for epoch in range(1, BUDGET + 1):
        if epoch % every == 0:
            trial.report(direction * losses[epoch], epoch)
        if epoch % asked == 0 and trial.should_prune():
            raise optuna.TrialPruned
    return direction * min(losses.values())


def states(study):
    return {
        state: len(study.get_trials(states=[state])) for state in (TrialState.COMPLETE, TrialState.PRUNED)
    }


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_in_plain_optuna_bad_trials_are_pruned_and_the_best_is_not(direction, jobs):
    sampler = optuna.samplers.RandomSampler(seed=3)
    study = optuna.create_study(
        direction=direction, sampler=sampler, pruner=search.RestartAwarePruner(BUDGET)
    )
    sign = 1.0 if direction == "minimize" else -1.0
    for _ in range(jobs):  # at first each is compared with its like alone, whoever of them is faster
        study.enqueue_trial({"T_0": 20, "T_mult": 1})
    study.optimize(lambda trial: objective(trial, direction=sign), n_trials=40, n_jobs=jobs)
    counts = states(study)
    assert counts[TrialState.COMPLETE] + counts[TrialState.PRUNED] == 40
    assert counts[TrialState.COMPLETE] >= 2 and counts[TrialState.PRUNED] >= 20
    best = min(worth(trial.params["T_0"]) for trial in study.trials)
    # With two at a time, chance decides which trials there is to compare with.
    assert worth(study.best_params["T_0"]) == pytest.approx(best, abs=0.06 if jobs == 1 else 0.15)


@pytest.mark.parametrize(("every", "asked"), [(5, 1), (5, 5), (1, 5), (7, 3)])
@pytest.mark.parametrize("kind", PRUNED_BY)
def test_values_and_questions_now_and_then_are_enough(every, asked, kind):
    sampler = optuna.samplers.RandomSampler(seed=3)
    study = optuna.create_study(sampler=sampler, pruner=RestartAwarePruner(BUDGET, kind))
    study.optimize(lambda trial: objective(trial, every, asked), n_trials=30)
    assert all(trial.intermediate_values for trial in study.trials)
    counts = states(study)
    assert counts[TrialState.COMPLETE] >= 2 and counts[TrialState.PRUNED] >= 10
    best = min(worth(trial.params["T_0"]) for trial in study.trials)
    assert worth(study.best_params["T_0"]) == pytest.approx(best, abs=0.06)


@pytest.mark.parametrize(
    ("schedule", "epoch", "fall"),
    [
        (WarmRestarts(1.0, 20), 10, 0.5),
        (WarmRestarts(1.0, 20), 20, 0.0),
        (
            WarmRestarts(1.0, 20),
            21,
            0.0,
        ),  # the peak after a restart: the trough before tells what it is worth
        (WarmRestarts(1.0, 20, 1, 0.5), 10, 0.25),
        (WarmRestarts(0.3, 20, 1, 0.3), 10, 0.0),
        (WarmRestarts(1.0, 10**9), 1, 1.0),
    ],
)
def test_a_rate_has_to_fall_until_its_first_trough(schedule, epoch, fall):
    assert to_fall(schedule, epoch) == pytest.approx(fall)


def test_credit_is_in_proportion_to_the_fall_and_to_how_much_trials_differ():
    standings = [0.1, 0.2, 0.3, 0.4, 0.5]  # their quartiles are 0.2 apart
    assert credited(standings, [0, 0, 0, 0.5, 1]) == pytest.approx([0.1, 0.2, 0.3, 0.2, 0.1])
    assert credited([0.3, 0.3, math.inf], [0, 1, 1]) == [0.3, 0.3, math.inf]
    assert credited([], []) == []


def in_order(values, direction="minimize"):
    """Which of trials of one schedule, the next asked when the one before is over, pass the first rung."""
    study = optuna.create_study(direction=direction, pruner=RestartAwarePruner(BUDGET))
    passed = []
    for value in values:
        trial = study.ask()
        trial.set_user_attr("schedule", {"T_0": BUDGET})
        for epoch in range(FIRST, 4):
            trial.report(value, epoch)
        passed.append(not trial.should_prune())
        study.tell(trial, state=TrialState.PRUNED)
    return passed


ORDINARY = [0.5, 0.4, 0.55, 0.6, 0.45, 0.65, 0.35, 0.7, 0.5, 0.3]


@pytest.mark.parametrize("wild", [1e3, 1e30, 1.7e308])
@pytest.mark.parametrize("places", [(0,), (2,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_what_exploded_among_the_first_counts_as_bad_whatever_its_size(wild, places, direction):
    sign = 1 if direction == "minimize" else -1
    bad = [sign * (2.0 if k in places else value) for k, value in enumerate(ORDINARY)]
    exploded = [sign * (wild if k in places else value) for k, value in enumerate(ORDINARY)]
    assert in_order(exploded, direction) == in_order(bad, direction)


@pytest.mark.parametrize("wild", [1e30, 1.7e308])
def test_credit_does_not_follow_what_exploded_nor_what_is_absurdly_good(wild):
    for others in ([0.3, 0.4], [0.3, 0.4, 0.5, 0.5], [0.3, 0.3]):
        for several in ([wild], [-wild], [wild, 2 * (wild / 2)], [wild, -wild])[: len(others)]:
            credit = 0.3 - credited([0.3, *others, *several], [1, *[0] * (len(others) + len(several))])[0]
            assert 0 <= credit < 3


def test_of_half_that_exploded_none_goes_on():
    assert decide([(BUDGET, 1, flat(10.0**k if k > 8 else 0.5 + k / 100)) for k in range(16)], BUDGET) == [0]
    assert decide([(BUDGET, 1, flat(1.7e308)), (4, 1, flat(0.5))], BUDGET) == [1]


def test_the_first_that_learn_at_all_are_not_wild():
    standings = [*[0.1] * 6, 0.8, 0.85, 0.9, 0.95]
    assert bounded([-loss for loss in standings]) == [-loss for loss in standings]
    assert bounded([0.9, 0.9001, 0.8999, 0.9002, 0.5, 0.4]) == [0.9, 0.9001, 0.8999, 0.9002, 0.5, 0.4]


def test_ordinary_standings_are_credited_as_their_own_quartiles_say():
    drawn = np.random.default_rng(0)
    for count in (5, 9, 16, 64):
        for standings in drawn.gamma(4, 0.1, (50, count)).tolist():
            low, high = np.quantile(standings, [0.25, 0.75])
            credit = standings[0] - credited(standings, [1.0] * count)[0]
            assert credit == pytest.approx(2 * (high - low), rel=1e-6)


def test_a_long_first_cycle_goes_on_where_a_short_one_of_the_same_error_ends():
    others = [(5, 1, flat(0.2 + k / 100)) for k in range(9)]
    for T_0, goes_on in ((5, False), (BUDGET, True)):
        level = {epoch: 0.23 if epoch <= SECOND else 0.1 for epoch in range(1, BUDGET + 1)}
        assert (9 in decide([*others, (T_0, 1, level)], BUDGET)) is goes_on


def test_sixteen_in_lockstep_are_compared_with_each_other():
    trials = [(4, 2, flat(0.1 + k / 100)) for k in range(16)]
    assert decide(trials, BUDGET) == [0]  # by way of 6 and of 2
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    asked = [study.ask({"T_0": optuna.distributions.IntDistribution(4, 4)}) for _ in range(16)]
    for k, trial in enumerate(asked):
        trial.report(0.1 + k / 100, FIRST)
    assert [trial.should_prune() for trial in asked] == [False] * 6 + [True] * 10


@pytest.mark.parametrize(("epochs", "ends"), [((5, 10), 10), ((3, 6, 9, 12), 12), ((5, 25), 25)])
def test_a_rung_between_two_reports_is_judged_at_the_report_after_it(epochs, ends):
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET, "final"))
    schedule = {"schedule": {"T_0": BUDGET}}
    for _ in range(5):
        best = optuna.trial.create_trial(value=0.1, intermediate_values=flat(0.1), user_attrs=schedule)
        study.add_trial(best)
    mine = study.ask({})
    mine.set_user_attr("schedule", schedule["schedule"])
    said = {}
    for epoch in epochs:
        mine.report(0.1 if epoch < SECOND else 0.5, epoch)
        said[epoch] = mine.should_prune()
    assert [epoch for epoch, pruned in said.items() if pruned] == [ends]  # until then it is one of equals


def test_the_attribute_schedule_takes_the_place_of_parameters():
    losses = flat(0.5) | {4: 0.1, 5: 0.1, 6: 0.1}
    for T_0, expected in ((6, False), (9, True)):  # with a trough at 6 it is good, with one at 9 it is not
        study = optuna.create_study(pruner=RestartAwarePruner(BUDGET, "best-trough"))
        for _ in range(5):
            schedule = {"schedule": {"T_0": 8, "T_mult": 1}}
            values = flat(0.3)
            study.add_trial(
                optuna.trial.create_trial(value=0.3, intermediate_values=values, user_attrs=schedule)
            )
        trial = study.ask({})
        trial.set_user_attr("schedule", {"base_lr": 0.1, "T_0": T_0, "T_mult": 1, "eta_min": 0.0})
        for epoch in range(1, SECOND + 1):
            trial.report(losses[epoch], epoch)
        assert trial.should_prune() is expected


@pytest.mark.parametrize("mine", ["cosine", 3, ["T_0"], {"name": "T_0"}, {}])
def test_an_attribute_schedule_of_another_meaning_leaves_the_parameters(mine):
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    trial = study.ask({"T_0": optuna.distributions.IntDistribution(1, 9)})
    trial.set_user_attr("schedule", mine)
    trial.report(0.5, FIRST)
    assert not trial.should_prune()


def test_real_lengths_and_factors_are_judged_at_the_first_epoch_after_a_trough():
    assert decide([(2.5, 1.5, flat(0.1 * k)) for k in range(1, 7)], BUDGET, "best-trough") == [0]
    losses = flat(0.5) | {4: 0.1, 5: 0.1, 6: 0.1}
    assert standing(losses, WarmRestarts(1.0, 5.5), SECOND, "best-trough") == pytest.approx(0.1)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_pickles_and_its_text_make_the_same_pruner(kind):
    pruner = RestartAwarePruner(60, kind, 4)
    for again in (pickle.loads(pickle.dumps(pruner)), eval(repr(pruner))):
        assert repr(again) == repr(pruner) and again.rungs == pruner.rungs
        assert (again.budget, again.objective, again.reduction_factor) == (60, kind, 4)
    assert repr(pruner) == f"RestartAwarePruner(budget=60, objective={kind!r}, reduction_factor=4)"


def test_a_pruner_that_was_in_use_is_pickled_without_its_memory():
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    study.optimize(objective, n_trials=5)
    again = pickle.loads(pickle.dumps(study.pruner))
    assert again.prune(study, study.trials[0]) in (True, False)


def test_asked_twice_at_a_step_it_says_the_same():
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    trials = [study.ask({"T_0": optuna.distributions.IntDistribution(4, 4)}) for _ in range(3)]
    first = trials[0]
    first.report(0.9, FIRST)
    assert not first.should_prune()
    for trial in trials[1:]:
        trial.report(0.1, FIRST)
    assert not first.should_prune()  # the others came later: at that rung it has gone on
    assert [trial.should_prune() for trial in trials[1:] for _ in range(3)] == [False] * 6
    late = study.ask({"T_0": optuna.distributions.IntDistribution(4, 4)})
    late.report(0.9, FIRST)
    assert [late.should_prune() for _ in range(3)] == [True] * 3


def test_one_pruner_serves_studies_of_both_directions_apart():
    pruner = RestartAwarePruner(BUDGET)
    ends = {}
    for direction in ("minimize", "maximize"):
        study = optuna.create_study(direction=direction, pruner=pruner)
        trials = [study.ask({"T_0": optuna.distributions.IntDistribution(4, 4)}) for _ in range(3)]
        for k, trial in enumerate(trials):
            trial.report(k / 10, FIRST)
        ends[direction] = [trial.should_prune() for trial in trials]
    assert ends == {"minimize": [False, True, True], "maximize": [True, True, False]}


def test_a_trial_that_reported_nothing_goes_on():
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    assert not study.ask({}).should_prune()


def test_studies_in_sqlite_are_pruned_as_those_in_memory(tmp_path):
    found = []
    for storage in (None, f"sqlite:///{tmp_path}/s.db"):
        study = optuna.create_study(
            storage=storage,
            study_name="s",
            sampler=optuna.samplers.RandomSampler(seed=5),
            pruner=RestartAwarePruner(BUDGET),
        )
        study.optimize(lambda trial: objective(trial, every=5, asked=5), n_trials=8)
        found.append([(trial.state, len(trial.intermediate_values)) for trial in study.trials])
    assert found[0] == found[1] and TrialState.PRUNED in {state for state, _ in found[0]}
    # A process that comes later knows the trials from the storage alone.
    later = optuna.load_study(study_name="s", storage=storage, pruner=RestartAwarePruner(BUDGET))
    trial = later.ask({"T_0": optuna.distributions.IntDistribution(1, BUDGET, log=True)})
    trial.report(50.0, 5)
    assert trial.should_prune()


def test_a_sweep_takes_it_as_an_object(tiny, tmp_path):
    study = search.sweep(
        tiny.workload,
        trials=40,
        storage=f"sqlite:///{tmp_path}/s.db",
        pruner=search.RestartAwarePruner(budget=6, objective="best-epoch", reduction_factor=2),
        slots=4,
    ).study
    table = study.trials()
    pruned = table[table.state == "PRUNED"]
    assert len(pruned) > 5 and set(pruned.epochs) <= set(rungs(6)) and study.counts["COMPLETE"] > 5


# Bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"budget": 0}, "budget=0 must be a whole number of at least 1"),
        ({"budget": 2.5}, "budget=2.5 must be a whole number"),
        ({"budget": True}, "budget=True must be a whole number"),
        ({"budget": 9, "reduction_factor": 1}, "reduction_factor=1 must be a whole number of at least 2"),
        ({"budget": 9, "reduction_factor": 2.5}, "reduction_factor=2.5 must be a whole number"),
        (
            {"budget": 9, "objective": "best"},
            "objective='best' must be one of best-epoch, best-trough, final, anytime, ensemble",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, said):
    with pytest.raises(ValueError, match=said):
        RestartAwarePruner(**arguments)


@pytest.mark.parametrize("last", [1, SECOND, 3])
def test_a_trial_without_its_first_cycle_is_refused_with_what_to_do(last):
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    trial = study.ask({"lr": optuna.distributions.FloatDistribution(0, 1)})
    trial.report(0.5, last)
    with pytest.raises(ValueError, match=r"trial 0 has no T_0 among its parameters \['lr'\]; suggest T_0"):
        trial.should_prune()


def test_a_first_cycle_that_cannot_be_is_refused():
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    trial = study.ask({"T_0": optuna.distributions.FloatDistribution(-2, -1)})
    trial.report(0.5, FIRST)
    with pytest.raises(ValueError, match="T_0"):
        trial.should_prune()


def test_a_report_beyond_the_budget_is_refused_with_both_numbers():
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    trial = study.ask({"T_0": optuna.distributions.IntDistribution(1, 9)})
    trial.report(0.5, BUDGET)
    assert not trial.should_prune()
    trial.report(0.5, BUDGET + 1)
    with pytest.raises(ValueError, match=f"step {BUDGET + 1}, beyond the pruner's budget={BUDGET} epochs"):
        trial.should_prune()


@pytest.mark.parametrize("theirs", [{}, {"schedule": "cosine"}, {"schedule": {"T_0": -1}}])
def test_a_trial_of_somebody_else_without_its_first_cycle_does_not_harm_mine(theirs):
    study = optuna.create_study(pruner=RestartAwarePruner(BUDGET))
    for _ in range(5):
        foreign = optuna.trial.create_trial(
            value=0.0, intermediate_values=flat(0.0), user_attrs=theirs, params={}, distributions={}
        )
        study.add_trial(foreign)
    mine = study.ask({"T_0": optuna.distributions.IntDistribution(1, 9)})
    for epoch in range(1, BUDGET + 1):
        mine.report(0.5, epoch)
        assert not mine.should_prune()


def test_a_trial_is_judged_so_many_epochs_after_its_warm_up():
    pruner = RestartAwarePruner(BUDGET)
    study = optuna.create_study(pruner=pruner)
    bare = {"base_lr": 0.1, "T_0": BUDGET, "T_mult": 1, "eta_min": 0.0}
    ended = {}
    for number, (schedule, loss) in enumerate(
        [*3 * [(bare, 0.1)], (Warmup(WarmRestarts(0.1, 35), 5).to_dict(), 9.0), (bare, 8.0)]
    ):
        trial = study.ask({})
        trial.set_user_attr("schedule", schedule)
        for epoch in range(1, BUDGET + 1):
            trial.report(loss, epoch)
            if trial.should_prune():
                ended[number] = epoch
                break
        study.tell(trial, loss, state=TrialState.COMPLETE)
    assert ended == {3: 5 + FIRST, 4: FIRST}


def test_until_the_end_of_a_warm_up_the_whole_fall_of_the_rate_is_to_come():
    bare, warm = WarmRestarts(0.1, 10, 1, 0.01), Warmup(WarmRestarts(0.1, 10, 1, 0.01), 4)
    assert [to_fall(warm, epoch) for epoch in (1, 4, 9, 14)] == [
        to_fall(bare, epoch) for epoch in (0, 0, 5, 10)
    ]
    losses = flat(1.0) | {14: 0.5}
    assert standing(losses, warm, 16, "best-trough") == pytest.approx((0.5 + 2) / 3)
    assert standing(losses, warm, 16, "final") == pytest.approx((0.5 + 2) / 3)


def test_a_warm_up_beyond_the_budget_is_refused():
    study = optuna.create_study(pruner=RestartAwarePruner(8))
    trial = study.ask({})
    trial.set_user_attr("schedule", Warmup(relatives.Linear(0.1, 3), 9).to_dict())
    trial.report(1.0, 1)
    with pytest.raises(ValueError, match="T_0"):
        trial.should_prune()
