"""A workload from the usual pieces: an apply function, a loss, arrays and an optax optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from sgdr import checks
from sgdr.search.problem.hparams import dtypes, examples
from sgdr.search.problem.shuffle import shuffled
from sgdr.search.problem.workload import check_declaration

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int, Int32, Key, Num, Shaped, UInt32

Params = Any
Array = np.ndarray[Any, Any]
PerExample = Callable[[jax.Array, jax.Array], jax.Array]
"""A function from (predictions [n, ...], targets [n, ...]) to one value per example [n]."""
LEAST = float(np.finfo(np.float32).tiny)
"""The probability that is taken for a smaller one, whose logarithm would be infinite."""


def cross_entropy(
    logits: Float[jax.Array, "n classes"], labels: Int[jax.Array, " n"]
) -> Float[jax.Array, " n"]:
    """The softmax cross-entropy of labels under logits, per example, in nats."""
    # A product with one-hot rows, since the gradient of picking a label's logit is a scatter, which is slow.
    return -jnp.sum(jax.nn.log_softmax(logits) * jax.nn.one_hot(labels, logits.shape[-1]), axis=-1)


def misclassified(
    logits: Float[jax.Array, "n classes"], labels: Int[jax.Array, " n"]
) -> Float32[jax.Array, " n"]:
    """1.0 where the largest logit is not that of the label, else 0.0, per example."""
    return (jnp.argmax(logits, axis=-1) != labels).astype(jnp.float32)


class SupervisedState(NamedTuple):
    params: Params
    optimizer: optax.OptState
    shuffle_seed: UInt32[jax.Array, ""]
    """The seed that decides the order of the examples in every epoch."""


class Supervised:
    """Minibatch training on arrays that stay on the device once, shared by all trials.

    Every epoch visits the examples in a new random order, each at most once; what does not fill a last
    batch waits for another epoch. The validation examples are halved: on the even ones the values are named
    `select_…` and choose the epoch; on the odd ones, under their own names, they are read.
    """

    def __init__(
        self,
        name: str,
        *,
        params: Callable[[Key[jax.Array, ""]], Params],
        apply: Callable[[Params, Shaped[jax.Array, "n ..."]], Shaped[jax.Array, "n ..."]],
        train: tuple[ArrayLike, ArrayLike],
        valid: tuple[ArrayLike, ArrayLike],
        optimizer: Callable[..., optax.GradientTransformation],
        batch_size: int,
        budget: int,
        loss: PerExample = cross_entropy,
        metrics: Mapping[str, PerExample] | None = None,
        metric: str = "error",
        direction: str = "minimize",
        base_lr: tuple[float, float] | None = None,
        hparams: Mapping[str, Any] | None = None,
        evaluation_batch: int = 1024,
    ) -> None:
        """Checks that the pieces fit together; computes nothing.

        Args:
            params: a key to the parameters of a new model.
            apply: parameters and inputs to predictions.
            train: (inputs, targets), arrays whose first axis counts the examples.
            valid: the same, not trained on.
            optimizer: the learning rate, and `hparams` by keyword, to an optax transformation: `optax.adam`,
                or `functools.partial(optax.sgd, momentum=0.9)`.
            loss: what is minimised, per example; also reported, as `loss`.
            metrics: further values per example, reported under their names; `error` by default.
            metric: which of the reported values a sweep optimises.
            base_lr: the range in which a sweep searches the peak rate.
            hparams: further values to search, by the optimizer's keyword (see `Space`).
            evaluation_batch: how many examples are evaluated at once, which bounds the memory it takes.

        Raises ValueError when arrays differ in length, are too short, or a name is not reported.
        """
        self.name = name
        self.metric = metric
        self.select_metric = f"select_{metric}"
        self.direction = direction
        self.budget = checks.plain(budget)
        if base_lr is not None:
            self.base_lr = base_lr
        self.hparams = dict(hparams or {})
        batch_size, evaluation_batch = checks.plain(batch_size), checks.plain(evaluation_batch)
        self.batch_size = batch_size
        self._params, self._apply, self._optimizer, self._loss = params, apply, optimizer, loss
        self._metrics = {**({"error": misclassified} if metrics is None else metrics), "loss": loss}
        for argument, size in (("batch_size", batch_size), ("evaluation_batch", evaluation_batch)):
            if size < 1:
                raise ValueError(f"workload {name!r}: {argument}={size} must be at least 1")
        self._train = _pair(name, "train", train, at_least=batch_size)
        inputs, targets = _pair(name, "valid", valid, at_least=2)
        self._valid, self._targets = _Batches(inputs, targets, evaluation_batch), targets
        self._evaluation_batch = evaluation_batch
        self._halves = {
            "select_": _Batches(inputs[0::2], targets[0::2], evaluation_batch),
            "": _Batches(inputs[1::2], targets[1::2], evaluation_batch),
        }
        self.steps_per_epoch = len(self._train[1]) // batch_size
        if metric not in self._metrics:
            raise ValueError(
                f"workload {name!r}: metric={metric!r} is not reported; use one of {sorted(self._metrics)}"
            )
        check_declaration(self)

    def init(self, key: Key[jax.Array, ""]) -> SupervisedState:
        """New parameters, the optimizer's state, and the seed of the examples' order."""
        params = self._params(key)
        optimizer = self._optimizer(0.0, **examples(dtypes(self, self.hparams.keys())))
        # A word of the key is as random as another draw, which would have to be compiled.
        shuffle_seed = jax.random.key_data(key).ravel()[-1].astype(jnp.uint32)
        return SupervisedState(params, optimizer.init(params), shuffle_seed)

    def update(
        self,
        state: SupervisedState,
        lr: Float32[jax.Array, ""],
        step: Int32[jax.Array, ""],
        key: Key[jax.Array, ""],
        hparams: dict[str, Num[jax.Array, ""]],
    ) -> SupervisedState:
        """One step on the minibatch that `step` and the state's seed name."""
        x, y = self.minibatch(state, step)

        def mean_loss(params: Params) -> jax.Array:
            return jnp.mean(self._loss(self._apply(params, _as_float(x)), y))

        gradient = jax.grad(mean_loss)(state.params)
        updates, optimizer = self._optimizer(lr, **hparams).update(gradient, state.optimizer, state.params)
        return SupervisedState(optax.apply_updates(state.params, updates), optimizer, state.shuffle_seed)

    def minibatch(
        self, state: SupervisedState, step: Int32[jax.Array, ""]
    ) -> tuple[Shaped[jax.Array, "batch_size ..."], Shaped[jax.Array, "batch_size ..."]]:
        """The training examples of that step: inputs as they were given, and targets."""
        epoch, batch = step // self.steps_per_epoch, step % self.steps_per_epoch
        inputs, targets = map(jnp.asarray, self._train)
        places = batch * self.batch_size + jnp.arange(self.batch_size, dtype=jnp.int32)
        chosen = shuffled(places, len(targets), state.shuffle_seed, epoch)
        return inputs[chosen], targets[chosen]

    def evaluate(self, state: SupervisedState) -> dict[str, Num[jax.Array, ""]]:
        """The means of all metrics over each half of the validation examples."""

        def values(x: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
            return self._measured(self._apply(state.params, _as_float(x)), y)

        return {
            prefix + name: value
            for prefix, half in self._halves.items()
            for name, value in half.means(values).items()
        }

    def predict(self, state: SupervisedState) -> Shaped[jax.Array, "n ..."]:
        """The predictions for all validation examples, in their order.

        Probabilities under `cross_entropy`, whose mean over models is theirs together; else what `apply`
        gives.
        """

        def predicted(x: jax.Array) -> jax.Array:
            output = self._apply(state.params, _as_float(x))
            if self._loss is not cross_entropy:
                return output
            return jax.nn.softmax(output.astype(jnp.promote_types(output.dtype, jnp.float32)))

        return self._valid.map(predicted)

    def score(self, predictions: Shaped[jax.Array, "n ..."]) -> dict[str, Num[jax.Array, ""]]:
        """The values of `evaluate`, of such predictions as `predict` gives, or means of them.

        Under `cross_entropy` the metrics are given the logarithms of the probabilities: logits less a
        constant an example. Probabilities below `LEAST` count as that.
        """

        def values(outputs: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
            if self._loss is cross_entropy:
                outputs = jnp.log(jnp.maximum(outputs, LEAST))
            return self._measured(outputs, y)

        halves = {prefix: slice(start, None, 2) for start, prefix in enumerate(self._halves)}
        return {
            prefix + name: value
            for prefix, half in halves.items()
            for name, value in _Batches(predictions[half], self._targets[half], self._evaluation_batch)
            .means(values)
            .items()
        }

    def _measured(self, predictions: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
        return {name: metric(predictions, y) for name, metric in self._metrics.items()}


class _Batches:
    """Examples in equal batches and a remainder, so that evaluating them takes bounded memory."""

    def __init__(self, inputs: Array | jax.Array, targets: Array, size: int) -> None:
        self._count = len(targets)
        whole = self._count // size * size
        self._whole = (
            inputs[:whole].reshape(-1, size, *inputs.shape[1:]),
            targets[:whole].reshape(-1, size, *targets.shape[1:]),
        )
        self._rest = (inputs[whole:], targets[whole:])

    def means(self, values: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]) -> dict[str, jax.Array]:
        """The mean over the examples of what `values` gives for each, by name."""

        def sums(batch: tuple[ArrayLike, ArrayLike]) -> dict[str, jax.Array]:
            return {name: jnp.sum(value) for name, value in values(*map(jnp.asarray, batch)).items()}

        parts = []
        if len(self._whole[0]) == 1:  # not a loop, in which XLA compiles slower code
            parts.append(sums((self._whole[0][0], self._whole[1][0])))
        elif len(self._whole[0]) > 1:
            sums_by_batch = jax.lax.map(sums, self._whole)
            parts.append({name: jnp.sum(value) for name, value in sums_by_batch.items()})
        if len(self._rest[0]):
            parts.append(sums(self._rest))
        return {name: jnp.stack([part[name] for part in parts]).sum() / self._count for name in parts[0]}

    def map(self, function: Callable[[jax.Array], jax.Array]) -> Shaped[jax.Array, "n ..."]:
        """What `function` gives for the inputs of all examples, in their order."""
        batches, rest = self._whole[0], self._rest[0]
        parts = []
        if len(batches) == 1:
            parts.append(function(jnp.asarray(batches[0])))
        elif len(batches) > 1:
            mapped = jax.lax.map(function, jnp.asarray(batches))
            parts.append(mapped.reshape(-1, *mapped.shape[2:]))
        if len(rest):
            parts.append(function(jnp.asarray(rest)))
        return jnp.concatenate(parts)


def _pair(name: str, role: str, pair: tuple[ArrayLike, ArrayLike], at_least: int) -> tuple[Array, Array]:
    # Kept by NumPy until the engine traces them, so that declaring a workload does not start JAX's devices.
    inputs, targets = (np.asarray(part) for part in pair)
    if not (inputs.ndim and targets.ndim):
        raise ValueError(f"workload {name!r}: {role} must be two arrays whose first axis counts the examples")
    if len(inputs) != len(targets):
        raise ValueError(
            f"workload {name!r}: {role} has {len(inputs)} inputs and {len(targets)} targets; "
            "give one for each"
        )
    if len(inputs) < at_least:
        raise ValueError(
            f"workload {name!r}: {role} has {len(inputs)} examples; at least {at_least} are needed"
        )
    return inputs, targets


def _as_float(x: jax.Array) -> jax.Array:
    """Bytes, as images are kept to save memory, become fractions of 255; the rest stays as it is."""
    return x.astype(jnp.float32) / 255.0 if x.dtype == jnp.uint8 else x
