"""The rates in an optimizer's param groups: Python numbers, or tensors that are filled in place."""

from typing import Any, TypeAlias

from torch import Tensor, full_like
from torch.optim import Optimizer

from sgdr.checks import number

Rate: TypeAlias = float | Tensor


def plain_rate(rate: Any) -> Rate:
    """A copy of a tensor; any other number as a float."""
    return rate.clone() if isinstance(rate, Tensor) else float(rate)


def make_plain(optimizer: Optimizer) -> None:
    """Turns rates that are numbers of NumPy's into Python's, which every checkpoint takes."""
    for group in optimizer.param_groups:
        for name in ("lr", "initial_lr"):
            if name in group and not isinstance(group[name], Tensor):
                group[name] = float(group[name])


def write_rate(group: dict[str, Any], rate: Rate) -> Rate:
    """Puts `rate` into a param group, into its tensor where it has one; a copy of what then stands there."""
    lr = group["lr"]
    if type(lr) is float is type(rate):  # nearly always; to ask whether it is a Tensor takes longer
        group["lr"] = rate
        return rate
    if isinstance(lr, Tensor):
        lr.fill_(rate.squeeze() if isinstance(rate, Tensor) and rate.dim() else rate)
        return lr.clone()
    group["lr"] = plain_rate(rate)
    return plain_rate(rate)


def checked_rates(name: str, rates: Any, groups: list[dict[str, Any]]) -> list[Rate]:
    """The rates of a state as those of the groups are: tensors where they have tensors, else floats.

    Raises ValueError where they are not one number for each group.
    """
    listed = rates.tolist() if getattr(rates, "ndim", None) == 1 else rates
    numbers = [_number(rate) for rate in listed] if isinstance(listed, list | tuple) else [None]
    if None in numbers or len(numbers) != len(groups):
        raise ValueError(
            f"{name} of a state must be a list of {len(groups)} rates, one for each param group, "
            f"got {rates!r}; load it with the groups that it was saved with"
        )
    return [like(group["lr"], rate) for group, rate in zip(groups, numbers, strict=True)]


def _number(rate: Any) -> float | None:
    """A number, or that of an array or a tensor of one; None for anything else."""
    if hasattr(rate, "item") and getattr(rate, "shape", None) in ((), (1,)):
        rate = rate.item()
    known = number(rate)
    return None if known is None else float(known)


def like(lr: Any, rate: Any) -> Rate:
    """The rate, in a tensor where `lr` is one."""
    return full_like(lr, rate) if isinstance(lr, Tensor) else rate
