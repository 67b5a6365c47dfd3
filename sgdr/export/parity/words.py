"""What a framework's own scheduler cannot do of a schedule, and what it can instead, in words.

What is said of frameworks was seen by running torch 2.13, keras 3.15, braintools 0.3, optax 0.2.8 and
transformers 5; `experiments/parity` sees it again in those that are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, takewhile

from sgdr.export.parity.looked import Looked
from sgdr.export.parity.own import MOST_JOINED, Own, joined, mean_difference
from sgdr.export.plan import LAST_STEP, Plan

RESTARTS = 4
"""The most restarts that are listed."""
EXACT = 1e-9
"""A mean difference of so little of the peak is none."""

TROUGH = "at a restart it may give the trough in place of the peak."
STEP_DOES_NOT = "step() without an argument does not."


def cannot(plan: Plan, target: str, looked: Looked) -> list[str]:
    """A sentence for each thing that the framework's own scheduler cannot do of this schedule."""
    constant = plan.schedule.eta_min == plan.schedule.base_lr
    if constant and target != "transformers":
        return []
    held = ["It changes the rate at every step: it cannot hold one through an epoch."] * (plan.held > 1)
    return [*held, *_SENTENCES[target](plan, looked)]


def nearest_said(plan: Plan, own: Own, looked: Looked) -> str:
    """What the own scheduler with its nearest settings is worth, as far as it does not round."""
    base_lr = plan.schedule.base_lr
    off = mean_difference(plan, own, looked)
    if off <= EXACT * base_lr:
        return f"{own.call} means the same rates."
    said = (
        f"{own.call} is the nearest, on average {percent(off / base_lr)} of the peak off in {looked.words()}"
    )
    if own.cycles is None:
        return said + "."
    theirs = _listed(own.cycles.first_steps(), looked)
    ours = _listed(plan.first_steps(), looked, plan.schedule.cycles)
    return f"{said}, with restarts at {theirs} in place of {ours}." if theirs != ours else f"{said}."


def percent(share: float) -> str:
    """A share with three digits."""
    return f"{100 * share:.3g} %"


def _listed(first_steps: Iterator[int], looked: Looked, limit: int | None = None) -> str:
    """The first restarts; of `limit` cycles the last has none at its end."""
    until = looked.steps
    most = RESTARTS + 1 if limit is None else min(limit - 1, RESTARTS + 1)
    steps = list(islice(takewhile(lambda step: step < until, first_steps), most))
    shown = [*map(str, dict.fromkeys(steps[:RESTARTS])), *["..."] * (len(steps) > RESTARTS)]
    return ", ".join(shown) or "no step"


def _torch(plan: Plan, looked: Looked) -> Iterator[str]:
    if not plan.whole:
        yield "It takes whole T_0 and T_mult only."
    yield from _no_options(plan)
    if plan.schedule.T_mult > 1:
        yield f"step(epoch) finds the cycle by a rounded logarithm: {TROUGH} {STEP_DOES_NOT}"
        yield (
            "A new one with last_epoch=k is in the wrong cycle from step 2 * T_0 on: it resumes by "
            "load_state_dict() alone."
        )
    yield from _minimum(plan)


def _braintools(plan: Plan, looked: Looked) -> Iterator[str]:
    if not plan.whole:
        yield "It begins every cycle at a whole step, and drops the fraction that is left."
    yield from _no_options(plan)
    if plan.schedule.T_mult > 1:
        yield f"step(epoch) finds the cycle by a logarithm in float32: {TROUGH} {STEP_DOES_NOT}"
    yield "A new one with last_epoch=k begins at the peak: it resumes by load_state_dict() alone."
    _, start, length, _ = plan.cycles.locate(looked.steps - 1)
    if length > LAST_STEP:
        yield f"It counts in 32 bits: it is wrong from step {start} on, in a cycle that is longer than that."
    yield from _minimum(plan)


def _keras(plan: Plan, looked: Looked) -> Iterator[str]:
    s = plan.schedule
    if s.T_mult != 1:
        yield f"It finds the cycle by a logarithm in float32: {TROUGH}"
    yield (
        "It computes in float32: positions are rounded by about 1e-7 of the steps so far, and steps above "
        "16777216 are not told apart."
    )
    if s.peak_decay != 1.0 and s.eta_min > 0:
        yield "With a floor, m_mul lets the peaks decay towards alpha rather than towards 0."
    if s.cycles is not None:
        yield "It restarts without end: there is no number of cycles."
    yield from _minimum(plan)


def _optax(plan: Plan, looked: Looked) -> Iterator[str]:
    count = joined(plan, looked)
    if plan.schedule.cycles is None:
        yield f"It ends after the cycles of its list, here {count}, and then stays at the lowest rate."
    if count == MOST_JOINED:
        yield f"It computes every cycle at every step: no more than {MOST_JOINED} were tried."
    yield "T_0, T_mult and the peaks must be Python numbers: inside jit or vmap they cannot be arguments."
    yield from _minimum(plan)


def _transformers(plan: Plan, looked: Looked) -> Iterator[str]:
    s = plan.schedule
    if s.T_mult != 1 or looked.steps % s.T_0:
        yield "It has equal cycles only, a whole number of them in the training."
    if s.eta_min > 0:
        yield "It has no floor: it falls to 0."
    if s.peak_decay != 1.0:
        yield "It has no decay of the peak."
    yield f"It finds the position by rounded fractions of the training: {TROUGH}"
    yield "It must know the length of the training; num_cycles=1 is one cosine without a restart."


def _no_options(plan: Plan) -> Iterator[str]:
    if plan.schedule.peak_decay != 1.0:
        yield "It has no decay of the peak."
    if plan.schedule.cycles is not None:
        yield "It restarts without end: there is no number of cycles."


def _minimum(plan: Plan) -> Iterator[str]:
    """True of every rate that is taken at the beginning of a step, ours too."""
    end = next(plan.first_steps())
    if plan.held < end <= LAST_STEP:
        lowest = f"{plan.rates(end - 1):.6g}"
        yield (
            "eta_min is never reached at a step, which has the rate of its beginning, nor by this code: "
            f"the lowest of the first cycle is {lowest}."
        )


_SENTENCES: dict[str, Callable[[Plan, Looked], Iterator[str]]] = {
    "torch": _torch,
    "optax": _optax,
    "keras": _keras,
    "braintools": _braintools,
    "transformers": _transformers,
}
