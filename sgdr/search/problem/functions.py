"""Whether the functions of a `Workload` fit together: they are traced, and nothing is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sgdr.search.problem.user_code import told
from sgdr.search.problem.workload import RESERVED, State, Workload


def check_functions(workload: Workload, hparams: Mapping[str, float]) -> None:
    """Raises ValueError where the functions do not fit together; traces them and computes nothing.

    `hparams` holds an example of every further value that is searched.
    """
    import jax
    import jax.numpy as jnp

    who = f"workload {workload.name!r}"

    def traced(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return jax.eval_shape(function, *arguments)
        except Exception as error:
            raise ValueError(f"{who}: {function.__name__}() fails: {told(error)}") from error

    key = jax.eval_shape(lambda: jax.random.key(0))
    state = traced(workload.init, key)
    if not jax.tree.leaves(state):
        raise ValueError(f"{who}: init() returns a state without arrays; return what update() changes")
    types = {name: jnp.int32 if type(value) is int else jnp.float32 for name, value in hparams.items()}
    rate, step = (jax.ShapeDtypeStruct((), dtype) for dtype in (jnp.float32, jnp.int32))
    values = {name: jax.ShapeDtypeStruct((), dtype) for name, dtype in types.items()}
    _check_update(who, state, traced(workload.update, state, rate, step, key, values))
    metrics = traced(workload.evaluate, state)
    if not isinstance(metrics, dict):
        raise ValueError(f"{who}: evaluate() returns a {type(metrics).__name__}; return a dict of scalars")
    for role in ("metric", "select_metric"):
        name = getattr(workload, role, None)
        if name is not None and name not in metrics:
            raise ValueError(f"{who}: {role}={name!r} is not among evaluate()'s {sorted(metrics)}")
    for name, value in metrics.items():
        if name in RESERVED:
            raise ValueError(f"{who}: evaluate()[{name!r}] has a name that tables of curves use; rename it")
        _check_scalar(f"{who}: evaluate()[{name!r}]", value)
        if jnp.issubdtype(value.dtype, jnp.complexfloating):
            raise ValueError(f"{who}: evaluate()[{name!r}] is {value.dtype}; return a real number of it")
    _check_ensemble(workload, who, traced, state, metrics)


def _check_update(who: str, state: State, after: State) -> None:
    """Raises ValueError where the state after a step has another form than the one before."""
    import jax

    form, form_after = str(jax.tree.structure(state)), str(jax.tree.structure(after))
    if form != form_after:
        raise ValueError(
            f"{who}: update() returns another tree than init(): {form_after} instead of {form}; "
            "return a state of the same form"
        )
    paths = jax.tree_util.tree_leaves_with_path(state)
    for (path, old), new in zip(paths, jax.tree.leaves(after), strict=True):
        if old.shape != new.shape or old.dtype != new.dtype:
            where = jax.tree_util.keystr(path) or "its only leaf"
            raise ValueError(
                f"{who}: update() turns {where} of the state from {old.dtype}{list(old.shape)} "
                f"into {new.dtype}{list(new.shape)}; keep shapes and dtypes as init() makes them"
            )


def _check_ensemble(
    workload: Any, who: str, traced: Callable[..., Any], state: State, metrics: Mapping[str, Any]
) -> None:
    """Raises ValueError where the two optional functions, `predict` and `score`, do not fit."""
    own = [name for name in ("predict", "score") if callable(getattr(workload, name, None))]
    if not own:
        return
    if len(own) == 1:
        raise ValueError(f"{who}: it has {own[0]}() alone of predict() and score(); give both, or neither")
    predictions = traced(workload.predict, state)
    if not hasattr(predictions, "dtype"):
        raise ValueError(f"{who}: predict() returns a {type(predictions).__name__}; return one array")
    scores = traced(workload.score, predictions)
    if not isinstance(scores, dict) or scores.keys() != metrics.keys():
        returned = sorted(scores) if isinstance(scores, dict) else f"a {type(scores).__name__}"
        raise ValueError(
            f"{who}: score() returns {returned} and evaluate() {sorted(metrics)}; return the same names"
        )
    for name, value in scores.items():
        _check_scalar(f"{who}: score()[{name!r}]", value)


def _check_scalar(what: str, value: Any) -> None:
    if value.shape != ():
        raise ValueError(f"{what} has shape {value.shape}; reduce it to a scalar")
