"""Code for Keras 3, on any of its backends.

Its own CosineDecayRestarts finds the cycle by a logarithm in float32, and gives the trough for the peak at
restarts.
"""

from __future__ import annotations

import math

from sgdr.decays import Linear, Power
from sgdr.export import cycles, formulas, rate
from sgdr.export.dialect import KERAS, WIDTH
from sgdr.export.formulas import arguments, listed
from sgdr.export.plan import Plan, script
from sgdr.relatives import Cyclic, StepDecay

PER_BATCH = "Steps per batch: Keras asks for the rate before every batch; there is nothing to call."
IN_UPDATES = "{counted} batches; where it counts epochs, export with steps_per_epoch."


def code(plan: Plan) -> str:
    """A LearningRateSchedule that is saved with its model, and training with it."""
    rate.check_float32(plan)
    notes = [PER_BATCH, *[IN_UPDATES.format(counted=plan.counted)] * (plan.steps_per_epoch is None)]
    own = _own(plan)
    if own is not None:
        return script(plan.header("step", *notes), "import keras", _training(plan, own))
    table = _table(plan)
    if table and (note := cycles.table_note(_cycled(plan))):
        notes.append(note)
    written = _class(plan, table)
    call = [f"{type(plan.schedule).__name__}(", *arguments(_values(plan)), ")"]
    standard = rate.imports(written)
    return script(
        plan.header("step", *notes),
        *([standard] if standard else []),
        "import keras\nfrom keras import ops",
        written,
        _training(plan, call),
    )


def _own(plan: Plan) -> list[str] | None:
    """A call of Keras' own schedule, where it has one that is right."""
    s = plan.schedule
    # What is left is rounded, to less than nothing at the end: a power that is not whole would be NaN.
    if plan.bare and (isinstance(s, Linear) or (isinstance(s, Power) and s.power % 1 == 0)):
        name = "PolynomialDecay"
        settings = {
            "initial_learning_rate": repr(s.base_lr),
            "decay_steps": repr(s.length),
            "end_learning_rate": repr(s.eta_min),
            "power": repr(getattr(s, "power", 1.0)),
        }
    elif plan.bare and isinstance(s, StepDecay) and s.milestones:
        name = "PiecewiseConstantDecay"
        # A rate of Keras' is that of the steps up to its boundary, which is the last of them.
        lasts = (math.ceil(milestone) - 1 for milestone in s.milestones)
        rates = (s.base_lr * s.gamma**count for count in range(len(s.milestones) + 1))
        settings = {"boundaries": listed(lasts, "[]"), "values": listed(rates, "[]")}
    else:
        return None
    return [f"keras.optimizers.schedules.{name}(", *arguments(settings), ")"]


def _cycled(plan: Plan) -> Plan:
    return cycles.of_triangles(plan) if isinstance(plan.schedule, Cyclic) else plan


def _class(plan: Plan, table: list[str]) -> str:
    names = list(rate.fields(plan))
    start = [f"self.{name} = {name}" for name in names]
    for name, value in rate.derived(plan, str, KERAS.name).items():
        start += f"self.{name} = {value}".splitlines()
    start += table
    call = ['step = ops.cast(step, "int32")', *rate.opening(plan, KERAS)]
    call += _looked_up(plan) if table else []
    if plan.restarts:
        if not table:
            call += ["index = step // self.T_0"] * cycles.are_counted(plan)
            call.append('remaining = ops.cast(self.T_0 - step % self.T_0, "float32") / self.T_0')
        falling, value = cycles.falling(plan, KERAS)
        call += falling
    else:
        text = formulas.text(plan.schedule, KERAS)
        call += [] if table else rate.equal_triangles(plan, KERAS)
        call, value = call + text.lines, text.rate
    config = ["return {", *(f'    "{name}": self.{name},' for name in names), "}"]
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable(package="sgdr")',
            f"class {type(plan.schedule).__name__}(keras.optimizers.schedules.LearningRateSchedule):",
            *_method(_init(names), start),
            "",
            *_method("__call__(self, step)", [*call, *rate.closing(plan, value)]),
            "",
            *_method("get_config(self)", config),
        ]
    )


def _init(names: list[str]) -> str:
    """The signature of the constructor, in lines of its own where it is a long one."""
    line = f"__init__(self, {', '.join(names)})"
    if len(f"    def {line}:") <= WIDTH:
        return line
    return "\n".join(["__init__(", *(f"        {name}," for name in ("self", *names)), "    )"])


def _method(signature: str, body: list[str]) -> list[str]:
    return [f"    def {signature}:", *(f"        {line}" for line in body)]


def _table(plan: Plan) -> list[str]:
    """Lines that make the lists `first`, `lead` and `length`, of one entry a cycle; none where no table is
    needed. Those of triangles are of one length."""
    triangles, plan = isinstance(plan.schedule, Cyclic), _cycled(plan)
    if not plan.restarts or cycles.are_equal(plan):
        return []
    s = plan.schedule
    held = KERAS.name if triangles else str
    exact = [
        f"{name} = Fraction({held(name)})"
        for name in ("T_0", "T_mult")
        if not isinstance(getattr(s, name), int)
    ]
    growth = "" if s.T_mult == 1 else " * T_mult**i"
    lines = [*exact, *cycles.starts(plan, str, "starts")]
    if plan.whole:
        lines.append("self.first = starts")
    else:
        lines += [
            "self.first = [math.ceil(start) for start in starts]  # whole steps",
            "self.lead = [float(math.ceil(start) - start) for start in starts]",
        ]
    if triangles:
        return lines
    return [*lines, f"self.length = [float(T_0{growth}) for i in range(len(starts))]"]


def _looked_up(plan: Plan) -> list[str]:
    lines = [
        'first = ops.convert_to_tensor(self.first, "int32")',
        'index = ops.sum(ops.cast(first <= step, "int32")) - 1',
        'position = ops.cast(step - ops.take(first, index), "float32")',
    ]
    if not _cycled(plan).whole:
        lines.append('position += ops.take(ops.convert_to_tensor(self.lead, "float32"), index)')
    if not plan.restarts:
        return lines
    return [
        *lines,
        'length = ops.take(ops.convert_to_tensor(self.length, "float32"), index)',
        "remaining = (length - position) / length",
    ]


def _values(plan: Plan) -> dict[str, str]:
    """The arguments of the constructor, as they are written."""
    values = rate.fields(plan)
    plain = {"T_0", "T_mult"} & values.keys()  # fractions are made of them later
    return {**values, **{name: repr(getattr(plan.schedule, name)) for name in plain}}


def _training(plan: Plan, call: list[str]) -> str:
    epochs = plan.budget if plan.steps_per_epoch is not None and plan.budget is not None else "epochs"
    batch = f"  # {plan.steps_per_epoch} batches" if plan.steps_per_epoch else ""
    return "\n".join(
        [
            f"learning_rate = {call[0]}",
            *call[1:],
            "optimizer = keras.optimizers.SGD(learning_rate)  # or another",
            "model.compile(optimizer=optimizer, loss=loss_function)",
            f"model.fit(train_dataset, epochs={epochs}){batch}",
        ]
    )
