"""Whole values reach a workload of arrays as whole ones; what its arrays do not hold is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sgdr import WarmRestarts, search
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.backend.program import epoch_values
from sgdr.search.backend.slots import FINITE
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.hparams import REAL, WHOLE, check, dtypes, fitted


class Wide:
    """A workload whose values tell what it was given, and which may overflow in a complex leaf alone."""

    name = "wide"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 1
    budget = 4
    hparams = {"count": (1, 2**30), "size": [1, 2.5], "growth": (0.0, 1e30)}  # noqa: RUF012

    def init(self, key: jax.Array) -> Any:
        return {
            "w": jnp.ones(2, jnp.complex64),
            "narrow": jnp.ones(2, jnp.float8_e4m3fn),
            "key": key,
            "count": jnp.int32(0),
            "is_whole": jnp.bool_(False),
        }

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        whole = jnp.issubdtype(hparams["count"].dtype, jnp.integer)
        w = state["w"] * (1 + 1j * hparams["growth"])
        return {**state, "w": w, "count": hparams["count"].astype(jnp.int32), "is_whole": jnp.bool_(whole)}

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": jnp.float32(0.5), "count": state["count"], "is_whole": state["is_whole"]}


def test_whole_values_are_exact_and_complex_overflow_is_divergence_in_one_program() -> None:
    devices = local_devices()[0][:1]
    population = Population(Wide(), 2, devices, Wide.hparams)  # type: ignore[arg-type]
    population.compile()
    schedule = WarmRestarts(0.1, 2)
    population.fill(0, schedule, 4, 0, {"count": 2**24 + 1, "size": 2.5, "growth": 0.5})
    population.fill(1, schedule, 4, 1, {"count": np.int64(7), "size": 1, "growth": 1e30})
    values = population.advance(3).read()
    assert values["count"].tolist() == [[16777217.0, 7.0]] * 3
    assert values["is_whole"].tolist() == [[1.0, 1.0]] * 3
    assert values[FINITE].tolist() == [[1.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="'count': 2147483648 does not fit into int32"):
        population.fill(0, schedule, 4, 0, {"count": 2**31, "size": 2.5, "growth": 0.5})


@pytest.mark.parametrize(
    "dtype", [jnp.float16, jnp.bfloat16, jnp.float8_e4m3fn, jnp.float8_e5m2, jnp.float32, jnp.complex64]
)
def test_what_is_not_finite_is_seen_in_every_type(dtype: Any) -> None:
    class Holding:
        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            return {"error": jnp.float32(0.0)}

    leaves: list[Any] = [[1, np.nan], [1, 2]]
    if dtype == jnp.complex64:
        leaves += [[1, complex(0, np.inf)], [complex(np.inf, 0), 1]]
    state = {"leaf": jnp.array(leaves, dtype), "count": jnp.zeros(len(leaves), jnp.int32)}
    finite = [0.0, 1.0, 0.0, 0.0][: len(leaves)]
    assert epoch_values(Holding(), state)[FINITE].tolist() == finite  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "drawn", "dtype"),
    [
        ((1, 4), IntDistribution(1, 4), WHOLE),
        (3, IntDistribution(3, 3), WHOLE),
        ([16, 32], CategoricalDistribution([16]), WHOLE),
        ([16, 2.5], CategoricalDistribution([16, 2.5]), REAL),
        ([True, False], CategoricalDistribution([True, False]), REAL),
        ((0.0, 4.0), IntDistribution(1, 4), REAL),  # its arithmetic stays the one that was declared
        ((1, 4), FloatDistribution(2.5, 2.5), REAL),
        ((1, 4.0), FloatDistribution(1, 4), REAL),
    ],
)
def test_whole_are_values_that_are_declared_and_drawn_as_whole_numbers(
    declared: Any, drawn: Any, dtype: Any
) -> None:
    class Named:
        hparams = {"n": declared}  # noqa: RUF012

    assert dtypes(Named(), {"n": drawn}) == {"n": dtype}


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ((1, 2**31), "2147483648 does not fit into int32"),
        (-(2**31) - 1, "-2147483649 does not fit into int32"),
        ([1, 10**12], "1000000000000 does not fit into int32"),
        (1e39, "1e.39 does not fit into float32"),
        ((0.0, 1e300), "1e.300 does not fit into float32"),
        ((1e-50, 1.0, "log"), "1e-50 does not fit into float32"),
        ([0.5, 16777217], "16777217 does not fit into float32"),
        ([0.5, 10**400], "does not fit into float32"),
        (["a", 1], "takes numbers only"),
    ],
)
def test_what_arrays_do_not_hold_is_refused_before_anything_is_trained(
    declared: Any, why: str, tmp_path: Any
) -> None:
    class Refused(Wide):
        hparams = {"n": declared}  # noqa: RUF012

    url = f"sqlite:///{tmp_path}/none.db"
    with pytest.raises(ValueError, match=f"hparams 'n'.*{why}"):
        search.sweep(Refused(), trials=1, storage=url)
    assert not list(tmp_path.iterdir())


def test_whole_numbers_for_a_declared_float_end_where_float32_skips_some() -> None:
    class Real:
        hparams = {"n": (0.0, 1.0)}  # noqa: RUF012

    check(Real(), {"n": IntDistribution(1, 2**24)})
    for low, high in ((1, 2**24 + 2), (2**24, 2**24 + 2), (-(2**25), 0)):
        with pytest.raises(ValueError, match="does not fit into float32"):
            check(Real(), {"n": IntDistribution(low, high)})


def test_a_function_takes_any_number() -> None:
    @search.workload(
        metric="error", direction="minimize", budget=4, hparams={"n": [2**53 - 1], "x": 1e300, "how": ["a"]}
    )
    def train(run: Any) -> None:
        pass

    assert search.Space().resolved(Declaration.of(train), 4).hparams["x"].low == 1e300  # type: ignore


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3)])
def test_whole_values_may_come_as_floats_and_others_not(value: Any) -> None:
    assert fitted("n", value, WHOLE) == 3
    assert fitted("n", value, WHOLE).dtype == WHOLE
    for refused in (2.5, True, "3", None, np.inf):
        with pytest.raises(ValueError, match="hparams 'n'"):
            fitted("n", refused, WHOLE)
    assert fitted("n", True, REAL) == 1.0
    assert np.isinf(fitted("n", np.inf, REAL))


def test_functions_are_traced_with_whole_values() -> None:
    check_functions(Wide(), {"count": 0, "size": 0.0, "growth": 0.0})  # type: ignore[arg-type]

    class Complex(Wide):
        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            return {"error": state["w"].sum()}

    with pytest.raises(ValueError, match="is complex64; return a real number"):
        check_functions(Complex(), {"count": 0, "size": 0.0, "growth": 0.0})  # type: ignore[arg-type]
