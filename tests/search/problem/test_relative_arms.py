"""Relatives of warm restarts as arms of a sweep, from what is searched to the verdict."""

import re

import jax.numpy as jnp
import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr import plot, relatives, search
from sgdr.cli import report
from sgdr.search.problem.arms import ALL_ARMS, ARMS, DEFAULT_SHARE, Places, arm_of, planned
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.objective import chosen_epoch
from sgdr.search.problem.space import Space
from sgdr.search.study.columns import COLUMNS, flat_row, trial_columns
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.settings import resolve
from sgdr.shapes import RELATIVES, SHAPES
from tests.tiny import Tiny

BUDGET = 8
THREE = {"one-cycle": "pct_start", "step-decay": "gamma", "cyclic": "half_cycle"}
"""What is searched of these alone."""


class Rising(Tiny):
    """Its error is the smaller, the more the rate has risen above its first; what steps down is worst."""

    name = "rising"
    select_metric = None
    budget = BUDGET

    def init(self, key):
        return jnp.array([1.0, 0.0, 0.0])

    def update(self, state, lr, step, key, hparams):
        first = jnp.where(step == 0, lr, state[0])
        return jnp.array([first, jnp.maximum(state[1], lr / first), lr])

    def evaluate(self, state):
        return {"error": 1 / state[1] + 1e-3 * (state[2] / state[0])}


def sweep(folder, trials=24, name="s", **how):
    arguments = {"relatives": RELATIVES, "space": Space(T_0=(1, 4), eta_ratio=(0.5, 0.9)), "slots": 8, **how}
    url = f"sqlite:///{folder}/{name}.db"
    return search.sweep(Rising(), trials=trials, storage=url, **arguments).study


def settings(workload=None, **how):
    arguments = {"trials": 8, "budget": None, "space": None, "objective": "best-epoch", "pruner": "none"}
    others = {"sampler": "tpe", "slots": "auto", "controls": 0.25, "seed": 0, "timeout": None}
    return resolve(Declaration.of(workload or Tiny()), SweepConfig(**{**arguments, **others, **how}))


def trials(study):
    """All that a sweep with the same seed repeats."""
    stored = optuna.load_study(study_name=study.name, storage=study.url).trials
    attributes = [
        {name: x for name, x in trial.user_attrs.items() if name not in ("worker", "seconds")}
        for trial in stored
    ]
    return [trial.params for trial in stored], [trial.value for trial in stored], attributes


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A study of all relatives, which has its verdict."""
    study = sweep(tmp_path_factory.mktemp("relatives"))
    search.confirm(study.name, storage=study.url, workload=Rising(), top=1, seeds=16, slots=8)
    study.refresh()
    return study


@given(budget=st.integers(1, 500), data=st.data())
def test_every_arm_has_parameters_of_its_own_that_make_a_schedule_of_its_kind(budget, data):
    space = Space().resolved(Tiny(), budget)
    searched = {arm: space.distributions(budget, arm) for arm in ALL_ARMS}
    assert len({frozenset(distributions) for distributions in searched.values()}) == len(ALL_ARMS)
    for arm in RELATIVES:
        params = {
            name: data.draw(
                st.integers(value.low, value.high)
                if isinstance(value, optuna.distributions.IntDistribution)
                else st.floats(value.low, value.high)
            )
            for name, value in searched[arm].items()
        }
        schedule, epochs = space.schedule(params, budget, arm)
        assert (schedule.kind, arm_of(schedule, budget), epochs) == (arm, arm, budget)
        assert relatives.from_dict(schedule.to_dict()) == schedule
        rates = schedule.scaled(3)(np.arange(3 * budget))
        assert (rates >= 0).all() and (rates <= params["base_lr"] * (1 + 1e-9)).all()
        assert chosen_epoch("best-trough", [1.0] * budget, schedule) <= budget


def test_steps_are_those_of_the_paper():
    space = Space().resolved(Tiny(), 200)
    schedule, _ = space.schedule({"base_lr": 0.1, "gamma": 0.2}, 200, "step-decay")
    assert schedule == relatives.StepDecay(0.1, (60, 120, 160), 0.2)
    assert chosen_epoch("best-trough", [3.0, 1.0, 2.0], schedule) == 3


@given(st.integers(1, 300), st.sets(st.sampled_from(RELATIVES)))
def test_a_relative_has_as_many_trials_as_a_control(trials, asked):
    begun = planned(DEFAULT_SHARE, trials, sorted(asked))
    assert len({begun.get(arm, 0) for arm in ("cosine", "constant", *asked)}) == 1
    assert begun["restarts"] > 0
    places = Places({}, {}, DEFAULT_SHARE, trials, sorted(asked))
    assert sorted(places[place][0] for place in range(trials)) == sorted(
        arm for arm, count in begun.items() for _ in range(count)
    )


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"relatives": ["onecycle"]}, r"relatives='onecycle' must be one of one-cycle, step-decay, cyclic"),
        ({"relatives": ["cyclic"], "controls": 0}, r"controls=0 with relatives cyclic"),
        (
            {"relatives": THREE, "controls": 0.4},
            r"are 100% of the trials; give controls",
        ),
    ],
)
def test_what_cannot_be_is_refused(how, said):
    with pytest.raises(ValueError, match=said):
        settings(**how)


def test_a_value_of_the_workload_may_have_no_relatives_name():
    workload = Tiny()
    workload.hparams = {"gamma": (0.0, 1.0)}
    assert settings(workload, relatives=["cyclic"]).relatives == ("cyclic",)
    with pytest.raises(ValueError, match="hparams has 'gamma', which names a part of step-decay; rename"):
        settings(workload, relatives=["step-decay"])


@pytest.mark.parametrize("arm", RELATIVES)
def test_the_pruner_that_knows_restarts_ends_no_relative_whose_values_are_finite(arm):
    config = settings(budget=40, pruner="restart-aware", relatives=RELATIVES)
    searched = config.arm(arm, 0, 0)
    assert searched.rungs == config.arm("constant", 0, 0).rungs == {1}
    pruned = []
    for value in (1.0, 2.0, 3.0, 9.0, float("inf")):
        trial = searched.ask()
        schedule, _ = config.space.schedule(trial.params, 40, arm)
        trial.set_user_attr("schedule", schedule.to_dict())
        trial.report(value, 1)
        pruned.append(trial.should_prune())
    assert pruned == [False, False, False, False, True]


def test_who_asks_for_a_relative_with_too_few_trials_is_told(tmp_path):
    said = []
    options = {"trials": 4, "relatives": ["cyclic"], "storage": f"sqlite:///{tmp_path}/s.db"}
    search.sweep(Tiny(), **options, callback=search.Callback(on_remark=said.append))
    assert any("of 4 trials none is left for cyclic: give more trials" in remark for remark in said), said


def test_without_relatives_nothing_is_kept_of_them():
    plain = settings()
    assert plain.arms == ARMS and "relatives" not in plain.attributes()
    named = settings(relatives=("cyclic", "one-cycle", "cyclic"))
    assert named.attributes()["relatives"] == ["one-cycle", "cyclic"]
    assert {**named.attributes(), "relatives": None} == {**plain.attributes(), "relatives": None}


def test_every_arm_is_trained_and_every_trial_says_its_schedule(swept):
    assert swept.arms == {"restarts": 24 - 3 * len(ALL_ARMS[1:]), **dict.fromkeys(ALL_ARMS[1:], 3)}
    table = swept.trials()
    for number, trial in enumerate(swept.frozen):
        arm, schedule = table.arm[number], swept.schedule(number)
        assert arm_of(schedule, BUDGET) == arm
        if arm in RELATIVES:
            assert (
                schedule.to_dict() == trial.user_attrs["schedule"] and len(swept.curve(number)["error"]) == 8
            )
            assert "T_0" not in trial.params and np.isnan(float(table["T_0"].astype(float)[number]))
    own = [name for arm in RELATIVES for name in SHAPES[arm].own]
    counts = table.groupby("arm")[own].count()
    assert counts.loc[list(THREE), ["pct_start", "gamma", "half_cycle"]].to_numpy().tolist() == [
        [3, 0, 0],
        [0, 3, 0],
        [0, 0, 3],
    ]
    assert (counts.sum() == 3).all()


def test_what_is_searched_of_a_relative_alone_has_its_columns(swept):
    own = [name for arm in RELATIVES for name in SHAPES[arm].own]
    assert own[:3] == list(THREE.values())
    columns = trial_columns(swept.stored)
    assert [name for name in columns if name not in COLUMNS] == own
    assert list(swept.trials().reset_index().columns) == columns
    for row in swept.rows:
        assert list(flat_row(row)) == columns
        assert [row["hparams"][name] is not None for name in own] == [row["arm"] == arm for arm in RELATIVES]


def test_a_relatives_rates_are_those_that_it_is_trained_with(swept):
    for best in swept.ranked():
        rates = best.schedule.scaled(2)(np.arange(2 * best.budget))
        errors = 1 / (np.maximum.accumulate(rates)[1::2] / rates[0]) + 1e-3 * rates[1::2] / rates[0]
        assert best.curves["error"] == pytest.approx(errors, rel=1e-4)


def test_the_same_seed_gives_the_same_trials(swept, tmp_path):
    assert trials(sweep(tmp_path)) == trials(swept)


def test_a_resumed_sweep_keeps_its_relatives(tmp_path):
    sweep(tmp_path, trials=8, relatives=("cyclic", "one-cycle"))
    study = sweep(tmp_path, trials=16, relatives=(), resume=True)
    assert study.attributes["relatives"] == ["one-cycle", "cyclic"]
    assert study.arms == {"restarts": 8, "cosine": 2, "constant": 2, "one-cycle": 2, "cyclic": 2}
    with pytest.raises(ValueError, match=r"with relatives \['one-cycle', 'cyclic'\], not \['cyclic'\]: "):
        sweep(tmp_path, relatives=("cyclic",), resume=True)


def test_a_study_without_relatives_takes_none(tmp_path):
    study = sweep(tmp_path, trials=4, relatives=())
    assert "relatives" not in study.attributes and set(study.arms) <= set(ARMS)
    with pytest.raises(ValueError, match=r"with relatives None, not \['cyclic'\]: "):
        sweep(tmp_path, relatives=("cyclic",), resume=True)


def test_the_verdict_is_against_the_best_control_and_names_it(swept):
    verdict = swept.verdict
    assert {candidate.arm for candidate in verdict.candidates} == set(ALL_ARMS)
    assert verdict.candidates[0].schedule == swept.best.schedule
    assert verdict.decision == "restarts do not help" and "than with one cycle (95 %" in str(verdict)
    assert verdict.best.arm == swept.best.arm == "one-cycle" and verdict.control == swept.best.number
    assert type(verdict).from_dict(verdict.to_dict()) == verdict


def test_the_best_is_told_with_the_fields_it_has_and_drawn(swept, tmp_path, capsys):
    best = swept.best
    assert best.to_dict()["schedule"]["kind"] == "one-cycle" and best.to_dict()["restarts"] == []
    report.describe(swept, 24)
    report.verdict(swept.verdict, swept.name)
    told = capsys.readouterr().out
    assert re.search(r"  arm +one-cycle\n", told) and re.search(r"  pct_start +0\.\d+\n", told)
    for words in (
        f"length {BUDGET}, pct_start ",
        "milestones 2.4, 4.8, 6.4, gamma ",
        "up 1, down 1",
        "T_mult",
    ):
        assert words in told
    plot.save(plot.best_figure(swept), tmp_path / "best.png")
    assert (tmp_path / "best.png").stat().st_size > 1000


def test_by_best_trough_steps_are_worth_their_last_epoch(tmp_path):
    study = sweep(tmp_path, trials=8, relatives=("step-decay",), objective="best-trough")
    best_drop = next(best for best in study.ranked() if best.arm == "step-decay")
    assert best_drop.epoch == BUDGET and best_drop.value == pytest.approx(best_drop.curves["error"][-1])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "square"}, "kind must be one of one-cycle, cyclic, "),
        ({"kind": "cyclic", "up": 3}, "the fields of a cyclic schedule must be base_lr, up, "),
        ({"kind": "step-decay", "base_lr": 1, "milestones": [1], "T_0": 3}, "must be base_lr, milestones"),
        ({"kind": "cyclic", "base_lr": -1, "up": 3}, "base_lr"),
        ({"base_lr": 1}, "lack T_0"),
    ],
)
def test_fields_that_make_no_schedule_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        relatives.from_dict(values)


def test_schedules_in_schedules_come_back_too():
    parts = (relatives.OneCycle(0.1, 5), relatives.Chained((relatives.StepDecay(0.1, (2, 3)),)))
    joined = relatives.Joined(parts, (5,))
    assert relatives.from_dict(joined.to_dict()) == joined
