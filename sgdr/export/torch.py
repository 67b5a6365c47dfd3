"""Code for PyTorch."""

from __future__ import annotations

import math

from sgdr.export import rate
from sgdr.export.formulas import arguments, listed
from sgdr.export.plan import Plan, header, script, training_loop
from sgdr.relatives import StepDecay

PER_BATCH = "Steps per batch: scheduler.step() comes after every optimizer.step(), without an argument."
PER_EPOCH = (
    "Steps per epoch, which {counted}: scheduler.step() comes once at the end of every epoch, without an "
    "argument."
)
OR_BATCH = " Where {counted} batches, put it right after optimizer.step()."

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
    lines = "\n".join(["import torch", f"from torch.optim.lr_scheduler import {_scheduler(plan)}", *more])
    standard = rate.imports(*definitions(plan))
    return f"{standard}\n\n{lines}" if standard else lines


def definitions(plan: Plan) -> tuple[str, ...]:
    """The function that the scheduler calls, where PyTorch has no class for the schedule.

    Its CosineAnnealingWarmRestarts takes whole numbers only, and is right at every restart as long as
    step() has no argument: with one it looks for the cycle by a rounded logarithm. Its LinearLR and
    PolynomialLR multiply rounded factors, and its OneCycleLR and CyclicLR leave no proportion of groups.
    """
    return rate.python(plan) if _scheduler(plan) == "LambdaLR" else ()


def _scheduler(plan: Plan) -> str:
    if plan.plain:
        return "CosineAnnealingWarmRestarts"
    return "MultiStepLR" if isinstance(plan.schedule, StepDecay) and plan.bare else "LambdaLR"


def optimizer(plan: Plan, name: str) -> str:
    """The optimizer called so, and its scheduler."""
    s, scheduler = plan.schedule, _scheduler(plan)
    lines = [f"optimizer = torch.optim.{name}(model.parameters(), lr={s.base_lr!r})  # or another"]
    if scheduler == "LambdaLR":
        lines += ["scheduler = LambdaLR(optimizer, lambda step: learning_rate(step) / BASE_LR)"]
    else:
        names = ("T_0", "T_mult", "eta_min") if plan.plain else ("gamma",)
        settings = {name: repr(getattr(s, name)) for name in names}
        if not plan.plain:
            settings = {"milestones": listed(map(math.ceil, s.milestones), "[]"), **settings}
        lines += [f"scheduler = {scheduler}(", "    optimizer,", *arguments(settings), ")"]
    return "\n".join(lines)
