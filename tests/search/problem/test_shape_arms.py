"""Every shape of schedule as an arm of a sweep, from what is searched to the verdict."""

import re
import warnings

import jax.numpy as jnp
import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr import plot, relatives, search
from sgdr.cli import report
from sgdr.search.problem.arms import ALL_ARMS, arm_of
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.objective import chosen_epoch
from sgdr.search.problem.space import Space
from sgdr.search.study.columns import COLUMNS, flat_row, trial_columns
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.settings import resolve
from sgdr.shapes import DEFAULT_SHAPES, EARLIER, SHAPES
from tests.tiny import Tiny

BUDGET = 8
FORMULAS = [name for name, shape in SHAPES.items() if shape.is_formula]
OWN = {
    "wsd": ["pct_decay", "fall"],
    "power": ["power"],
    "one-cycle": ["pct_start"],
    "step-decay": ["gamma"],
    "cyclic": ["half_cycle"],
}
"""What is searched of these alone."""
ALL_OWN = [name for names in OWN.values() for name in names]


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


def sweep(folder, trials=40, name="s", **how):
    space = Space(T_0=(1, 4), eta_ratio=(0.5, 0.9))
    shares = {"sampler": "tpe", "shapes": ALL_ARMS, "controls": 0.6}
    arguments = {**shares, "space": space, "slots": 8, "pruner": "none", **how}
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
    """A study of all shapes, which has its verdict."""
    study = sweep(tmp_path_factory.mktemp("shapes"))
    search.confirm(study.name, storage=study.url, workload=Rising(), top=1, seeds=16, slots=8)
    study.refresh()
    return study


def values(distribution):
    """What a distribution may give."""
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    whole = isinstance(distribution, optuna.distributions.IntDistribution)
    return (st.integers if whole else st.floats)(distribution.low, distribution.high)


@given(budget=st.integers(1, 500), data=st.data())
def test_every_arm_has_parameters_that_make_a_schedule_of_its_kind(budget, data):
    space = Space().resolved(Tiny(), budget)
    searched = {arm: space.distributions(budget, arm) for arm in ALL_ARMS}
    assert {arm: [name for name in searched[arm] if name in SHAPES[arm].own] for arm in OWN} == OWN
    for arm in FORMULAS:
        params = {name: data.draw(values(searched[arm][name])) for name in searched[arm]}
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


def test_a_line_and_a_plateau_end_at_nothing():
    space = Space().resolved(Tiny(), 40)
    linear, _ = space.schedule({"base_lr": 0.1}, 40, "linear")
    plateau, _ = space.schedule({"base_lr": 0.1, "pct_decay": 0.25, "fall": "sqrt"}, 40, "wsd")
    power, _ = space.schedule({"base_lr": 0.1, "power": 2.0}, 40, "power")
    assert [linear(0), linear(20), linear(40)] == pytest.approx([0.1, 0.05, 0])
    assert [plateau(0), plateau(30), plateau(35), plateau(40)] == pytest.approx(
        [0.1, 0.1, 0.1 * (1 - 0.5**0.5), 0]
    )
    assert [power(20), power(40)] == pytest.approx([0.025, 0])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            {"shapes": ["line"]},
            "shapes='line' must be one of restarts, cosine, linear, wsd, constant, power,",
        ),
        ({"shapes": 3}, "shapes=3 must be names"),
        (
            {"shapes": ["restarts", "linear", "cosine"], "controls": 0},
            "controls=0 leaves no trials for cosine, linear; raise it, or leave them out of shapes",
        ),
        (
            {"shapes": ["linear"], "sampler": optuna.samplers.RandomSampler()},
            "searches restarts alone, which are not among the shapes; give tpe or random",
        ),
        ({"relatives": ["onecycle"]}, "relatives='onecycle' must be one of one-cycle, step-decay, cyclic"),
        ({"relatives": ["cyclic"], "shapes": ["cosine"]}, "and shapes are two; give shapes alone"),
    ],
)
def test_what_cannot_be_is_refused(how, said):
    with pytest.raises(ValueError, match=said) as refused:
        settings(**how)
    assert "\n" not in str(refused.value)


def test_a_value_of_the_workload_may_have_no_shapes_name():
    workload = Tiny()
    workload.hparams = {"gamma": (0.0, 1.0)}
    assert settings(workload, shapes=["cyclic"]).arms == ("cyclic",)
    with pytest.raises(
        ValueError, match="hparams has 'gamma', which names a part of step-decay; rename it, or"
    ):
        settings(workload, shapes=["step-decay"])


@pytest.mark.parametrize("arm", FORMULAS)
def test_the_pruner_that_knows_restarts_judges_other_shapes_but_for_those_that_rise_first(arm):
    config = settings(budget=40, pruner="restart-aware", shapes=ALL_ARMS)
    searched = config.arm(arm, 0, 0)
    assert searched.rungs == config.arm("constant", 0, 0).rungs == {1}
    pruned = []
    for value in (1.0, 2.0, 3.0, 9.0, float("inf")):
        trial = searched.ask()
        schedule, _ = config.space.schedule(trial.params, 40, arm)
        trial.set_user_attr("schedule", schedule.to_dict())
        trial.report(value, 1)
        pruned.append(trial.should_prune())
    rises = SHAPES[arm].rises_first
    assert rises is (arm in ("one-cycle", "cyclic"))
    assert pruned == [False, not rises, not rises, not rises, True]


def test_who_asks_for_a_shape_with_too_few_trials_is_told(tmp_path):
    said = []
    options = {"trials": 8, "storage": f"sqlite:///{tmp_path}/s.db", "sampler": "tpe", "slots": 4}
    callback = search.Callback(on_remark=said.append)
    search.sweep(Tiny(), **options, callback=callback)  # where nothing is asked for, nothing is missed
    assert not said
    shapes = ["restarts", "cosine", "linear", "cyclic"]
    search.sweep(Tiny(), **options, study="asked", shapes=shapes, callback=callback)
    assert said == ["of 8 trials none is left for cyclic: give more trials, or more controls"]


def test_a_study_keeps_its_shapes():
    assert settings().arms == DEFAULT_SHAPES and settings().attributes()["shapes"] == [*DEFAULT_SHAPES]
    named = settings(shapes=("cyclic", "one-cycle", "cyclic"))
    assert named.attributes()["shapes"] == ["one-cycle", "cyclic"]
    assert {**named.attributes(), "shapes": 0} == {**settings().attributes(), "shapes": 0}
    assert "relatives" not in named.attributes()


def test_relatives_are_shapes_beside_the_others_with_a_warning(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    with pytest.warns(
        DeprecationWarning, match=r"give shapes=\(.*'constant', 'one-cycle', 'cyclic'\)"
    ) as warned:
        how = {"storage": url, "sampler": "tpe", "slots": 8, "space": Space(T_0=(1, 2))}
        study = search.sweep(Tiny(), trials=24, relatives=("cyclic", "one-cycle"), **how).study
    assert [warning.filename for warning in warned] == [__file__]
    assert study.attributes["shapes"] == [*DEFAULT_SHAPES, "one-cycle", "cyclic"]
    assert "relatives" not in study.attributes
    assert study.arms == {"restarts": 18, **dict.fromkeys((*DEFAULT_SHAPES[1:], "one-cycle", "cyclic"), 1)}


def test_every_arm_is_trained_and_every_trial_says_its_schedule(swept):
    assert swept.arms == {"restarts": 16, **dict.fromkeys(ALL_ARMS[1:], 3)}
    table = swept.trials()
    for number, trial in enumerate(swept.frozen):
        arm, schedule = table.arm[number], swept.schedule(number)
        assert arm_of(schedule, BUDGET) == arm
        if arm in FORMULAS:
            assert (
                schedule.to_dict() == trial.user_attrs["schedule"] and len(swept.curve(number)["error"]) == 8
            )
            assert "T_0" not in trial.params and np.isnan(float(table["T_0"].astype(float)[number]))
    counts = table.groupby("arm")[ALL_OWN].count()
    for arm, names in OWN.items():
        assert counts[names].loc[arm].tolist() == counts[names].sum().tolist() == [3] * len(names)


def test_what_is_searched_of_a_shape_alone_has_its_columns(swept):
    columns = trial_columns(swept.stored)
    assert [name for name in columns if name not in COLUMNS] == ALL_OWN
    assert list(swept.trials().reset_index().columns) == columns
    for row in swept.rows:
        assert list(flat_row(row)) == columns
        assert [name for name in ALL_OWN if row["hparams"][name] is not None] == OWN.get(row["arm"], [])


def test_the_rates_of_a_shape_are_those_that_it_is_trained_with(swept):
    for best in swept.ranked():
        rates = best.schedule.scaled(2)(np.arange(2 * best.budget))
        errors = 1 / (np.maximum.accumulate(rates)[1::2] / rates[0]) + 1e-3 * rates[1::2] / rates[0]
        assert best.curves["error"] == pytest.approx(errors, rel=1e-4)


def test_the_same_seed_gives_the_same_trials(swept, tmp_path):
    assert trials(sweep(tmp_path)) == trials(swept)


def test_a_resumed_sweep_keeps_its_shapes(tmp_path):
    some = {"shapes": ("cyclic", "one-cycle", "restarts"), "controls": 0.25}
    sweep(tmp_path, trials=8, **some)
    study = sweep(tmp_path, trials=16, **{**some, "shapes": ()}, resume=True)
    assert study.attributes["shapes"] == ["restarts", "one-cycle", "cyclic"]
    assert study.arms == {"restarts": 12, "one-cycle": 2, "cyclic": 2}
    for other in (("cyclic",), DEFAULT_SHAPES):
        with pytest.raises(ValueError, match=r"with shapes \['restarts', 'one-cycle', 'cyclic'\], not \['"):
            sweep(tmp_path, shapes=other, resume=True)


def test_a_study_from_before_goes_on_with_its_own_shapes(tmp_path):
    """Such a study names its relatives alone, where there are some."""
    sweep(tmp_path, trials=8, shapes=(*EARLIER, "cyclic"), controls=0.4)
    url = f"sqlite:///{tmp_path}/s.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = optuna.load_study(study_name="rising", storage=url)
    written._storage.set_study_user_attr(written._study_id, "shapes", [])
    written.set_user_attr("relatives", ["cyclic"])
    assert search.load("rising", url).stored.arms == (*EARLIER, "cyclic")
    study = sweep(tmp_path, trials=16, shapes=(), controls=0.4, resume=True)
    assert set(study.arms) == {*EARLIER, "cyclic"} and study.finished == 16
    with pytest.warns(DeprecationWarning):
        study = sweep(tmp_path, trials=17, shapes=(), relatives=["cyclic"], resume=True)
    assert study.finished == 17
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(
            ValueError, match=r"with shapes \['restarts', 'cosine', 'constant', 'cyclic'\], not \["
        ),
    ):
        sweep(tmp_path, trials=18, shapes=(), relatives=["one-cycle"], resume=True)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (
            ["restarts"],
            "no control is among the shapes of the study, so restarts have nothing to be compared",
        ),
        (
            ["cosine", "linear"],
            "no schedule with restarts is among the shapes of the study, so controls have nothing to be",
        ),
    ],
)
def test_a_search_of_one_side_alone_is_confirmed_and_says_that_it_compares_nothing(tmp_path, shapes, said):
    study = sweep(tmp_path, trials=4, shapes=shapes)
    assert study.arms == {arm: 4 // len(shapes) for arm in shapes}
    verdict = search.confirm(study.name, storage=study.url, workload=Rising(), top=1, seeds=2, slots=4)
    assert verdict.decision == "undecided" and said in str(verdict) and verdict.difference is None
    assert verdict.best is not None and verdict.best.arm in shapes


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
    study = sweep(tmp_path, trials=8, shapes=("step-decay",), objective="best-trough")
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
