"""The digits in PyTorch: a function that trains one trial, in a process of its slot."""

from __future__ import annotations

import functools
import importlib.util
import math
from typing import TYPE_CHECKING

from sgdr.extras import install
from sgdr.search.problem.workload import CallableWorkload, Run, workload
from sgdr.workloads import digits

if TYPE_CHECKING:
    import torch

SIZES = (64, 64, 10)


def digits_torch() -> CallableWorkload:
    """An MLP 64-64-10 on 1,280 digits, 20 steps an epoch; the other 517 validate.

    Imports PyTorch only where it trains. Raises ValueError where there is none.
    """
    if importlib.util.find_spec("torch") is None:
        raise ValueError(f"digits-torch: PyTorch, which trains it, is missing: {install('torch')}")
    return train


@workload(name="digits-torch", metric="error", direction="minimize", budget=20, base_lr=(1e-3, 1.0))
def train(run: Run) -> None:
    """Reports the validation error after every epoch; NaN where the network's values are no longer finite."""
    import torch

    torch.manual_seed(run.seed)
    (images, labels), (valid_images, valid_labels) = _tensors()
    inputs, hidden, classes = SIZES
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, classes)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=run.schedule.base_lr, momentum=0.9)
    run.steps_per_epoch = steps = len(images) // digits.BATCH
    for epoch in range(run.budget):
        order = torch.randperm(len(images)).reshape(steps, digits.BATCH)
        for step, batch in enumerate(order):
            for group in optimizer.param_groups:
                group["lr"] = run.schedule(epoch + step / steps)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            values = model(valid_images)
        error = (values.argmax(1) != valid_labels).float().mean().item()
        run.report(epoch + 1, error if values.isfinite().all() else math.nan)


@functools.cache
def _tensors() -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """The examples to train on and to validate on, read once in a process."""
    import torch

    return tuple((torch.tensor(images), torch.tensor(labels).long()) for images, labels in digits.split())
