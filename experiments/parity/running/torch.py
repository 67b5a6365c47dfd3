"""PyTorch's schedulers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from experiments.parity.running.definitions import defined
from sgdr.cycles import Cycles, FloatArray
from sgdr.export.parity.own import Own, Steps
from sgdr.export.plan import Plan


def code(text: str, plan: Plan, steps: Steps) -> FloatArray:
    """The rates of exported code."""
    import torch

    scheduler = defined(text, "scheduler", model=torch.nn.Linear(1, 1))
    return stepped(scheduler, plan.cycles, steps)


def by_step(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of PyTorch's own class, step after step."""
    assert own.cycles is not None
    return stepped(_own(plan, own), own.cycles, steps)


def by_epoch(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of PyTorch's own class, which is told the number of the step."""
    scheduler = _own(plan, own)
    rates = []
    for step in steps.tolist():
        scheduler.step(step)
        rates.append(_rate(scheduler))
    return np.array(rates)


WAYS = {"step()": by_step, "step(epoch)": by_epoch}


def stepped(scheduler: Any, cycles: Cycles, steps: Steps) -> FloatArray:
    """The rates of a scheduler, which is stepped; `cycles` tell the state that it has at a step."""
    rates, now = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is trained between two steps
        for step in steps.tolist():
            if step > now + 1:
                _place(scheduler, cycles, step - 1)
                now = step - 1
            if step > now:
                scheduler.step()
                now = step
            rates.append(_rate(scheduler))
    return np.array(rates)


def optimizer(plan: Plan) -> Any:
    """An optimizer whose rate is the peak."""
    import torch

    made = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=plan.schedule.base_lr)
    made.step()
    return made


def _own(plan: Plan, own: Own) -> Any:
    from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

    return CosineAnnealingWarmRestarts(optimizer(plan), **own.settings)


def _place(scheduler: Any, cycles: Cycles, step: int) -> None:
    state = {**scheduler.state_dict(), "last_epoch": step}
    if "T_cur" in state:
        _, _, length, position = cycles.locate(step)
        state.update(T_cur=position, T_i=length)
    scheduler.load_state_dict(state)


def _rate(scheduler: Any) -> float:
    return float(scheduler.optimizer.param_groups[0]["lr"])
