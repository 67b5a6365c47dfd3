"""Optimizers of PyTorch's that train nothing, for tests of what sets their rates."""

import torch

BASE_LR = 0.1
"""Of the one group where no rates are given."""


def made(*rates):
    """An optimizer with one param group for each rate."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))], "lr": rate} for rate in rates or (BASE_LR,)]
    return torch.optim.SGD(groups, lr=1.0)


def rates_of(scheduler):
    """What stands in its optimizer."""
    return [float(group["lr"]) for group in scheduler.optimizer.param_groups]


def train(scheduler):
    """A step of the optimizer before that of the scheduler: PyTorch's own warn where that goes first."""
    scheduler.optimizer.step()
    scheduler.step()
