"""PyTorch's CosineAnnealingWarmRestarts.

A million steps of it take seconds, so it is run for some steps from the beginning, over every restart, and at
steps spread over every cycle. That is enough: its state is two whole numbers, T_cur and T_i, of which step()
raises the first by one, but at T_i, where a restart is, and the rate is a function of the two. Before a step
that does not follow the last one, load_state_dict() sets them as they are there. step(epoch) divides two
logarithms, right to 1e-15 both, and of whole steps below 10**6 only restarts are so near to a whole quotient
that this matters.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from experiments.parity.judge import PEAK, Rates, Setting, Steps

FROM_START = 2_000
"""Steps that the class itself is run for."""


def looked_at(setting: Setting) -> Steps:
    """The steps at which the class itself is run."""
    return np.unique(np.concatenate([setting.steps[:FROM_START], setting.boundaries, setting.spread]))


def by_step(setting: Setting, steps: Steps) -> Rates:
    """Incrementally; where steps are left out, from the state before the next."""
    scheduler = _made(setting)
    rates, now = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is trained between two steps
        for step in steps.tolist():
            if step > now + 1:
                position, length = setting.position(np.array([step - 1]))
                state = {"last_epoch": step - 1, "T_cur": position.item(), "T_i": length.item()}
                scheduler.load_state_dict({**scheduler.state_dict(), **state})
            if step > 0:
                scheduler.step()
            now = step
            rates.append(scheduler.optimizer.param_groups[0]["lr"])
    return np.array(rates)


def by_epoch(setting: Setting, steps: Steps) -> Rates:
    """The rates that step(epoch) gives at one step after the other."""
    scheduler = _made(setting)
    rates = []
    for step in steps.tolist():
        scheduler.step(step)
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
    return np.array(rates)


def resumed(setting: Setting, steps: Steps) -> Rates:
    """The rates of a scheduler made anew for every step, which is not 0, with last_epoch the one before."""
    return np.array([_made(setting, step - 1).optimizer.param_groups[0]["lr"] for step in steps.tolist()])


def _made(setting: Setting, last_epoch: int = -1) -> Any:
    import torch
    from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

    group = {"params": [torch.nn.Parameter(torch.zeros(1))], "initial_lr": PEAK}
    optimizer = torch.optim.SGD([group], lr=PEAK)
    return CosineAnnealingWarmRestarts(optimizer, *setting.fields, last_epoch=last_epoch)
