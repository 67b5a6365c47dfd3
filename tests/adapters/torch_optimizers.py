"""Optimizers of PyTorch's that train nothing, for tests of what sets their rates."""

from typing import Any

import torch

BASE_LR = 0.1
"""The rate of the one group where no rates are passed."""


def sgd(*rates: Any) -> torch.optim.SGD:
    """Returns an optimizer with one param group for each rate."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))], "lr": rate} for rate in rates or (BASE_LR,)]
    return torch.optim.SGD(groups, lr=1.0)


def rates_of(scheduler: Any) -> list[float]:
    """Returns the rates that stand in its optimizer."""
    return [float(group["lr"]) for group in scheduler.optimizer.param_groups]


def train(scheduler: Any) -> None:
    """Steps the optimizer before the scheduler: PyTorch's own warn where that goes first."""
    scheduler.optimizer.step()
    scheduler.step()
