"""Code for optax."""

from __future__ import annotations

from sgdr.export import rate
from sgdr.export.plan import LAST_STEP, Plan, script

MOST_JOINED = 8
"""Cycles of an optax.sgdr_schedule, which evaluates each of them at every step."""

PER_BATCH = (
    "Steps per batch: every optimizer.update() asks for the rate of its step; there is nothing to call."
)
IN_UPDATES = "T_0 counts these updates; where it counts epochs, export with steps_per_epoch."

TRAIN_STEP = """@jax.jit
def train_step(params, opt_state, batch):
    grads = jax.grad(loss_function)(params, batch)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state"""


def code(plan: Plan) -> str:
    """A training loop around a schedule of optax's, or around a function."""
    rate.check_float32(plan)
    count = _joined(plan)
    notes = [PER_BATCH] if plan.steps_per_epoch else [PER_BATCH, IN_UPDATES]
    if count is None:
        if not rate.equal_cycles(plan) and (note := rate.table_note(plan)):
            notes.append(note)
        schedule = _function(plan)
    else:
        schedule = (_own(plan, count),)
        if plan.schedule.cycles is None:
            notes.append(
                f"The schedule has {count} cycle{'s' * (count > 1)}, enough for the training; "
                "then it stays at the lowest rate."
            )
    return script(
        plan.header("step", *notes),
        _imports(plan, count is not None),
        *schedule,
        "optimizer = optax.sgd(learning_rate)  # or another\nopt_state = optimizer.init(params)",
        TRAIN_STEP,
        _loop(plan),
    )


def _joined(plan: Plan) -> int | None:
    """The number of cycles of an optax.sgdr_schedule that is right for the whole training, else None."""
    count = plan.schedule.cycles
    if count is None and plan.steps is not None:
        count = plan.cycles.locate(plan.steps - 1)[0] + 1
    if not plan.whole or plan.held > 1 or count is None or count > MOST_JOINED:
        return None
    longest: int = plan.schedule.T_0 * plan.schedule.T_mult ** (count - 1)
    return count if count * longest <= LAST_STEP else None


def _own(plan: Plan, count: int) -> str:
    s = plan.schedule
    if count == 1:
        return "\n".join(
            [
                "learning_rate = optax.cosine_decay_schedule(",
                f"    init_value={s.base_lr!r},",
                f"    decay_steps={s.T_0!r},",
                f"    alpha={s.eta_min!r} / {s.base_lr!r},",
                ")",
            ]
        )
    peak = repr(s.base_lr)
    if s.peak_decay != 1.0:
        peak = f"max({s.eta_min!r}, {s.base_lr!r} * {s.peak_decay!r}**i)"
    length = repr(s.T_0) if s.T_mult == 1 else f"{s.T_0!r} * {s.T_mult!r}**i"
    return "\n".join(
        [
            "learning_rate = optax.sgdr_schedule(",
            "    [",
            "        {",
            f'            "init_value": {peak},',
            f'            "peak_value": {peak},',
            '            "warmup_steps": 0,',
            f'            "decay_steps": {length},',
            f'            "end_value": {s.eta_min!r},',
            "        }",
            f"        for i in range({count})",
            "    ]",
            ")",
        ]
    )


def _imports(plan: Plan, own: bool) -> str:
    standard = []
    if not own:
        standard.append("import math")
        if not plan.whole:
            standard.append("from fractions import Fraction")
        if not rate.equal_cycles(plan):
            standard.append("from itertools import takewhile")
    if _in_updates(plan):
        standard.append("from itertools import islice")
    if "from itertools import takewhile" in standard and "from itertools import islice" in standard:
        standard[-2:] = ["from itertools import islice, takewhile"]
    libraries = ["import jax", *["import jax.numpy as jnp"] * (not own), "import optax"]
    return "\n".join([*standard, *[""] * bool(standard), *libraries])


def _function(plan: Plan) -> tuple[str, ...]:
    """Constants, a table where one is needed, and the function `learning_rate(step)`."""
    head = rate.constants(plan)
    if rate.equal_cycles(plan):
        cycle = ["remaining = (T_0 - step % T_0) / T_0"]
        if plan.schedule.peak_decay != 1.0 or plan.schedule.cycles is not None:
            cycle.insert(0, "index = step // T_0")
    else:
        head = "\n".join([head, *_table(plan)])
        begun = "step - FIRST[index]" if plan.whole else "step - FIRST[index] + LEAD[index]"
        cycle = [
            'index = jnp.searchsorted(FIRST, step, side="right") - 1',
            f"remaining = (LENGTH[index] - ({begun})) / LENGTH[index]",
        ]
    body = rate.holding(plan, str.upper) + cycle + rate.falling(plan, "jnp", str.upper, "index")
    return head, rate.function("def learning_rate(step):", "The rate at that step, from 0.", body)


def _table(plan: Plan) -> list[str]:
    growth = "" if plan.schedule.T_mult == 1 else " * T_MULT**i"
    lines = rate.starts(plan, str.upper, "STARTS")
    if plan.whole:
        lines.append("FIRST = jnp.array(STARTS)")
    else:
        lines += [
            "FIRST = jnp.array([math.ceil(start) for start in STARTS])  # whole steps",
            "LEAD = jnp.array([float(math.ceil(start) - start) for start in STARTS])",
        ]
    return [*lines, f"LENGTH = jnp.array([float(T_0{growth}) for i in range(len(STARTS))])"]


def _in_updates(plan: Plan) -> bool:
    return plan.steps_per_epoch is None and plan.budget is not None


def _loop(plan: Plan) -> str:
    update = "params, opt_state = train_step(params, opt_state, batch)"
    if _in_updates(plan):
        return f"for batch in islice(loader, {plan.budget}):\n    {update}"
    batch = plan.steps_per_epoch
    return "\n".join(
        [
            f"for epoch in range({plan.budget or 'epochs'}):",
            "    for batch in loader:" + (f"  # {batch} batches" if batch else ""),
            f"        {update}",
        ]
    )
