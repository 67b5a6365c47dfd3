"""The compiled program: what a slot computes, and that it is compiled once."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdr import WarmRestarts, Warmup
from sgdr.relatives import Chained, Cyclic, Joined, OneCycle, StepDecay
from sgdr.search.backend.compilations import compilations
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.backend.program import INITIAL, trial_key
from sgdr.search.backend.slots import FINITE, LONGEST_CALL
from sgdr.search.problem.lookup import find
from tests.search.backend.advanced import curves

SCHEDULES = [
    WarmRestarts(0.1, 2, 2, 0.001),
    WarmRestarts(0.3, 1, 1, 0.0),
    WarmRestarts(0.02, 7, 3, 0.002),
    WarmRestarts(0.05, 3, 1, 0.05),
]


@dataclass
class Regression:
    """Noisy linear regression, whose update uses everything that it is given."""

    name: str = "regression"
    metric: str = "error"
    direction: str = "minimize"
    steps_per_epoch: int = 3
    budget: int = 6
    hparams: dict[str, Any] = field(default_factory=lambda: {"decay": (0.0, 0.1)})

    def init(self, key: jax.Array) -> Any:
        return {"w": jax.random.normal(key, (5,)), "noise": jax.random.key(0)}

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        x = jax.random.normal(key, (8, 5))
        gradient = jax.grad(lambda w: jnp.mean((x @ w - x.sum(1)) ** 2))(state["w"])
        w = state["w"] - lr * (gradient + hparams["decay"] * state["w"])
        return {"w": w, "noise": jax.random.fold_in(state["noise"], step)}

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": jnp.mean((state["w"] - 1) ** 2), "noise": jax.random.normal(state["noise"])}


@pytest.fixture(scope="module")
def devices() -> list[jax.Device]:
    return local_devices()[0]


def made(
    workload: Any, devices: list[jax.Device], each: int = 2, hparams: Any = (), any_schedule: bool = False
) -> Population:
    population = Population(workload, each * len(devices), devices, hparams, any_schedule)
    population.compile()
    return population


def trained(population: Population, slot: int, trial: tuple[Any, ...], epochs: int) -> dict[str, Any]:
    """The curves of a trial in a slot, advanced in calls of different lengths."""
    population.fill(slot, *trial)
    return curves(population, slot, epochs)


def functions(workload: Any) -> tuple[Any, ...]:
    """The functions of a workload, compiled."""
    return tuple(map(jax.jit, (workload.init, workload.update, workload.evaluate)))


def retrained(
    functions: tuple[Any, ...],
    steps_per_epoch: int,
    schedule: WarmRestarts,
    epochs: int,
    seed: int,
    hparams: Any,
) -> dict[str, Any]:
    """The same trial by a plain loop, one step at a time, with rates in plain Python."""
    in_steps = schedule.scaled(steps_per_epoch)
    init, update, evaluate = functions
    state = init(trial_key(jnp.uint32(seed), INITIAL))
    curves: dict[str, list[float]] = {}
    for epoch in range(epochs):
        for step in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
            lr = jnp.float32(in_steps(step))
            state = update(state, lr, jnp.int32(step), trial_key(jnp.uint32(seed), step), hparams)
        for name, value in evaluate(state).items():
            curves.setdefault(name, []).append(float(value))
    return curves


def test_trial_equals_a_plain_unbatched_loop(devices: list[jax.Device]) -> None:
    workload = Regression()
    population = made(workload, devices, hparams=["decay"])
    compiled = functions(workload)
    for schedule in SCHEDULES:
        curves = trained(population, 1, (schedule, 6, 7, {"decay": 0.03}), epochs=6)
        plain = retrained(compiled, 3, schedule, 6, 7, {"decay": jnp.float32(0.03)})
        for name in plain:
            said = f"{name} of {schedule}"
            np.testing.assert_allclose(curves[name], plain[name], rtol=2e-4, atol=1e-6, err_msg=said)
        assert curves[FINITE] == [1.0] * 6


@pytest.mark.slow
def test_digits_trial_equals_a_plain_unbatched_loop(devices: list[jax.Device]) -> None:
    workload = find("digits")
    schedule = WarmRestarts(0.1, 1, 2, 0.001)
    curves = trained(made(workload, devices), 0, (schedule, 3, 11, {}), epochs=3)
    plain = retrained(functions(workload), workload.steps_per_epoch, schedule, 3, 11, {})
    np.testing.assert_allclose(curves["loss"], plain["loss"], rtol=1e-3)
    np.testing.assert_allclose(curves["error"], plain["error"], atol=2.5 / 258)


@pytest.mark.parametrize(
    ("workload", "each"), [(Regression(), 2), pytest.param("digits", 4, marks=pytest.mark.slow)]
)
def test_trial_is_bit_identical_in_any_slot_beside_any_neighbours(
    devices: list[jax.Device], workload: Any, each: int
) -> None:
    workload, hparams = (find(workload), {}) if isinstance(workload, str) else (workload, {"decay": 0.01})
    trial = (WarmRestarts(0.2, 1, 2, 0.001), 4, 5, hparams)
    population = made(workload, devices, each, list(hparams))
    alone = trained(population, 0, trial, epochs=4)
    for slot in range(population.slots):
        for neighbour in range(population.slots):
            schedule = SCHEDULES[(slot + neighbour) % len(SCHEDULES)]
            population.fill(neighbour, schedule, 4, 100 + 10 * slot + neighbour, hparams)
        diverging = (slot + 1) % population.slots
        population.fill(diverging, WarmRestarts(1e30, 3), 4, 1, hparams)
        population.advance(1 + slot % 3)  # neighbours at other epochs than the trial
        assert trained(population, slot, trial, epochs=4) == alone


def test_refilled_slot_forgets_its_last_trial(devices: list[jax.Device]) -> None:
    population = made(Regression(), devices, hparams=["decay"])
    trial = (SCHEDULES[0], 6, 3, {"decay": 0.0})
    first = trained(population, 0, trial, epochs=5)
    trained(population, 0, (WarmRestarts(1e30, 3), 6, 4, {"decay": 0.1}), epochs=3)
    assert trained(population, 0, trial, epochs=5) == first


def test_other_seeds_give_other_trials(devices: list[jax.Device]) -> None:
    population = made(Regression(), devices, hparams=["decay"])
    curves = [
        trained(population, 0, (SCHEDULES[0], 6, seed, {"decay": 0.0}), epochs=2)["error"]
        for seed in range(4)
    ]
    assert len({tuple(curve) for curve in curves}) == 4


def test_nothing_is_compiled_again_whatever_the_schedules(devices: list[jax.Device]) -> None:
    compilations()
    population = made(Regression(), devices, hparams=["decay"])
    population.advance(1).read()
    before = compilations()
    for number, schedule in enumerate(SCHEDULES):
        population.fill(number % population.slots, schedule, 6, number, {"decay": 0.1 * number})
        population.advance(1 + number % LONGEST_CALL).read()
    assert compilations() == before


def test_divergence_is_seen_in_the_state_where_the_metric_hides_it(devices: list[jax.Device]) -> None:
    class Hiding(Regression):
        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            return {"error": jnp.where(jnp.isfinite(state["w"][0]), 0.5, 0.9)}

    population = made(Hiding(), devices, hparams=["decay"])
    population.fill(0, WarmRestarts(1e30, 3), 6, 0, {"decay": 0.0})
    population.fill(1, SCHEDULES[0], 6, 0, {"decay": 0.0})
    values = population.advance(3).read()
    assert np.isfinite(values["error"]).all()
    assert values[FINITE][:, :2].tolist() == [[0.0, 1.0]] * 3


def test_state_of_a_slot_is_what_it_trained_and_nothing_is_compiled_for_it(devices: list[jax.Device]) -> None:
    workload = Regression()
    population = made(workload, devices, hparams=["decay"])
    for slot in range(population.slots):
        population.fill(slot, SCHEDULES[slot % len(SCHEDULES)], 6, 40 + slot, {"decay": 0.01})
    values = population.advance(4).read()
    evaluate = jax.jit(workload.evaluate)
    before = compilations()
    states = [population.state(slot) for slot in range(population.slots)]
    assert compilations() == before
    for slot, state in enumerate(states):
        assert isinstance(state["w"], np.ndarray) and state["w"].shape == (5,)
        for name, value in evaluate(state).items():
            assert value == pytest.approx(float(values[name][3, slot]), rel=1e-5)


def test_state_is_a_copy_that_later_calls_leave_alone(devices: list[jax.Device]) -> None:
    trial = (SCHEDULES[0], 6, 3, {"decay": 0.0})
    population = made(Regression(), devices, hparams=["decay"])
    undisturbed = trained(population, 1, trial, epochs=6)
    population.fill(1, *trial)
    population.advance(2).read()
    state = population.state(1)
    weights, key = state["w"].copy(), np.asarray(jax.random.key_data(state["noise"]))
    rest = population.advance(4).read()
    np.testing.assert_array_equal(state["w"], weights)
    np.testing.assert_array_equal(jax.random.key_data(state["noise"]), key)
    assert (population.state(1)["w"] != weights).any()
    assert rest["error"][:, 1].tolist() == undisturbed["error"][2:]  # nor does it disturb them


def test_there_is_no_state_before_training_nor_beyond_the_slots(devices: list[jax.Device]) -> None:
    population = made(Regression(), devices, hparams=["decay"])
    with pytest.raises(ValueError, match="advance them first"):
        population.state(0)
    population.advance(1)
    for slot in (-1, population.slots):
        with pytest.raises(ValueError, match=f"slot={slot} must be from 0 to {population.slots - 1}"):
            population.state(slot)


class Rbg(Regression):
    """Its state holds several keys of another kind than JAX's default."""

    def init(self, key: jax.Array) -> Any:
        keys = jax.random.split(jax.random.key(3, impl="rbg"), 2)
        return {**super().init(key), "keys": keys, "half": jnp.ones((2, 3), jnp.bfloat16), "none": None}

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        folded = jax.vmap(jax.random.fold_in, (0, None))(state["keys"], step)
        return {
            **super().update(state, lr, step, key, hparams),
            "keys": folded,
            "half": state["half"] * 1.5,
            "none": None,
        }

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {
            **super().evaluate(state),
            "keys": jax.random.key_data(state["keys"])[1, 2].astype(jnp.float32),
            "half": state["half"].sum().astype(jnp.float32),
        }


@pytest.mark.parametrize(
    "workload",
    [pytest.param(Regression(), marks=pytest.mark.slow, id="keys"), pytest.param(Rbg(), id="rbg-keys")],
)
def test_a_restored_slot_goes_on_as_one_that_was_never_interrupted(
    devices: list[jax.Device], workload: Regression
) -> None:
    trial = (SCHEDULES[0], 6, 3, {"decay": 0.01})
    population = made(workload, devices, hparams=["decay"])
    undisturbed = trained(population, 0, trial, epochs=6)
    population.fill(0, *trial)
    first = population.advance(2).read()
    state = population.state(0)
    for target in range(population.slots):
        everywhere = {}
        for slot in range(population.slots):
            everywhere[slot] = (*trial[:2], 50 + slot, trial[3])
            population.fill(slot, *everywhere[slot])
        beside = population.advance(1).read()
        population.fill(target, *trial)
        population.restore(target, state, 2)
        rest = [population.advance(epochs).read() for epochs in (1, 3)]
        for name, values in undisturbed.items():
            after = [value for part in rest for value in part[name][:, target].tolist()]
            assert first[name][:, 0].tolist() + after == values
        for slot in everywhere.keys() - {target}:
            alone = trained(population, slot, everywhere[slot], epochs=5)
            errors = [value for part in (beside, *rest) for value in part["error"][:, slot].tolist()]
            assert errors == alone["error"]


@pytest.mark.parametrize("each", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_a_state_is_restored_in_a_population_that_has_trained_nothing(
    devices: list[jax.Device], each: int
) -> None:
    trial = (SCHEDULES[2], 6, 3, {"decay": 0.0})
    population = made(Rbg(), devices, hparams=["decay"])
    undisturbed = trained(population, 1, trial, epochs=6)
    population.fill(1, *trial)
    population.advance(4).read()
    state = population.state(1)
    fresh = made(Rbg(), devices, each, hparams=["decay"])
    slot = fresh.slots - 1
    fresh.fill(slot, *trial)
    fresh.restore(slot, state, 4)
    for name in state:
        if name not in ("noise", "keys", "none"):
            np.testing.assert_array_equal(fresh.state(slot)[name], state[name])
    assert fresh.advance(2).read()["error"][:, slot].tolist() == undisturbed["error"][4:]


def test_a_schedule_may_change_where_a_state_is_restored(devices: list[jax.Device]) -> None:
    population = made(Regression(), devices, hparams=["decay"])
    population.fill(0, SCHEDULES[0], 6, 3, {"decay": 0.0})
    population.advance(2).read()
    state = population.state(0)
    population.fill(1, WarmRestarts(1e-30, 4), 6, 3, {"decay": 0.0})
    population.restore(1, state, 2)
    population.advance(3).read()
    np.testing.assert_array_equal(population.state(1)["w"], state["w"])  # at a rate of nothing


def test_restoring_compiles_one_small_program_and_none_after(devices: list[jax.Device]) -> None:
    compilations()
    population = made(Rbg(), devices, hparams=["decay"])
    before = compilations()
    population.advance(1).read()
    states = [population.state(slot) for slot in range(population.slots)]
    assert compilations() == before
    for slot, state in enumerate(states):
        population.fill(slot, SCHEDULES[slot % len(SCHEDULES)], 6, slot, {"decay": 0.0})
        population.restore(slot, state, 1 + slot)
        population.advance(1).read()
    assert compilations() == before + 1


def test_a_state_is_not_restored_where_it_does_not_fit(devices: list[jax.Device]) -> None:
    population = made(Rbg(), devices, hparams=["decay"])
    population.fill(0, SCHEDULES[0], 6, 3, {"decay": 0.0})
    before = population.advance(2).read()
    state = population.state(0)
    for slot in (-1, population.slots):
        with pytest.raises(ValueError, match=f"slot={slot} must be from 0 to {population.slots - 1}"):
            population.restore(slot, state, 2)
    with pytest.raises(ValueError, match="epoch=0 must be a whole number of at least 1"):
        population.restore(0, state, 0)
    others = {
        r"state\['w'\] is float32\[4\] in what is given, and float32\[5\] in the workload": {
            "w": state["w"][1:]
        },
        r"state\['w'\] is float64\[5\]": {"w": state["w"].astype(float)},
        r"state\['w'\] is float\[\]": {"w": 0.5},
        r"state\['w'\]\[0\] is float32\[5\] in what is given, and not there|is not there": {
            "w": [state["w"]]
        },
        r"state\['keys'\] is key<fry>\[2\] .* key<rbg>\[2\]": {
            "keys": jax.random.split(jax.random.key(0), 2)
        },
        r"state is the tree .* and PyTreeDef": {"none": ()},
    }
    for said, change in others.items():
        with pytest.raises(ValueError, match=said):
            population.restore(0, {**state, **change}, 2)
    # Nothing has changed.
    rest = population.advance(1).read()["error"][:, 0].tolist()
    whole = trained(population, 0, (SCHEDULES[0], 6, 3, {"decay": 0.0}), epochs=3)["error"]
    assert before["error"][:, 0].tolist() + rest == whole


@pytest.mark.slow
def test_data_is_an_argument_and_not_part_of_the_program(devices: list[jax.Device]) -> None:
    population = Population(find("mnist1d"), 2 * len(devices), devices)
    data = sum(np.asarray(array).nbytes for array in population._data)
    assert data > 1_000_000
    assert len(population._lowered.as_text()) < 500_000


def test_slots_are_a_multiple_of_the_devices(devices: list[jax.Device]) -> None:
    with pytest.raises(ValueError, match="slots=0"):
        Population(Regression(), 0, devices, ["decay"])
    if len(devices) > 1:
        with pytest.raises(ValueError, match=r"slots=3 .* multiple"):
            Population(Regression(), 3, devices, ["decay"])


def test_call_advances_no_more_than_its_buffer_holds(devices: list[jax.Device]) -> None:
    population = made(Regression(), devices, hparams=["decay"])
    for epochs in (0, LONGEST_CALL + 1):
        with pytest.raises(ValueError, match=f"epochs={epochs}"):
            population.advance(epochs)


# Any schedule.

RELATIVES = [
    OneCycle(0.3, 6),
    Cyclic(0.2, 1, 2, 0.01, "exp_range", 0.9),
    StepDecay(0.1, (2, 4.5), 0.2),
    Joined([WarmRestarts(0.1, 1, 2), OneCycle(0.2, 3)], [3]),
    Chained([WarmRestarts(0.1, 1.5, 1.5, 0.001, 0.8, 3), StepDecay(1.0, (4,))]),
    Warmup(WarmRestarts(0.1, 2, 2), 1),
]


class Rates(Regression):
    """Its values are the rates of the last two steps of every epoch."""

    def init(self, key: jax.Array) -> Any:
        return jnp.zeros(2)

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        return jnp.stack([lr, state[0]])

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": state[0], "before": state[1]}


@pytest.fixture(scope="module")
def rates(devices: list[jax.Device]) -> Population:
    return made(Rates(), devices, hparams=["decay"], any_schedule=True)


def own_function(epoch: Any) -> Any:
    return 0.1 / (1 + epoch)


@pytest.mark.parametrize(
    "schedule",
    [*SCHEDULES, *RELATIVES, own_function],
    ids=lambda schedule: getattr(schedule, "__name__", None) or str(schedule),
)
def test_rates_of_any_schedule_are_right_to_rounding(schedule: Any, rates: Population) -> None:
    curves = trained(rates, 1, (schedule, 6, 7, {"decay": 0.0}), epochs=6)
    steps = schedule.scaled(3) if hasattr(schedule, "scaled") else lambda step: schedule(step / 3)
    for name, place in (("error", 2), ("before", 1)):
        truth = [steps(3 * epoch + place) for epoch in range(6)]
        np.testing.assert_allclose(curves[name], truth, rtol=1e-7, atol=1e-30)


def test_restarts_train_alike_whoever_works_out_their_rates(devices: list[jax.Device]) -> None:
    within, traced = (made(Regression(), devices, 2, ["decay"], any_schedule=each) for each in (False, True))
    for schedule in SCHEDULES:
        trial = (schedule, 6, 7, {"decay": 0.03})
        expected, errors = trained(within, 1, trial, epochs=6), trained(traced, 1, trial, epochs=6)
        for name in expected:
            np.testing.assert_allclose(errors[name], expected[name], rtol=2e-4, atol=1e-6)


def test_nothing_is_compiled_again_for_any_schedule(devices: list[jax.Device]) -> None:
    compilations()
    population = made(Regression(), devices, hparams=["decay"], any_schedule=True)
    before = compilations()
    for number, schedule in enumerate([*SCHEDULES, *RELATIVES]):
        population.fill(number % population.slots, schedule, 6, number, {"decay": 0.1 * number})
        population.advance(1 + number % LONGEST_CALL).read()
    assert compilations() == before


def test_any_schedule_is_bit_identical_in_any_slot_and_goes_on_where_it_is_restored(
    devices: list[jax.Device],
) -> None:
    population = made(Regression(), devices, hparams=["decay"], any_schedule=True)
    trial = (RELATIVES[3], 6, 5, {"decay": 0.01})
    alone = trained(population, 0, trial, epochs=6)
    for slot in range(population.slots):
        for neighbour in range(population.slots):
            population.fill(neighbour, RELATIVES[neighbour % 6], 4, 100 + neighbour, {"decay": 0.0})
        population.advance(1 + slot)
        assert trained(population, slot, trial, epochs=6) == alone
    population.fill(0, *trial)
    population.advance(4)
    state = population.state(0)
    population.fill(1, *trial)
    population.restore(1, state, 4)
    assert population.advance(2).read()["error"][:, 1].tolist() == alone["error"][4:]


def test_a_program_for_restarts_takes_no_other_schedule(devices: list[jax.Device]) -> None:
    population = Population(Regression(), len(devices), devices, ["decay"])
    others = WarmRestarts(0.1, 2.5), WarmRestarts(0.1, 2, peak_decay=0.5), lambda epoch: 0.1
    for schedule in (*RELATIVES, *others):
        with pytest.raises(ValueError, match="make the population with any_schedule=True"):
            population.fill(0, schedule, 4, 0, {"decay": 0.0})
