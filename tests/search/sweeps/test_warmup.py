"""Sweeps with a warm-up, searched or fixed, from the trials to the answer."""

import re

import numpy as np
import optuna
import pytest

from sgdr import WarmRestarts, Warmup, relatives, search
from sgdr.cli import report
from sgdr.search.backend.rate_table import rates
from sgdr.search.problem.space import Space
from sgdr.search.study.columns import searched_names
from sgdr.shapes import EARLIER
from sgdr.warmup import unwarmed
from tests.tiny import Tiny


class Follows(Tiny):
    """The error is the mean rate so far, so that each trial tells its rates."""

    name = "follows"
    select_metric = None
    direction = "maximize"

    def init(self, key):
        import jax.numpy as jnp

        return jnp.zeros(2)

    def update(self, state, lr, step, key, hparams):
        return state.at[0].add(lr).at[1].add(1.0)

    def evaluate(self, state):
        return {"error": state[0] / state[1]}


def sweep(folder, warmup, trials=24, **how):
    space = Space(warmup=warmup, **how.pop("space", {}))
    arguments = {"sampler": "tpe", "controls": 0.6, "slots": 4, "pruner": "none", "study": "s", **how}
    url = f"sqlite:///{folder}/s.db"
    return search.sweep(Follows(), trials=trials, storage=url, space=space, **arguments).study


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    study = sweep(tmp_path_factory.mktemp("warm"), (0, 3))
    search.confirm(study.name, storage=study.url, workload=Follows(), top=1, seeds=2, slots=4)
    study.refresh()
    return study


def test_every_trial_trains_with_the_rates_that_its_schedule_says(swept):
    warmups = set()
    for best in swept.ranked():
        inner, warmup = unwarmed(best.schedule)
        params = swept.frozen[best.number].params
        assert params["warmup"] == warmup and isinstance(best.schedule, Warmup) is (warmup > 0)
        means = np.cumsum(rates(best.schedule, 6, 2)) / np.arange(1, 13)
        assert best.curves["error"] == pytest.approx(means[1::2].tolist(), rel=1e-5)
        if best.arm == "cosine":
            assert 6 - warmup == inner.T_0
        warmups.add(warmup)
    assert warmups == {0, 1, 2, 3} and set(swept.arms) == set(swept.stored.arms)


def test_tables_the_answer_and_the_report_tell_it(swept, capsys):
    assert searched_names(swept.stored) == ["pct_decay", "fall", "warmup"]
    for row in swept.rows:
        assert row["hparams"]["warmup"] == swept.frozen[row["number"]].params["warmup"]
        assert row["base_lr"] == swept.frozen[row["number"]].params["base_lr"]
    assert swept.trials()["warmup"].between(0, 3).all()
    warm = next(best for best in swept.ranked() if isinstance(best.schedule, Warmup))
    assert relatives.from_dict(warm.to_dict()["schedule"]) == warm.schedule
    assert swept.verdict.candidates and swept.answer.schedule
    report.describe(swept, 24)
    report.verdict(swept.verdict, "s")
    report.pasted(swept.answer, swept)
    report.answer(swept.answer)
    said = capsys.readouterr().out
    assert re.search(r"warmup [123]\b", said) and "schedule=" not in said.partition("schedule = ")[0]


def test_a_fixed_one_stands_in_every_schedule_and_is_no_parameter(tmp_path):
    study = sweep(tmp_path, 2, trials=8, shapes=("restarts", "cosine"), sampler="staged", slots=1)
    assert all("warmup" not in trial.params for trial in study.frozen)
    assert all(best.schedule.steps == 2 for best in study.ranked()) and len(study.ranked()) == 8
    assert "warmup" not in study.trials() and study.stored.warmups == (2, 2)
    assert "warmup 2" in str(study.answer) and study.answer.schedule.schedule.base_lr > 0


def test_the_staged_search_and_pruners_take_a_searched_one(tmp_path):
    study = sweep(tmp_path, (0, 3), trials=14, sampler="staged", slots=2, pruner="restart-aware")
    assert len(study.frozen) == 14 and {trial.params["warmup"] for trial in study.frozen} > {0}


def test_it_goes_on_with_the_same_range_alone_and_takes_what_is_enqueued(tmp_path):
    study = sweep(tmp_path, (0, 3), trials=4, objective="best-trough", shapes=EARLIER)
    params = {"base_lr": 0.1, "T_0": 6, "T_mult": 1, "eta_ratio": 0.0, "warmup": 3}
    optuna.load_study(study_name="s", storage=study.url).enqueue_trial(params)
    how = {"objective": "best-trough", "shapes": EARLIER, "resume": True}
    again = sweep(tmp_path, (0, 3), trials=6, **how)
    assert again.completed(4).schedule == Warmup(WarmRestarts(0.1, 3, 1), 3) and again.completed(4).epoch == 6
    for other in (0, (0, 2)):
        with pytest.raises(ValueError, match=r"space warmup \[0, 3\], not"):
            sweep(tmp_path, other, trials=8, **how)


def test_a_study_from_before_there_were_any_goes_on(tmp_path):
    study = sweep(tmp_path, 0, trials=2, shapes=EARLIER)
    stored = optuna.load_study(study_name="s", storage=study.url)
    space = {name: value for name, value in stored.user_attrs["space"].items() if name != "warmup"}
    stored.set_user_attr("space", space)
    again = sweep(tmp_path, 0, trials=4, shapes=EARLIER, resume=True)
    assert again.stored.warmups == (0, 0) and len(again.ranked()) == 4 and again.answer
    with pytest.raises(ValueError, match=r"space warmup \[0, 0\], not \[0, 3\]"):
        sweep(tmp_path, (0, 3), trials=6, shapes=EARLIER, resume=True)


def test_a_closed_space_closes_what_is_left(tmp_path):
    study = sweep(tmp_path, (0, 2), trials=6, space={"closed": True}, shapes=("restarts",))
    for best in study.ranked():
        assert best.schedule.troughs(budget=best.budget)[-1] == best.budget <= 6
