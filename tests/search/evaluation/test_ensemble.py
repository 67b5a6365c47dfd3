"""Ensembles: what the mean prediction is worth, and which workloads have one."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr.search.backend.compilations import compilations
from sgdr.search.evaluation.ensemble import Ensemble
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.lookup import find
from sgdr.search.problem.workload import CallableWorkload, has_ensemble

TARGETS = np.array([0.5, -1.0, 2.0], np.float32)


class Targets:
    """Its state is its prediction."""

    name = "targets"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 1
    budget = 1

    def init(self, key: jax.Array) -> jax.Array:
        return jax.random.normal(key, (3,))

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        return state

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return self.score(self.predict(state))

    def predict(self, state: Any) -> Any:
        return state

    def score(self, predictions: Any) -> Any:
        return {"error": jnp.mean((predictions - TARGETS) ** 2)}


ENSEMBLE = Ensemble(Targets())
STATES = st.lists(
    st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3).map(lambda row: np.array(row, np.float32)),
    min_size=1,
    max_size=5,
)


@given(STATES)
@settings(max_examples=50, deadline=None)
def test_the_mean_of_the_predictions_is_scored(states: list[np.ndarray]) -> None:
    expected = np.mean((np.mean(states, axis=0, dtype=np.float64) - TARGETS) ** 2)
    assert ENSEMBLE.score(iter(states))["error"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(STATES)
@settings(max_examples=50, deadline=None)
def test_the_mean_is_no_worse_than_its_members_under_a_convex_loss(states: list[np.ndarray]) -> None:
    alone = [ENSEMBLE.score([state])["error"] for state in states]
    assert ENSEMBLE.score(states)["error"] <= np.mean(alone) * (1 + 1e-4) + 1e-6


EITHER = pytest.mark.parametrize(
    "made", [Targets, pytest.param(lambda: find("digits"), marks=pytest.mark.slow, id="digits")]
)


@EITHER
def test_one_model_is_scored_as_it_is_by_itself(made: Callable[[], Any]) -> None:
    workload = made()
    state = jax.jit(workload.init)(jax.random.key(1))
    ensemble = Ensemble(workload)
    alone = ensemble.score([state])
    evaluated = jax.jit(workload.evaluate)(state)
    assert alone.keys() == evaluated.keys()
    for name, value in evaluated.items():
        assert alone[name] == pytest.approx(float(value), rel=1e-5)
    assert ensemble.score([state] * 3) == pytest.approx(alone, rel=1e-5)


@EITHER
def test_members_of_any_number_are_scored_by_the_same_programs(made: Callable[[], Any]) -> None:
    compilations()
    workload = made()
    states = [jax.device_get(jax.jit(workload.init)(jax.random.key(seed))) for seed in range(4)]
    ensemble = Ensemble(workload)
    before = compilations()
    ensemble.score(states[:1])
    assert compilations() - before <= 2
    before = compilations()
    for count in (2, 3, 4):
        scores = ensemble.score(states[:count])
    assert compilations() == before
    probabilities = np.mean([workload.predict(state) for state in states], axis=0)
    expected = workload.score(jnp.asarray(probabilities))
    assert scores == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-4)


def test_what_has_no_ensemble_is_refused(tiny: ModuleType) -> None:
    function = CallableWorkload(lambda run: None, "function", "error", "minimize", 3)
    for workload in (tiny.Tiny(), function):
        assert not has_ensemble(workload)
        with pytest.raises(ValueError, match=rf"workload '{workload.name}' has no predict\(\) and score\(\)"):
            Ensemble(workload).score([])
    assert has_ensemble(Targets())
    with pytest.raises(ValueError, match="at least one state"):
        Ensemble(Targets()).score([])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"score": lambda p: {"loss": jnp.sum(p)}},
            r"score\(\) returns \['loss'\] and evaluate\(\) \['error'\]",
        ),
        ({"score": lambda p: jnp.sum(p)}, r"score\(\) returns a ShapeDtypeStruct and evaluate\(\)"),
        ({"score": lambda p: {"error": p}}, r"score\(\)\['error'\] has shape \(3,\)"),
        ({"predict": lambda state: (state, state)}, r"predict\(\) returns a tuple; return one array"),
        ({"predict": lambda state: {}["a"]}, r"<lambda>\(\) fails: KeyError"),
    ],
)
def test_functions_that_do_not_fit_together_are_refused(
    changed: dict[str, Callable[..., Any]], said: str
) -> None:
    class Changed(Targets):
        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            return {"error": jnp.sum(state)}

    workload = Changed()
    check_functions(workload, {})
    for name, function in changed.items():
        setattr(workload, name, function)
    with pytest.raises(ValueError, match=f"workload 'targets': {said}"):
        check_functions(workload, {})


@pytest.mark.parametrize("name", ["predict", "score"])
def test_one_without_the_other_is_refused(tiny: ModuleType, name: str) -> None:
    workload = tiny.Tiny()
    setattr(workload, name, lambda predictions: predictions)
    with pytest.raises(ValueError, match=rf"has {name}\(\) alone of predict\(\) and score\(\)"):
        check_functions(workload, {})
