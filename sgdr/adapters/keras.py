"""`WarmRestartsSchedule`: a schedule for Keras 3, on any of its backends.

Keras counts in ints and computes in float32. So the cycle is found in ints, by a division or in a table of
exact starts, and only what is left of it becomes a float: a logarithm, rounded, gives the wrong cycle at
restarts, and so does a step beyond 2**24 in float32.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt, log, pi
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sgdr.checks import is_array
from sgdr.extras import missing
from sgdr.saved_state import plain
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup

try:
    import keras
    from keras import ops
except ImportError as error:
    if error.name == "keras":
        raise missing("sgdr.adapters.keras", "Keras", "keras") from error
    raise ImportError(
        f"Keras is set to a backend that cannot be imported: {error}; set KERAS_BACKEND to jax, torch or "
        "tensorflow, whichever is installed, before keras is imported"
    ) from error

Tensor: TypeAlias = Any  # of the backend's own type
Located: TypeAlias = tuple[Tensor, Tensor]  # the index of the cycle, and the share of it that is to go
Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]

LAST_STEP = 2**31 - 1
"""The last one that Keras counts on every backend; later ones have its rate."""
MOST_CYCLES = 2**12
"""The most cycles in a table."""
EXTREME = 1e30
"""Beyond it, or below its inverse, a number is too large or small for float32."""


@keras.saving.register_keras_serializable(package="sgdr")
class WarmRestartsSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """``keras.optimizers.SGD(WarmRestartsSchedule(schedule))``: any optimizer, following `schedule`.

    Keras takes its backend from KERAS_BACKEND, tensorflow where that is not set. `schedule` is a
    `WarmRestarts`, or a `Warmup` of one. Its T_0 counts batches (see `WarmRestarts.scaled`),
    for Keras asks for the rate before every update. It is saved with the model, and loaded with it.

    Called with a tensor of ints, of any shape, it returns float32 rates of that shape, up to step 2**31 - 1,
    each in its right cycle. A Python number or a NumPy array may hold fractions, and is rounded at the end.

    Raises:
        ValueError: from the constructor for another schedule, one too large or small for float32, or one with
            more cycles than a table may hold; from a call for a step that is no number or no tensor of ints.
    """

    def __init__(self, schedule: WarmRestarts | Warmup) -> None:
        self.schedule = schedule
        self._locate = _cycles(_checked(*_unwrapped(schedule)))

    def __call__(self, step: Any) -> Tensor:
        if not (ops.is_tensor(step) or isinstance(step, keras.Variable)):
            return ops.convert_to_tensor(self.schedule(step), "float32")
        kind = keras.backend.standardize_dtype(step.dtype)
        if "int" not in kind:
            raise ValueError(f"step must be a tensor of ints, got {kind}; give the count of updates as int32")
        if kind not in ("int64", "uint32", "uint64"):
            step = ops.cast(step, "int32")
        return _rate(self.schedule, self._locate, ops.cast(ops.clip(step, 0, LAST_STEP), "int32"))

    def get_config(self) -> dict[str, Any]:
        """The fields by name, ready for JSON, with the lengths of warm-ups, the first one first."""
        schedule, warmups = _unwrapped(self.schedule)
        return {**schedule.to_dict(), "warmups": warmups}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The schedule whose `get_config()` that is. Raises ValueError for missing or unknown names."""
        config = plain(config)
        schedule: Any = WarmRestarts.from_dict({k: v for k, v in config.items() if k != "warmups"})
        for steps in reversed(config.get("warmups") or []):
            schedule = Warmup(schedule, steps)
        return cls(schedule)


def _unwrapped(schedule: Any) -> tuple[Any, list[int]]:
    """What is inside of warm-ups, and their lengths from the outside."""
    warmups = []
    while isinstance(schedule, Warmup):
        warmups.append(schedule.steps)
        schedule = schedule.schedule
    return schedule, warmups


def _checked(schedule: Any, warmups: list[int]) -> WarmRestarts:
    if not isinstance(schedule, WarmRestarts):
        raise ValueError(
            f"schedule must be a WarmRestarts or a Warmup of one, got {type(schedule).__name__}; give one"
        )
    fields = {name: getattr(schedule, name) for name in schedule.__dataclass_fields__}
    for name, value in [*fields.items(), *(("steps", steps) for steps in warmups)]:
        if is_array(value):
            raise ValueError(
                f"schedule must have numbers as fields, got an array as {name}; give one schedule"
            )
    if not 1 / EXTREME <= schedule.base_lr <= EXTREME:
        raise ValueError(
            f"base_lr must be from {1 / EXTREME:g} to {EXTREME:g} in float32, got {schedule.base_lr!r}; "
            "give a number in that range"
        )
    return schedule


def _rate(schedule: Any, locate: Callable[[Tensor], Located], step: Tensor) -> Tensor:
    """The rate at int32 steps >= 0."""
    if not isinstance(schedule, Warmup):
        return _annealed(schedule, *locate(step))
    steps = schedule.steps
    if steps > LAST_STEP:
        return schedule.schedule(0) * (ops.cast(step, "float32") / float(steps))
    later = _rate(schedule.schedule, locate, ops.maximum(step - steps, 0))
    if steps == 0:
        return later
    return ops.where(step < steps, schedule.schedule(0) * (ops.cast(step, "float32") / steps), later)


def _annealed(schedule: WarmRestarts, index: Tensor, to_go: Tensor) -> Tensor:
    """The rate in the cycle of that index, where this share of the cycle is to go."""
    if schedule.cycles is not None:
        to_go = ops.where(index < min(schedule.cycles, LAST_STEP), to_go, 0.0)
    peak: Any = schedule.base_lr
    if schedule.peak_decay != 1.0:
        # A power of a rounded factor would be wrong after many cycles.
        decay = ops.exp(log(schedule.peak_decay) * ops.cast(index, "float32"))
        peak = ops.maximum(schedule.base_lr * decay, schedule.eta_min)
    weight = ops.square(ops.sin(pi / 2 * ops.clip(to_go, 0.0, 1.0)))
    extent = peak - schedule.eta_min
    # From the nearer end: exact at both.
    return ops.where(weight > 0.5, peak - extent * (1.0 - weight), schedule.eta_min + extent * weight)


def _cycles(schedule: WarmRestarts) -> Callable[[Tensor], Located]:
    """The function from int32 steps >= 0 to their cycles. Raises ValueError where no table can hold them."""
    T_0, T_mult = Fraction(schedule.T_0), Fraction(schedule.T_mult)
    if T_mult == 1 and 1 <= T_0 <= LAST_STEP:
        return _Equal(int(T_0)) if T_0.denominator == 1 else _EqualReal.of(T_0)
    last = schedule.cycle(LAST_STEP).index
    if last >= MOST_CYCLES:
        raise ValueError(
            f"T_0 and T_mult must give at most {MOST_CYCLES} cycles before step 2**31, or equal ones, a step "
            f"or longer, got T_0={schedule.T_0!r}, T_mult={schedule.T_mult!r}; use T_mult=1 or a longer T_0"
        )
    return _Growing.of(schedule)


@dataclass(frozen=True)
class _Equal:
    """Cycles of `T_0` whole steps."""

    T_0: int

    def __call__(self, step: Tensor) -> Located:
        return step // self.T_0, ops.cast(self.T_0 - step % self.T_0, "float32") / self.T_0


@dataclass(frozen=True)
class _Growing:
    """A table of cycles, but for those that hold no whole step.

    A cycle's first whole step `first` is `lead` after its start.
    """

    index: Ints
    first: Ints
    lead: Floats
    length: Floats

    @classmethod
    def of(cls, schedule: WarmRestarts) -> Self:
        first = [0, *schedule.restarts(LAST_STEP + 1)]
        cycles = [schedule.cycle(step) for step in first]
        return cls(
            np.array([cycle.index for cycle in cycles], np.int32),
            np.array(first, np.int32),
            np.array([cycle.position for cycle in cycles], np.float32),
            np.array([min(cycle.length, EXTREME) for cycle in cycles], np.float32),
        )

    def __call__(self, step: Tensor) -> Located:
        row = _last_not_above(self.first, step)
        position = ops.cast(step - ops.take(self.first, row), "float32") + ops.take(self.lead, row)
        length = ops.take(self.length, row)
        return ops.take(self.index, row), (length - position) / length


@dataclass(frozen=True)
class _EqualReal:
    """Cycles of `T_0` steps, not whole, in blocks of `count` cycles: two short tables in place of a long one.

    Block j begins `lead[j]` before the whole step `first[j]`; in it, cycle i begins `part[i]` after the whole
    step `whole[i]`. Of two such fractions the lesser is told by their places in the order of all, exactly.
    """

    T_0: float
    count: int
    first: Ints
    lead: Floats
    lead_order: Ints
    whole: Ints
    part: Floats
    part_order: Ints

    @classmethod
    def of(cls, T_0: Fraction) -> Self:
        most = int(LAST_STEP / T_0) + 1
        count = isqrt(most) + 1
        blocks = [divmod(-i * T_0.numerator, T_0.denominator) for i in range(0, most, count)]
        cycles = [divmod(i * T_0.numerator, T_0.denominator) for i in range(min(count, most))]
        parts = np.array([part for _, part in (*blocks, *cycles)])
        order = np.unique(parts, return_inverse=True)[1].astype(np.int32)
        lead, part = np.split((parts / T_0.denominator).astype(np.float32), [len(blocks)])
        lead_order, part_order = np.split(order, [len(blocks)])
        return cls(
            float(T_0),
            count,
            np.array([-whole for whole, _ in blocks], np.int32),
            lead,
            lead_order,
            np.array([whole for whole, _ in cycles], np.int32),
            part,
            part_order,
        )

    def __call__(self, step: Tensor) -> Located:
        block = _last_not_above(self.first, step)
        steps = step - ops.take(self.first, block)
        cycle = _last_not_above(self.whole, steps)
        begun = ops.take(self.lead_order, block) >= ops.take(self.part_order, cycle)
        cycle = ops.where(begun | (steps > ops.take(self.whole, cycle)), cycle, cycle - 1)
        position = ops.cast(steps - ops.take(self.whole, cycle), "float32")
        position = position + (ops.take(self.lead, block) - ops.take(self.part, cycle))
        return block * self.count + cycle, (self.T_0 - position) / self.T_0


def _last_not_above(starts: Ints, step: Tensor) -> Tensor:
    """The place of the last of the ascending `starts` that is not above each step; the first one is 0."""
    after = ops.searchsorted(starts, ops.reshape(step, (-1,)), side="right")  # not all backends take a scalar
    return ops.reshape(ops.cast(after, "int32"), ops.shape(step)) - 1
