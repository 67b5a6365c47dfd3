"""Code for optax."""

from __future__ import annotations

from sgdr.export import cycles, formulas, rate
from sgdr.export.dialect import JAX
from sgdr.export.optax_own import joined, own
from sgdr.export.plan import Plan, script
from sgdr.relatives import Cyclic

PER_BATCH = (
    "Steps per batch: every optimizer.update() asks for the rate of its step; there is nothing to call."
)
IN_UPDATES = "{counted} these updates; where it counts epochs, export with steps_per_epoch."

TRAIN_STEP = """@jax.jit
def train_step(params, opt_state, batch):
    grads = jax.grad(loss_function)(params, batch)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state"""


def code(plan: Plan) -> str:
    """A training loop around a schedule of optax's, or around a function."""
    rate.check_float32(plan)
    count = joined(plan) if plan.restarts else None
    notes = [PER_BATCH, *[IN_UPDATES.format(counted=plan.counted)] * (plan.steps_per_epoch is None)]
    call = own(plan, count)
    if call is None:
        schedule, more = _function(plan)
        notes += more
    else:
        schedule = ("\n".join(call),)
        if count is not None and plan.schedule.cycles is None:
            notes.append(
                f"The schedule has {count} cycle{'s' * (count > 1)}, enough for the training; "
                "then it stays at the lowest rate."
            )
    loop = _loop(plan)
    standard = rate.imports(*schedule, loop)
    libraries = ["import jax", *["import jax.numpy as jnp"] * (call is None), "import optax"]
    return script(
        plan.header("step", *notes),
        *([standard] if standard else []),
        "\n".join(libraries),
        *schedule,
        "optimizer = optax.sgd(learning_rate)  # or another\nopt_state = optimizer.init(params)",
        TRAIN_STEP,
        loop,
    )


def _function(plan: Plan) -> tuple[tuple[str, ...], list[str]]:
    """Constants, a table where one is needed, and the function `learning_rate(step)`; and notes on these."""
    head, lines, notes = [rate.constants(plan)], rate.opening(plan, JAX), []
    triangles = isinstance(plan.schedule, Cyclic)
    cycled = cycles.of_triangles(plan) if triangles else plan
    table = (plan.restarts or triangles) and not cycles.are_equal(cycled)
    if table:
        head += _table(cycled, triangles)
        begun = "step - FIRST[index]" if cycled.whole else "step - FIRST[index] + LEAD[index]"
        lines += ['index = jnp.searchsorted(FIRST, step, side="right") - 1', f"position = {begun}"]
        notes += [note] if (note := cycles.table_note(cycled)) else []
    if plan.restarts:
        if not table:
            lines += ["index = step // T_0"] * cycles.are_counted(plan)
        length = "LENGTH[index]" if table else "T_0"
        lines.append(f"remaining = ({length} - {'position' if table else 'step % T_0'}) / {length}")
        falling, value = cycles.falling(plan, JAX)
        lines += falling
    else:
        text = formulas.text(plan.schedule, JAX)
        lines += [] if table else rate.equal_triangles(plan, JAX)
        lines, value = lines + text.lines, text.rate
    return ("\n".join(head), rate.function([*lines, *rate.closing(plan, value)])), notes


def _table(plan: Plan, triangles: bool) -> list[str]:
    """Lines that make arrays of an entry a cycle; those of triangles are of one length."""
    growth = "" if plan.schedule.T_mult == 1 else " * T_MULT**i"
    lines = cycles.starts(plan, "Fraction({})".format if triangles else str.upper, "STARTS")
    if plan.whole:
        lines.append("FIRST = jnp.array(STARTS)")
    else:
        lines += [
            "FIRST = jnp.array([math.ceil(start) for start in STARTS])  # whole steps",
            "LEAD = jnp.array([float(math.ceil(start) - start) for start in STARTS])",
        ]
    if triangles:
        return lines
    return [*lines, f"LENGTH = jnp.array([float(T_0{growth}) for i in range(len(STARTS))])"]


def _loop(plan: Plan) -> str:
    update = "params, opt_state = train_step(params, opt_state, batch)"
    batch = plan.steps_per_epoch
    if batch is None and plan.budget is not None:
        return f"for batch in islice(loader, {plan.budget}):\n    {update}"
    return "\n".join(
        [
            f"for epoch in range({plan.budget or 'epochs'}):",
            "    for batch in loader:" + (f"  # {batch} batches" if batch else ""),
            f"        {update}",
        ]
    )
