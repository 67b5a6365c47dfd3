"""Answers: what they say of planted truths, of studies of every kind, and in words."""

import json
import math
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from sgdr import ArgumentError, WarmRestarts, search
from sgdr.choices import Effect
from sgdr.relatives import OneCycle
from sgdr.search.problem.space import Space
from sgdr.search.storage.schema import StudyAttributes
from sgdr.search.study.answer import Difference, answer, checked_margin, effect
from sgdr.search.study.belief import Belief
from sgdr.search.study.evidence import Tried, evidence

BUDGET = 60
SPACE = {"base_lr": [1e-3, 1.0], "hparams": {}}
SCHEDULES = [
    ("cosine", lambda peak: WarmRestarts(peak, BUDGET, 1, 0.0)),
    ("constant", lambda peak: WarmRestarts(peak, BUDGET, 1, peak)),
    ("restarts", lambda peak: WarmRestarts(peak, 4, 2, 0.0)),
    ("restarts", lambda peak: WarmRestarts(peak, 15, 1, 0.0)),
]


def searched(random, gain, noise):
    """A search of 16 schedules, the four best of them on 8 more seeds, and the true loss of each by number.

    The truth is a quadratic in the logarithm of the peak; restarts lose `gain`, a constant rate 0.05.
    """
    best = random.uniform(-5, -1)
    drawn = [(shape, make(peak)) for peak in np.geomspace(1e-3, 1, 10) for shape, make in SCHEDULES]
    tried, truth = [], {}
    for number, place in enumerate(random.permutation(len(drawn))[:16]):
        shape, schedule = drawn[place]
        apart = {"cosine": 0.0, "constant": 0.05, "restarts": gain}[shape]
        truth[number] = 0.3 + 0.1 * ((math.log(schedule.base_lr) - best) / 2) ** 2 + apart
        loss = truth[number] + noise * random.standard_normal()
        tried.append(Tried(number, shape, schedule, {}, BUDGET, [loss], loss))
    for one in sorted(tried, key=lambda one: one.best)[:4]:
        one.losses += (truth[one.number] + noise * random.standard_normal(8)).tolist()
    return tried, truth


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gain", "noise", "direction"),
    [(-0.03, 0.01, "minimize"), (0.0, 0.003, "maximize"), (0.03, 0.01, "minimize")],
)
def test_intervals_and_verdicts_hold_on_planted_truths(gain, noise, direction):
    toward = 1 if direction == "minimize" else -1
    random, repeats = np.random.default_rng(3), 40
    held = gains = decided = right = near = 0
    for _ in range(repeats):
        tried, truth = searched(random, gain, noise)
        reached = answer(Belief(evidence(tried, SPACE)), "error", direction, 16.0)
        shapes = {one.number: one.shape for one in tried}
        low, high = reached.interval
        held += low <= toward * truth[reached.number] <= high
        near += truth[reached.number] - min(truth.values()) <= reached.margin + noise
        cosine = reached.gain_over_cosine
        if cosine is None:
            gains += 1
        else:
            apart = toward * (truth[reached.number] - truth[cosine.number])
            gains += cosine.low <= apart <= cosine.high
        if reached.restarts not in (None, Effect.UNDECIDED):
            by_side = [
                min(truth[number] for number in truth if (shapes[number] == "restarts") is side)
                for side in (True, False)
            ]
            apart = by_side[0] - by_side[1]
            decided += 1
            right += {"help": apart < 0, "do not help": apart > 0, "equal": abs(apart) <= reached.margin}[
                reached.restarts
            ]
    # At 95 % of 40, fewer than 34 have a probability of 0.3 %.
    assert held >= 34 and gains >= 34 and near >= 36
    assert decided >= (10 if gain else 0) and right >= 0.95 * decided - 1


def test_it_says_equal_where_restarts_change_nothing_that_counts():
    losses = {"cosine": [0.30, 0.302, 0.298] * 8, "restarts": [0.301, 0.3, 0.299] * 8}
    schedules = {"cosine": WarmRestarts(0.1, BUDGET), "restarts": WarmRestarts(0.1, 15)}
    tried = [
        Tried(number, shape, schedules[shape], {}, BUDGET, losses[shape], 0.298)
        for number, shape in enumerate(losses)
    ]
    belief = Belief(evidence(tried, SPACE))
    wide = answer(belief, "error", "minimize", 4, margin=0.02)
    assert (wide.restarts, wide.shape) == ("equal", "cosine") and "is equal within ± 0.00" in str(wide)
    assert "98 % interval" in str(wide)
    narrow = answer(belief, "error", "minimize", 4, margin=0)
    assert narrow.restarts == "undecided" and "undecided" in str(narrow)
    assert [peer.number for peer in narrow.equal] == [1 - narrow.number]


@pytest.mark.parametrize(
    ("ends", "margin", "said"),
    [
        ((-0.3, -0.1), 1, "help"),
        ((0.1, 0.3), 1, "do not help"),
        ((-0.1, 0.2), 0.2, "equal"),
        ((-0.1, 0.2), 0.1, "undecided"),
    ],
)
def test_an_effect_follows_from_the_interval(ends, margin, said):
    low, high = ends
    assert effect(Difference(0, 0.0, low, high), margin, 1.0) == said
    assert effect(Difference(0, 0.0, -high, -low), margin, -1.0) == said


def test_what_was_not_tried_is_said_and_a_constant_rate_is_told_by_its_rate():
    constant = WarmRestarts(0.1, BUDGET, 1, 0.1)
    tried = [
        Tried(0, "constant", constant, {}, BUDGET, [0.3, 0.31], 0.3),
        Tried(1, "cosine", WarmRestarts(0.1, BUDGET), {}, BUDGET, [0.5, 0.51], 0.5),
    ]
    told = answer(Belief(evidence(tried, SPACE)), "error", "minimize", 4, objective="ensemble")
    assert told.restarts is None and "Use a constant rate with base_lr 0.1 (trial 0)" in told.words
    assert "cannot be told from these schedules, for none of them has any" in told.words
    assert "that of its last model alone" in told.words
    restarts = Tried(0, "restarts", WarmRestarts(0.1, 15), {}, BUDGET, [0.3, 0.31], 0.3)
    told = answer(Belief(evidence([restarts], SPACE)), "error", "minimize", 2)
    assert "for all of them have some" in told.words


def test_of_those_within_the_margin_the_simplest_is_recommended():
    made = [
        ("restarts", WarmRestarts(0.1, 15)),
        ("restarts", WarmRestarts(0.1, 20)),
        ("one-cycle", OneCycle(0.1, BUDGET)),
    ]
    tried = [
        Tried(number, shape, schedule, {}, BUDGET, [loss] * 9, loss)
        for number, ((shape, schedule), loss) in enumerate(zip(made, (0.1, 0.101, 0.105), strict=True))
    ]
    belief = Belief(evidence(tried, SPACE))
    named = [answer(belief, "error", "minimize", 3, margin) for margin in (0, 0.003, 0.05)]
    assert [reached.number for reached in named] == [0, 1, 2] and {reached.leader for reached in named} == {0}
    assert "the simplest" in str(named[1]) and "the simplest" not in str(named[0])
    assert named[0].gain_over_cosine is None and "cosine" not in str(named[0])


FROM = "that of the schedule that you started from"


@pytest.mark.parametrize(
    ("starts", "direction", "said"),
    [
        ((1, 2), "minimize", f"Its error is 0.1 lower than {FROM} (trial 1, "),
        ((2,), "maximize", f"Its error is 0.2 higher than {FROM} (trial 2, "),
        ((0, 1), "minimize", "It is the schedule that you started from: keep it."),
    ],
)
def test_what_is_gained_over_a_start_is_told(starts, direction, said):
    tried = [
        Tried(
            number, "cosine", WarmRestarts(peak, BUDGET), {}, BUDGET, [loss] * 9, loss, [], number in starts
        )
        for number, (peak, loss) in enumerate([(0.1, 0.1), (0.3, 0.2), (0.9, 0.3)])
    ]
    reached = answer(Belief(evidence(tried, SPACE)), "error", direction, 3, margin=0)
    gain = reached.gain_over_start
    assert reached.number == 0 and gain.number == min(starts) and gain.low <= gain.difference <= gain.high
    assert said in str(reached) and reached.to_dict()["gain_over_start"] == vars(gain)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf, "0.1", True, 10**400])
def test_a_margin_is_a_finite_number(margin):
    with pytest.raises(ArgumentError, match="must be a finite number of at least 0"):
        checked_margin(margin)
    assert checked_margin(None) is None and checked_margin(np.float32(0.5)) == 0.5


@pytest.mark.parametrize(("kept", "used"), [(0.5, 0.5), (0, 0.0), (-1.0, None), ("0.5", None), (None, None)])
def test_the_margin_is_that_of_the_study_unless_another_is_given(made, kept, used):
    study = made((0.01, 0.3, {}), (0.1, 0.2, {}), (0.3, 0.25, {}), margin=kept)
    assert study.answer_within(0.125).margin == 0.125
    assert study.answer == study.answer_within(None)
    if used is None:
        assert 0 < study.answer.margin < 0.2
    else:
        assert study.answer.margin == used


HELD = {
    "base_lr": FloatDistribution(1e-3, 1.0, log=True),
    "decay": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(["a", "b"]),
}
STUDY = StudyAttributes(
    workload="w",
    budget=BUDGET,
    space=Space(
        base_lr=(1e-3, 1.0), T_0=(1, BUDGET), hparams={name: HELD[name] for name in ("decay", "kind")}
    ).to_dict(),
    objective="best-epoch",
    metric="error",
    select_metric=None,
    direction="minimize",
    steps_per_epoch=1,
    seed=0,
)


@pytest.fixture
def made(tmp_path):
    """A function that makes a study of trials, each a peak, a value and what else is to be said of it."""

    def make(*trials, **changed):
        url = f"sqlite:///{tmp_path}/s.db"
        study = optuna.create_study(study_name="s", storage=url)
        for name, value in replace(STUDY, **changed).to_attrs().items():
            study.set_user_attr(name, value)
        for number, (peak, value, more) in enumerate(trials):
            state = more.get("state", TrialState.COMPLETE)
            attrs = {"seed": number, "arm": "cosine", "epochs": BUDGET, **more.get("attrs", {})}
            study.add_trial(
                create_trial(
                    state=state,
                    value=value,
                    params={"base_lr": peak, "decay": more.get("decay", 0.5), "kind": "a"},
                    distributions=HELD,
                    user_attrs={**attrs, "schedule": WarmRestarts(peak, BUDGET, 1, 0.0).to_dict()},
                )
            )
        return search.load("s", url)

    return make


PRUNED = {"state": TrialState.PRUNED, "attrs": {"epochs": 3}}


def test_a_study_of_nothing_has_no_answer(made):
    with pytest.raises(ValueError, match="has no completed trial yet"):
        _ = made().answer


def test_where_all_were_ended_early_there_is_none_either(made):
    with pytest.raises(ValueError, match="has no completed trial yet"):
        made((0.1, 0.5, PRUNED)).answer_within(0.1)


def test_one_training_says_little(made):
    reached = made((0.1, 0.5, {})).answer
    assert (reached.value, reached.interval, reached.probability) == (pytest.approx(0.5, rel=0.01), None, 1.0)
    assert reached.margin is None and reached.restarts is None and not reached.equal
    assert "trained once" in str(reached) and "the only schedule" in str(reached)
    assert json.loads(json.dumps(reached.to_dict(), allow_nan=False))["interval"] is None


def test_equal_values_are_no_obstacle(made):
    reached = made(*((peak, 0.25, {}) for peak in (0.01, 0.1, 0.3))).answer
    low, high = reached.interval
    assert low <= 0.25 <= high and high - low < 0.01 and len(reached.equal) == 2


def test_what_was_ended_early_counts_and_is_not_recommended(made):
    diverged = {"state": TrialState.PRUNED, "attrs": {"diverged_at": 2, "epochs": 1}}
    study = made((0.01, 0.3, {}), (0.1, 0.2, PRUNED), (0.2, 0.31, {}), (0.9, None, diverged))
    assert study.answer.number in (0, 2) and study.answer.tried == 2
    assert {0, 2} >= {peer.number for peer in study.answer.equal}
    assert study.answer is study.answer  # it is worked out once


def test_it_is_worked_out_again_only_after_a_trial_has_ended_or_a_seed_was_added(made):
    study = made((0.01, 0.3, {}), (0.1, 0.2, {}))
    before, opened = study.answer, optuna.load_study(study_name="s", storage=study.url)
    opened.set_user_attr("versions", {"sgdr": "0"})
    assert study.refresh() and study.answer is before
    opened.set_user_attr("confirmation", {"1": {"values": {"1000": 0.6, "1001": 0.6}, "failed": None}})
    assert study.refresh() and study.answer.number == 0
    opened.set_user_attr("margin", 0.5)
    assert study.refresh() and study.answer.margin == 0.5
    value, first = 0.1, opened.trials[0]
    opened.add_trial(
        create_trial(
            value=value, params=first.params, distributions=first.distributions, user_attrs=first.user_attrs
        )
    )
    assert study.refresh() and study.answer.cost == 3.0


def test_replicates_and_fresh_seeds_are_further_looks_at_one_schedule(made):
    fresh = {
        "0": {"values": {str(seed): 0.4 for seed in range(1000, 1016)}, "failed": None},
        "2": {"values": {str(seed): 0.2 for seed in range(1000, 1016)}, "failed": None},
        "3": {"values": {}, "failed": "diverged at epoch 3 on seed 1000"},
        "x": 1,
    }
    trials = ((0.01, 0.1, {}), (0.01, 0.39, {}), (0.2, 0.21, {}), (0.5, 0.05, {}))
    study = made(*trials, confirmation=fresh)
    assert study.best_value == 0.05 and study.answer.number == 2 and study.answer.tried == 3
    assert study.answer.value == pytest.approx(0.2, abs=0.02)


def test_it_is_better_the_higher_where_the_metric_is_maximised(made):
    trials = [(peak, value, {}) for peak, value in zip((0.01, 0.1, 0.3), (0.7, 0.9, 0.6), strict=True)]
    reached = made(*trials, direction="maximize").answer
    assert reached.number == 1 and reached.interval[0] < reached.value < reached.interval[1]
    assert reached.leader == 1


def test_of_hundreds_of_schedules_the_best_are_seen_and_all_are_counted():
    random = np.random.default_rng(0)
    peaks = np.exp(random.uniform(-6.9, 0, 350)).tolist()
    losses = [0.2 + 0.1 * (math.log(peak) + 3) ** 2 for peak in peaks]
    tried = [
        Tried(number, "cosine", WarmRestarts(peak, BUDGET), {}, BUDGET, [loss], loss)
        for number, (peak, loss) in enumerate(zip(peaks, losses, strict=True))
    ]
    reached = answer(Belief(evidence(tried, SPACE)), "error", "minimize", 350.0)
    assert reached.tried == 350 and len(reached.equal) < 300
    assert math.log(reached.schedule.base_lr) == pytest.approx(-3, abs=0.5)
