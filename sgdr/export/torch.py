"""Code for PyTorch."""

from __future__ import annotations

from sgdr.export import rate
from sgdr.export.plan import Plan, header, script, training_loop

PER_BATCH = "Steps per batch: scheduler.step() comes after every optimizer.step(), without an argument."
PER_EPOCH = (
    "Steps per epoch, which T_0 counts: scheduler.step() comes once at the end of every epoch, without an "
    "argument."
)
OR_BATCH = " Where T_0 counts batches, put it right after optimizer.step()."

LOOP_BODY = ("optimizer.zero_grad()", "loss_function(model(inputs), targets).backward()", "optimizer.step()")


def code(plan: Plan) -> str:
    """A training loop around a scheduler of PyTorch's."""
    return script(
        header(plan, PER_BATCH, PER_EPOCH, OR_BATCH),
        imports(plan),
        *definitions(plan),
        optimizer(plan, "SGD"),
        training_loop(plan, LOOP_BODY),
    )


def imports(plan: Plan, *more: str) -> str:
    """What the scheduler needs, and further lines of the same section."""
    own = "CosineAnnealingWarmRestarts" if plan.plain else "LambdaLR"
    lines = "\n".join(["import torch", f"from torch.optim.lr_scheduler import {own}", *more])
    return lines if plan.plain else f"{rate.imports(plan)}\n\n{lines}"


def definitions(plan: Plan) -> tuple[str, ...]:
    """The function that the scheduler calls, where PyTorch has no class for the schedule.

    Its CosineAnnealingWarmRestarts takes whole numbers only, and is right at every restart as long as
    step() has no argument: with one it looks for the cycle by a rounded logarithm.
    """
    return () if plan.plain else rate.python(plan)


def optimizer(plan: Plan, name: str) -> str:
    """The optimizer called so, and its scheduler."""
    s = plan.schedule
    lines = [f"optimizer = torch.optim.{name}(model.parameters(), lr={s.base_lr!r})  # or another"]
    if plan.plain:
        lines += [
            "scheduler = CosineAnnealingWarmRestarts(",
            "    optimizer,",
            f"    T_0={s.T_0!r},",
            f"    T_mult={s.T_mult!r},",
            f"    eta_min={s.eta_min!r},",
            ")",
        ]
    else:
        lines += ["scheduler = LambdaLR(optimizer, lambda step: learning_rate(step) / BASE_LR)"]
    return "\n".join(lines)
