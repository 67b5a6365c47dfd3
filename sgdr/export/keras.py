"""Code for Keras 3, on any of its backends.

Its own CosineDecayRestarts finds the cycle by a logarithm in float32, and gives the trough for the peak at
restarts.
"""

from __future__ import annotations

from sgdr.export import rate
from sgdr.export.plan import WIDTH, Plan, script

PER_BATCH = "Steps per batch: Keras asks for the rate before every batch; there is nothing to call."
IN_UPDATES = "T_0 counts batches; where it counts epochs, export with steps_per_epoch."


def code(plan: Plan) -> str:
    """A LearningRateSchedule that is saved with its model, and training with it."""
    rate.check_float32(plan)
    notes = [PER_BATCH] if plan.steps_per_epoch else [PER_BATCH, IN_UPDATES]
    table = not rate.equal_cycles(plan)
    if table and (note := rate.table_note(plan)):
        notes.append(note)
    standard = ["import math", *["from fractions import Fraction"] * (not plan.whole)]
    standard += ["from itertools import takewhile"] * table
    return script(
        plan.header("step", *notes),
        "\n".join([*standard, "", "import keras", "from keras import ops"]),
        _class(plan, table),
        _training(plan),
    )


def _own(name: str) -> str:
    return f"self.{name}"


def _class(plan: Plan, table: bool) -> str:
    names = list(rate.fields(plan))
    start = [f"self.{name} = {name}" for name in names]
    call = ['step = ops.cast(step, "int32")', *rate.holding(plan, _own)]
    if table:
        start += _table(plan)
        call += _looked_up(plan)
    else:
        if plan.schedule.peak_decay != 1.0 or plan.schedule.cycles is not None:
            call.append("index = step // self.T_0")
        call.append('remaining = ops.cast(self.T_0 - step % self.T_0, "float32") / self.T_0')
    call += rate.falling(plan, "ops", _own, 'ops.cast(index, "float32")')
    config = ["return {", *(f'    "{name}": self.{name},' for name in names), "}"]
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable(package="sgdr")',
            "class WarmRestarts(keras.optimizers.schedules.LearningRateSchedule):",
            *_method(_init(names), start),
            "",
            *_method("__call__(self, step)", call),
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
    """Lines that make the lists `first`, `lead` and `length`, of one entry a cycle."""
    s = plan.schedule
    exact = [
        f"{name} = Fraction({name})" for name in ("T_0", "T_mult") if not isinstance(getattr(s, name), int)
    ]
    growth = "" if s.T_mult == 1 else " * T_mult**i"
    lines = [*exact, *rate.starts(plan, str, "starts")]
    if plan.whole:
        lines.append("self.first = starts")
    else:
        lines += [
            "self.first = [math.ceil(start) for start in starts]  # whole steps",
            "self.lead = [float(math.ceil(start) - start) for start in starts]",
        ]
    return [*lines, f"self.length = [float(T_0{growth}) for i in range(len(starts))]"]


def _looked_up(plan: Plan) -> list[str]:
    lines = [
        'first = ops.convert_to_tensor(self.first, "int32")',
        'index = ops.sum(ops.cast(first <= step, "int32")) - 1',
        'length = ops.take(ops.convert_to_tensor(self.length, "float32"), index)',
        'position = ops.cast(step - ops.take(first, index), "float32")',
    ]
    if not plan.whole:
        lines.append('position += ops.take(ops.convert_to_tensor(self.lead, "float32"), index)')
    return [*lines, "remaining = (length - position) / length"]


def _training(plan: Plan) -> str:
    values = {**vars(plan.schedule), "steps_per_epoch": plan.held}
    epochs = plan.budget if plan.steps_per_epoch is not None and plan.budget is not None else "epochs"
    batch = f"  # {plan.steps_per_epoch} batches" if plan.steps_per_epoch else ""
    return "\n".join(
        [
            "learning_rate = WarmRestarts(",
            *(f"    {name}={values[name]!r}," for name in rate.fields(plan)),
            ")",
            "optimizer = keras.optimizers.SGD(learning_rate)  # or another",
            "model.compile(optimizer=optimizer, loss=loss_function)",
            f"model.fit(train_dataset, epochs={epochs}){batch}",
        ]
    )
