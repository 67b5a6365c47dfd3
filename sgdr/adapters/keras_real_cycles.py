"""Equal cycles in Keras that do not last whole steps: imported when a schedule has them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Self

import numpy as np
from keras import ops

from sgdr.adapters.keras_tables import LAST_STEP, Floats, Ints, Located, Tensor, last_not_above


@dataclass(frozen=True)
class EqualRealCycles:
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
        block = last_not_above(self.first, step)
        steps = step - ops.take(self.first, block)
        cycle = last_not_above(self.whole, steps)
        begun = ops.take(self.lead_order, block) >= ops.take(self.part_order, cycle)
        cycle = ops.where(begun | (steps > ops.take(self.whole, cycle)), cycle, cycle - 1)
        position = ops.cast(steps - ops.take(self.whole, cycle), "float32")
        position = position + (ops.take(self.lead, block) - ops.take(self.part, cycle))
        return block * self.count + cycle, (self.T_0 - position) / self.T_0
