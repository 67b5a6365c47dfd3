"""Sweeps that are told their cost: they never spend more, and end when no full training fits any more."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from sgdr import search
from sgdr.search.problem.declaration import Declaration
from sgdr.search.storage.schema import epochs_trained
from sgdr.search.sweeps.extent import CostExtent, Tally, TrialExtent
from tests.search_loop import searched, settings_of

DECLARED = Declaration("w", "error", "minimize", 12, "callable", None, None, None, {}, None)
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def finished(storage: Any, name: str = "s") -> list[FrozenTrial]:
    trials = optuna.load_study(study_name=name, storage=storage).trials
    return [trial for trial in trials if trial.state in FINISHED]


def spent(storage: Any) -> int:
    """Epochs that the finished trials have trained."""
    return sum(epochs_trained(trial.user_attrs) for trial in finished(storage))


@settings(max_examples=15, deadline=None)
@given(
    cost=st.floats(1, 9),
    budget=st.integers(2, 12),
    slots=st.integers(1, 5),
    closed=st.booleans(),
    pruner=st.sampled_from(["none", "median", "hyperband", "restart-aware"]),
)
def test_the_cost_is_not_exceeded_and_less_than_a_training_is_left(cost, budget, slots, closed, pruner):
    options = {"cost": cost, "budget": budget, "slots": slots, "pruner": pruner, "trials": None}
    asked = settings_of(DECLARED, space=search.Space(closed=closed), **options)
    first, again = InMemoryStorage(), InMemoryStorage()
    assert searched(first, asked)[0] and searched(again, asked)[0]
    most = CostExtent(cost, budget).epochs
    assert most <= cost * budget + 1e-6 and most - budget < spent(first) <= most
    if pruner == "none" and not closed:
        assert len(finished(first)) == int(cost)
    assert [trial.params for trial in finished(first)] == [trial.params for trial in finished(again)]


@given(st.integers(1, 50), st.floats(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 500))
def test_what_is_running_counts_in_full_and_whoever_knows_less_begins_fewer(budget, cost, ended, running, e):
    extent = CostExtent(cost, budget)
    tally = Tally(ended, running, e)
    new = extent.most(tally) - ended - running
    assert new == 0 or e + (running + new) * budget <= extent.epochs
    assert new > 0 or e + (running + 1) * budget > extent.epochs
    assert extent.reached(tally) == (new == 0 and running == 0)
    if running:  # one of them ends: whoever does not know has counted the whole of it
        for trained in (1, budget):
            assert extent.most(Tally(ended + 1, running - 1, e + trained)) >= extent.most(tally)


def test_extents_say_how_far_a_sweep_has_come():
    tally = Tally(ended=3, running=1, epochs=30)
    assert TrialExtent(4).so_far(tally) == "3 of 4 trials" and TrialExtent(4).most(tally) == 4
    assert CostExtent(4.5, 12).so_far(tally) == "2.5 of 4.5 full trainings"
    assert CostExtent(1.15, 20).epochs == 23  # whose product is a little less


def test_a_cost_counts_the_whole_study_when_it_is_resumed():
    storage = InMemoryStorage()
    for cost, trials, begun in ((2.5, 2, 2), (4, 4, 2), (3, 4, 0)):
        reached, slots = searched(storage, settings_of(DECLARED, trials=None, cost=cost))
        assert reached and len(finished(storage)) == trials and len(slots.filled) == begun
    assert searched(storage, settings_of(DECLARED, trials=5))[0] and spent(storage) == 5 * 12


@pytest.mark.slow
def test_what_is_pruned_leaves_its_room_to_others(tiny, tmp_path):
    how = {"budget": 24, "slots": 4, "pruner": "restart-aware", "storage": f"sqlite:///{tmp_path}/s.db"}
    study = search.sweep(tiny.workload, cost=4, **how).study
    assert study.finished > 4 and study.counts["PRUNED"] and 3 < study.spent <= 4


def test_what_was_enqueued_or_cut_off_comes_first_and_counts(tiny):
    storage = InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage)
    for rate in (0.5, 0.25):
        study.enqueue_trial({"base_lr": rate, "T_0": 2, "T_mult": 1, "eta_ratio": 0.0})
    assert searched(storage, settings_of(tiny.workload, trials=None, cost=3.9, slots=4))[0]
    assert [trial.params["base_lr"] for trial in finished(storage)[:2]] == [0.5, 0.25]
    assert len(finished(storage)) == 3


@pytest.mark.slow
def test_an_interrupted_sweep_spends_the_rest_and_trains_again_what_was_cut_off(tiny, tmp_path):
    seen = list[search.Progress]()
    options = {
        "cost": 6.5,
        "storage": f"sqlite:///{tmp_path}/s.db",
        "pruner": "none",
        "slots": 2,
        "study": "s",
    }

    def interrupt(progress: search.Progress) -> None:
        if progress.finished >= 2 and progress.running:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.sweep(tiny.workload, callback=search.Callback(interrupt), **options)
    cut_off = search.load("s", options["storage"])
    assert cut_off.counts["FAIL"] and cut_off.spent == cut_off.counts["COMPLETE"]
    study = search.sweep(tiny.workload, resume=True, callback=search.Callback(seen.append), **options).study
    assert [(seen[-1].spent, seen[-1].cost, seen[-1].trials)] == [(6.0, 6.5, None)]
    assert all(now.spent <= now.cost for now in seen)
    assert study.spent == study.counts["COMPLETE"] == 6
    assert study.trials().retry_of.notna().sum() == cut_off.counts["FAIL"]


@pytest.mark.slow
def test_a_diverged_trial_counts_with_the_epoch_in_which_it_diverged(tiny, tmp_path):
    class Explodes(tiny.Tiny):
        def evaluate(self, state: Any) -> dict[str, Any]:
            error = jnp.mean((state - 1) ** 2) * jnp.nan
            return {"error": error, "select_error": error}

    study = search.sweep(Explodes(), cost=1.5, slots=2, storage=f"sqlite:///{tmp_path}/s.db").study
    assert study.outcomes.keys() == {"diverged"} and study.epochs == study.finished == 4
    assert epochs_trained({"epochs": 2, "diverged_at": 3}) == 3 and epochs_trained({}) == 0


@pytest.mark.slow
def test_a_sampler_that_has_tried_all_ends_the_sweep_and_says_at_what_cost(tiny, tmp_path: Path):
    remarks: list[str] = []
    grid = optuna.samplers.GridSampler({"base_lr": [0.1, 0.5], "T_0": [2], "T_mult": [1], "eta_ratio": [0.0]})
    result = search.sweep(
        tiny.workload,
        cost=9,
        controls=0.0,
        sampler=grid,
        pruner="none",
        space=search.Space(T_0=2, T_mult=1, eta_ratio=0.0),
        storage=f"sqlite:///{tmp_path}/s.db",
        callback=search.Callback(on_remark=remarks.append),
    )
    assert result.reached and result.study.spent == 2
    assert any("the search ends with 2.0 of 9 full trainings" in remark for remark in remarks)
