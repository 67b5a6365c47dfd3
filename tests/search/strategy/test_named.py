"""Which pruner a name means, and at which epochs it is asked."""

import itertools

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.strategy.named import CHECKS, PRUNERS, named_pruner, rungs, suiting
from sgdr.search.strategy.restart_aware import RestartAwarePruner


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("none", NopPruner),
        ("median", MedianPruner),
        ("hyperband", HyperbandPruner),
        ("restart-aware", RestartAwarePruner),
    ],
)
def test_names_mean_pruners(name, kind):
    assert type(named_pruner(name, 60, "final")) is kind


def test_the_staged_search_alone_has_no_pruner_of_its_own():
    assert suiting("staged") == "none"
    for sampler in ("tpe", "random", optuna.samplers.RandomSampler()):
        assert suiting(sampler) == "restart-aware"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_restart_aware_pruner_is_made_for_the_budget_and_the_objective(objective):
    pruner = named_pruner("restart-aware", 60, objective)
    assert (pruner.budget, pruner.objective) == (60, objective)
    assert rungs(pruner, 60) == frozenset(pruner.rungs)
    assert named_pruner(pruner, 60, objective) is pruner
    for other in ((61, objective), (60, OBJECTIVES[OBJECTIVES.index(objective) - 1])):
        with pytest.raises(ValueError, match="made for another budget or objective than") as refused:
            named_pruner(pruner, *other)
        assert str(refused.value).startswith(f"pruner={pruner!r}")


def test_pruners_of_optuna_are_taken_as_they_are():
    pruner = optuna.pruners.PercentilePruner(25.0)
    assert named_pruner(pruner, 60, "final") is pruner


def test_unknown_names_are_refused_with_the_known():
    with pytest.raises(ValueError, match=f"pruner='sharp' must be one of {', '.join(PRUNERS)}"):
        named_pruner("sharp", 60, "final")


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**6), st.sampled_from(PRUNERS))
def test_rungs_lie_within_the_budget_and_are_few(budget, name):
    epochs = sorted(rungs(named_pruner(name, budget, "final"), budget))
    assert all(1 <= rung < budget for rung in epochs)
    assert len(epochs) <= CHECKS
    if name == "none":
        assert not epochs
    elif budget > 1:
        assert epochs


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.integers(1, 5000), st.integers(1, 10**6).map(lambda k: 27 * k)))
def test_hyperbands_rungs_grow_by_its_factor_from_its_first(budget):
    pruner = named_pruner("hyperband", budget, "final")
    epochs = sorted(rungs(pruner, budget))
    assert epochs == sorted(rungs(SuccessiveHalvingPruner(), budget))
    assert epochs == [] if budget == 1 else epochs[0] == -(-budget // 27) == pruner._min_resource
    assert all(b == 3 * a for a, b in itertools.pairwise(epochs))
    assert not epochs or 3 * epochs[-1] >= budget


@pytest.mark.parametrize("name", PRUNERS)
def test_bad_trials_are_pruned_at_rungs_and_good_ones_are_not(name):
    pruner = named_pruner(name, 60, "best-epoch")
    study = optuna.create_study(pruner=pruner, study_name="s")  # by which Hyperband deals its brackets

    def pruned(value: float) -> bool:
        trial = study.ask()
        trial.set_user_attr("schedule", {"T_0": 7, "T_mult": 2})
        for rung in sorted(rungs(pruner, 60)):
            trial.report(value, rung)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return True
        study.tell(trial, value)
        return False

    for _ in range(40):
        pruned(0.5)
    assert any(pruned(0.9) for _ in range(20)) is (name != "none")
    assert not any(pruned(0.1 - 1e-3 * i) for i in range(20))
