"""Ensembles inside the compiled program, against models that are trained and averaged one by one."""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdr import ArgumentError, WarmRestarts
from sgdr.search.artifacts.checkpoints import Checkpoints
from sgdr.search.backend.compilations import compilations
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.backend.program import INITIAL, trial_key
from sgdr.search.problem.ensembles import EnsembleWorkload, Independent, trained_for
from sgdr.search.problem.objective import members
from sgdr.search.problem.workload import TOGETHER
from tests.search.backend.advanced import curves

BUDGET = 12
SCHEDULES = [
    WarmRestarts(0.3, 1, 2, 0.003),  # three troughs, and five epochs after the last
    WarmRestarts(0.2, 1, 1),  # more troughs than an ensemble has members
    WarmRestarts(0.1, 12),  # the end is its only trough
    WarmRestarts(0.3, 20, 1, 0.3),  # none
]


@pytest.fixture(scope="module")
def population(tiny: ModuleType) -> Population:
    devices = local_devices()[0]
    made = Population(EnsembleWorkload(tiny.predicting), 2 * len(devices), devices, any_schedule=True)
    made.compile()
    return made


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_a_trial_is_worth_the_mean_prediction_of_its_models(
    tiny: ModuleType, population: Population, schedule: WarmRestarts
) -> None:
    population.fill(1, schedule, BUDGET, 5, {})
    models, together, alone = {}, [], []
    for epoch in range(1, BUDGET + 1):
        values = population.advance(1).read()
        models[epoch] = population.model(1)
        together.append(float(values[TOGETHER][0, 1]))
        alone.append(float(values["error"][0, 1]))
        joined = [models[at] for at in members(schedule, BUDGET) if at <= epoch]
        if joined:
            by_hand = tiny.predicting.score(jnp.asarray(np.mean(joined, axis=0)))["error"]
            assert together[-1] == pytest.approx(float(by_hand), rel=1e-5)
        else:
            assert together[-1] == alone[-1]
    population.fill(0, schedule, BUDGET, 5, {})
    again = curves(population, 0, BUDGET)
    assert again[TOGETHER] == together and again["error"] == alone


def test_a_trial_trains_as_it_does_without_its_ensemble(tiny: ModuleType, population: Population) -> None:
    devices = local_devices()[0]
    plain = Population(tiny.predicting, 2 * len(devices), devices, any_schedule=True)
    plain.compile()
    for made in (plain, population):
        made.fill(0, SCHEDULES[0], BUDGET, 9, {})
    expected = curves(plain, 0, BUDGET)
    both = curves(population, 0, BUDGET)
    assert {name: both[name] for name in expected} == expected and TOGETHER not in expected


def test_nothing_is_compiled_for_another_trial(population: Population) -> None:
    population.advance(1).read()
    before = compilations()
    for number, schedule in enumerate((*SCHEDULES, Independent(WarmRestarts(0.1, 4)))):
        population.fill(0, schedule, BUDGET, number, {})
        population.advance(3).read()
    assert compilations() == before


def test_a_trial_goes_on_with_what_its_earlier_troughs_predicted(
    tiny: ModuleType, population: Population, tmp_path: Any
) -> None:
    workload = EnsembleWorkload(tiny.predicting)
    population.fill(0, SCHEDULES[0], BUDGET, 3, {})
    first = curves(population, 0, 3)
    kept = Checkpoints(tmp_path, workload)
    kept.save(0, 3, 3, population.state(0), first)
    rest = curves(population, 0, BUDGET - 3)
    checkpoint = kept.load(0, 3)
    assert checkpoint is not None and checkpoint.curves == first
    population.fill(1, SCHEDULES[0], BUDGET, 3, {})
    population.restore(1, checkpoint.state, checkpoint.epoch)
    assert curves(population, 1, BUDGET - 3) == rest


def test_independent_models_begin_anew_at_every_trough(tiny: ModuleType, population: Population) -> None:
    schedule = WarmRestarts(0.1, 4, 1, 0.001)
    population.fill(0, Independent(schedule), BUDGET, 7, {})
    models, seed = [], jnp.uint32(7)
    for trough in (4, 8, 12):
        values = [population.advance(4).read()[name][-1, 0] for name in (TOGETHER,)]
        models.append(population.model(0))
        state = tiny.predicting.init(trial_key(seed, jnp.uint32(INITIAL - (trough - 4))))
        for step in range(2 * (trough - 4), 2 * trough):
            rate = jnp.float32(schedule.scaled(2)(step))
            state = tiny.predicting.update(state, rate, step, trial_key(seed, step), {})
        np.testing.assert_allclose(models[-1], state, rtol=1e-4)
        by_hand = tiny.predicting.score(jnp.asarray(np.mean(models, axis=0)))["error"]
        assert float(values[0]) == pytest.approx(float(by_hand), rel=1e-5)
    assert Independent(schedule)(5) == schedule(5)


def test_ensembles_are_refused_of_what_does_not_predict(tiny: ModuleType) -> None:
    assert trained_for("final", tiny.workload) is tiny.workload
    with pytest.raises(ArgumentError, match=r"objective='ensemble' needs a workload with predict\(\) and"):
        trained_for("ensemble", tiny.workload)
    assert jax.tree.leaves(EnsembleWorkload(tiny.predicting).init(jax.random.key(0)))[2] == 0
