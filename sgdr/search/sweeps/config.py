"""The options of a sweep, of which `search.sweep`, the command, the service and its form are made."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sgdr.errors import ArgumentError
from sgdr.search.problem.arms import DEFAULT_SHARE
from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.problem.options import Group, Kind, Option, Place, option, options_of
from sgdr.search.problem.space import Space
from sgdr.search.storage.connect import DEFAULT_URL
from sgdr.search.strategy.named import AUTO, PRUNERS, STAGED
from sgdr.shapes import DEFAULT_SHAPES, SHAPES, in_order

if TYPE_CHECKING:  # neither is needed for the help of the command, which lists the options
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler


RELATIVES = ("one-cycle", "step-decay", "cyclic")
"""The shapes that were asked for beside others until all could be chosen."""
DEFAULT_EXTENT: Mapping[str, int | float] = MappingProxyType({"cost": 16.0})
"""How far a sweep goes that is told neither trials nor cost: one of them, by its name."""


def _unset(name: str, otherwise: str, other: str) -> str:
    """What it means to leave out trials or cost, where the other is not given, too, or is."""
    default = DEFAULT_EXTENT.get(name)
    return otherwise if default is None else f"{default:g}, unless {other} given"


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """What a sweep of any workload is to do. Raises ArgumentError for the first option that cannot be."""

    trials: int | None = option(
        None,
        Kind.WHOLE,
        "Trials to be finished, those of earlier runs of the study included",
        unset=_unset("trials", "as many as the cost pays for", "a cost is"),
        ge=1,
        group=Group.BASIC,
    )
    cost: float | None = option(
        None,
        Kind.NUMBER,
        "In place of trials: what all of them together may train, those of earlier runs included, in full "
        "trainings of the budget",
        unset=_unset("cost", "what the trials take", "trials are"),
        ge=1,
        group=Group.BASIC,
    )
    budget: int | None = option(
        None, Kind.WHOLE, "Epochs of one trial", unset="the workload's own", ge=1, group=Group.BASIC
    )
    storage: str | None = option(
        None,
        Kind.TEXT,
        "URL of the storage",
        unset=DEFAULT_URL,
        variable="SGDR_STORAGE",
        more="The URL of any storage of Optuna's will do.",
        shown=Place.COMMAND,
    )
    study: str | None = option(
        None,
        Kind.TEXT,
        "Name of the study, by which its trials, curves and best schedule are kept",
        unset="the workload's",
        rest="Name of the study, which is the sweep's id too",
        group=Group.BASIC,
    )
    space: Space | None = option(
        None, Kind.OBJECT, "What is searched", unset="see `Space`", shown=Place.NOWHERE
    )
    objective: str = option("best-epoch", Kind.CHOICE, "What a trial is worth", choices=OBJECTIVES)
    margin: float | None = option(
        None,
        Kind.NUMBER,
        "Differences below it, in the unit of the metric, do not count in the answer, and the simplest "
        "schedule is recommended",
        unset="a fifth of the standard deviation between seeds",
        ge=0,
        wrong="must be a finite number of at least 0, in the unit of the metric",
    )
    pruner: str | BasePruner = option(
        AUTO,
        Kind.CHOICE,
        "What ends trials that lag behind; auto is none for the staged sampler, and restart-aware for others",
        choices=(AUTO, *PRUNERS),
        instances="optuna.pruners:BasePruner",
        also=", or an Optuna pruner",
    )
    sampler: str | BaseSampler = option(
        STAGED,
        Kind.CHOICE,
        "What chooses the next trial: staged finds the peak under one cosine, then looks at the shapes near "
        "it, and trains again what leads",
        choices=(STAGED, "tpe", "random"),
        instances="optuna.samplers:BaseSampler",
        more="Any Optuna sampler will do. Where one ends the study, as a GridSampler and a "
        "BruteForceSampler do when all is tried, the sweep ends and says so; to them a value that the "
        "space fixes is a choice of one.",
    )
    slots: int | str = option(
        "auto",
        Kind.SLOTS,
        "Trials trained side by side by each worker: a number, or auto, which suits them to the devices",
        ge=1,
        most=2**16,
    )
    engine: str = option(
        "local",
        Kind.CHOICE,
        "Where it is trained: local, by one worker here, or ray, by several on Ray",
        choices=("local", "ray"),
        rest="local: one worker on the service's host; ray: several on Ray, on the cluster that the "
        "service is told of, else on its host",
        group=Group.WORKERS,
    )
    workers: int = option(
        1,
        Kind.WHOLE,
        "How many workers; on one machine one for each core at most is sensible",
        ge=1,
        most=1000,
        group=Group.WORKERS,
    )
    cpus_per_worker: float = option(
        1,
        Kind.AMOUNT,
        "Cores of a worker: a whole number, or a fraction below 1",
        gt=0,
        label="Cores per worker",
        group=Group.WORKERS,
    )
    gpus_per_worker: float = option(
        0,
        Kind.AMOUNT,
        "GPUs of a worker: a whole number, or that share of one and of its memory",
        ge=0,
        label="GPUs per worker",
        group=Group.WORKERS,
    )
    address: str | None = option(
        None,
        Kind.TEXT,
        "Address of a Ray cluster: auto, or HOST:PORT",
        unset="Ray is started on this machine",
        variable="SGDR_RAY_ADDRESS",
        shown=Place.COMMAND,
        group=Group.WORKERS,
    )
    checkpoints: str | os.PathLike[str] | None = option(
        None,
        Kind.TEXT,
        "Folder, one that all workers have, for the last trough of each trial; what is cut off goes on "
        "from there (functions of other frameworks begin anew)",
        unset="trials begin anew",
        shown=Place.COMMAND,
    )
    controls: float = option(
        DEFAULT_SHARE,
        Kind.NUMBER,
        "Share of the trials without restarts, from 0, with tpe and random: as many of each shape, of few "
        "trials the first ones",
        ge=0,
        lt=1,
        wrong="must be a share of the trials, from 0 to below 1",
    )
    shapes: Sequence[str] = option(
        (),
        Kind.NAMES,
        "The shapes of schedule that are searched",
        unset=f"{', '.join(DEFAULT_SHAPES)}, or those of the study that is gone on with",
        choices=tuple(SHAPES),
        group=Group.SEARCHED,
    )
    relatives: Sequence[str] = option(
        (),
        Kind.NAMES,
        "Deprecated, give shapes: further ones beside those that are searched anyway",
        unset="none",
        choices=RELATIVES,
        shown=Place.COMMAND | Place.REST,
    )
    seed: int = option(
        0,
        Kind.WHOLE,
        "The same seed gives the same sweep",
        ge=0,
        le=2**32 - 1,  # of NumPy's generator, which the samplers use
        wrong="must be below 2^32",
    )
    timeout: float | None = option(
        None,
        Kind.TIME,
        "Stop after so many seconds, until it is resumed",
        unset="no limit of its own",
        gt=0,
        wrong="must be a positive number of seconds",
        more="What is being trained then is trained again on `resume`.",
    )
    resume: bool = option(
        False, Kind.SWITCH, "Go on with the study where there is one", more="It goes on with its own seed."
    )

    def __post_init__(self) -> None:
        for name, about in options_of(self).items():
            object.__setattr__(self, name, about.checked(getattr(self, name)))
        if self.trials is None and self.cost is None:
            for name, default in DEFAULT_EXTENT.items():
                object.__setattr__(self, name, default)
        if self.trials is not None and self.cost is not None:
            reason = f"cannot be beside trials={self.trials}, for either says how far a sweep goes"
            raise ArgumentError("cost", self.cost, reason, "give one of them")
        if self.relatives and self.shapes:
            raise ArgumentError("relatives", self.relatives, "and shapes are two", "give shapes alone")
        if self.relatives:
            shapes = in_order((*DEFAULT_SHAPES, *self.relatives))
            warnings.warn(f"give shapes={shapes}", DeprecationWarning, stacklevel=6)  # whose call of `sweep`

    def options(self) -> dict[str, Any]:
        """The options by name, as `search.sweep` takes them."""
        return {part.name: getattr(self, part.name) for part in fields(SweepConfig)}


CONFIRM = Option(
    Kind.SWITCH,
    "Then train the best again on new seeds, for a verdict",
    rest="Then train the best again on new seeds, on the service's host, for a verdict",
    name="confirm",
    default=False,
)
"""What the command and the service do after a sweep."""


def _options() -> dict[str, Option]:
    """The options by name, those of the space in its place."""
    listed: dict[str, Option] = {}
    for name, about in options_of(SweepConfig).items():
        listed |= options_of(Space) if name == "space" else {name: about}
    return {**listed, CONFIRM.name: CONFIRM}


OPTIONS: Mapping[str, Option] = MappingProxyType(_options())
"""All that can be said of a sweep outside of Python, in the order in which it is shown."""
