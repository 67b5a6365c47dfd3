"""The schedulers of transformers, which are PyTorch's, stepped as its Trainer does."""

from __future__ import annotations

from typing import Any

from experiments.parity.running import torch
from sgdr.cycles import FloatArray
from sgdr.export.parity.own import Own, Steps
from sgdr.export.plan import Plan

code = torch.code


def by_step(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of transformers' function with hard restarts."""
    from transformers.optimization import get_cosine_with_hard_restarts_schedule_with_warmup as made

    scheduler: Any = made(torch.optimizer(plan), **own.settings)
    return torch.stepped(scheduler, plan.cycles, steps)


WAYS = {"step()": by_step}
