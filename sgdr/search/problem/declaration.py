"""What a workload declares, as plain values: they travel as JSON to where its code is not loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sgdr import checks
from sgdr.search.problem.space import Range, Space, distribution
from sgdr.search.problem.workload import CallableWorkload, Workload, check_declaration, has_ensemble
from sgdr.stepping import Interval

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Declaration:
    """What a workload declares: as much as it takes to check a sweep's arguments and to make its study."""

    name: str
    metric: str
    direction: str
    budget: int
    kind: str
    """"arrays": pure functions of arrays (`Workload`); "callable": a function (`CallableWorkload`)."""
    steps_per_epoch: int | None
    """Optimizer updates in an epoch; None for a callable workload that does not say."""
    base_lr: Range | None
    """The range in which a sweep searches it, unless it says otherwise."""
    select_metric: str | None
    hparams: Mapping[str, BaseDistribution]
    """The further values that it takes, by name."""
    interval: Interval | None
    """How often its rate changes; None for a callable workload that does not say."""
    predicts: bool = False
    """Whether its models can be averaged: it has `predict` and `score`."""

    @classmethod
    def of(cls, workload: Workload | CallableWorkload) -> Declaration:
        """What that workload declares; runs nothing of it. Raises ValueError for what cannot be."""
        if not isinstance(workload, Workload | CallableWorkload):
            raise ValueError(
                f"workload={workload!r} has no init, update and evaluate; give an object that has them, a "
                "function decorated with @search.workload, or a registered name"
            )
        check_declaration(workload)
        hparams = getattr(workload, "hparams", None) or {}
        return cls(
            name=workload.name,
            metric=workload.metric,
            direction=workload.direction,
            budget=checks.plain(workload.budget),
            kind="callable" if isinstance(workload, CallableWorkload) else "arrays",
            steps_per_epoch=checks.plain(getattr(workload, "steps_per_epoch", None)),
            base_lr=_range(getattr(workload, "base_lr", None)),
            select_metric=getattr(workload, "select_metric", None),
            hparams={name: distribution(name, form) for name, form in hparams.items()},
            interval=workload.interval if isinstance(workload, CallableWorkload) else "step",
            predicts=has_ensemble(workload),
        )

    def to_dict(self) -> dict[str, Any]:
        """The declaration in plain JSON values; `from_dict` reads them."""
        from optuna.distributions import distribution_to_json

        hparams = {name: distribution_to_json(domain) for name, domain in self.hparams.items()}
        return {**asdict(self), "base_lr": self.base_lr and list(self.base_lr), "hparams": hparams}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Declaration:
        """The declaration that `to_dict` made these values of."""
        from optuna.distributions import json_to_distribution

        hparams = {name: json_to_distribution(text) for name, text in values["hparams"].items()}
        return cls(**{**values, "base_lr": _range(values["base_lr"]), "hparams": hparams})


def _range(base_lr: Any) -> Range | None:
    """(low, high) of what a workload gives: a range or a number. Raises ValueError."""
    base_lr = Space(base_lr=base_lr).base_lr
    if base_lr is None:
        return None
    low, high = (base_lr, base_lr) if isinstance(base_lr, int | float) else base_lr
    return float(low), float(high)
