"""The options of a sweep, resolved against its workload before anything is started or written."""

from __future__ import annotations

import importlib.metadata
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from sgdr.errors import ArgumentError
from sgdr.search.problem import hparams
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.objective import check_predicts
from sgdr.search.problem.space import Space, bad_hparam_name
from sgdr.search.problem.starts import Start, start_of
from sgdr.search.problem.warming import WARMUP
from sgdr.search.storage.schema import SAID_LATER, StudyAttributes
from sgdr.search.strategy.enumeration import check_enumerable
from sgdr.search.strategy.named import AUTO, STAGED, named_pruner, rungs_of, suiting
from sgdr.search.strategy.samplers import Arm
from sgdr.search.strategy.staged.arms import StagedArms
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.extent import CostExtent, Extent, TrialExtent
from sgdr.search.sweeps.starts import needs_table, space_of, widened
from sgdr.shapes import DEFAULT_SHAPES, EARLIER, RESTARTS, SHAPES, in_order

EVENLY = {name: shape.evenly for name, shape in SHAPES.items()}
"""Trials of each arm that are spread over its space before TPE begins."""
SAME_ON_RESUME = ("workload", "budget", "space", "objective", "metric", "select_metric", "direction")
PACKAGES = ("sgdr", "jax", "jaxlib", "optax", "optuna", "numpy")


@dataclass(frozen=True, kw_only=True)
class Settings(SweepConfig):
    """What a sweep is to do: its options with every default filled in for its workload.

    Where the study is, and what is kept beside it, is not said here: `storage` and `address` are None, and
    nothing reads `study`, `checkpoints` and `resume`, which are as they were asked for.
    """

    # By `field` they have no default; else they would have those of the options, which are not resolved.
    workload: Declaration
    budget: int = field()
    space: Space = field()
    """What is searched, widened to hold the starts."""
    asked: Space = field()
    """The space as it was asked for."""
    starts: tuple[Start, ...] = ()
    """What the user has today, which is trained first."""
    pruner: BasePruner = field()
    slots: int | None = field()  # type: ignore[assignment]  # in place of "auto"
    """None: as suits the devices."""

    def __post_init__(self) -> None:
        """Does nothing: the options were checked before they were resolved."""

    @property
    def extent(self) -> Extent:
        """How far the sweep goes."""
        if self.cost is not None:
            return CostExtent(self.cost, self.budget)
        return TrialExtent(self.whole_trials)

    @property
    def whole_trials(self) -> int:
        """The trials that are asked for, or that the cost pays for if each is trained to its end.

        Of these the arms have their shares, and no more can ever be trained at once.
        """
        return int(self.cost or 1) if self.trials is None else self.trials

    @property
    def most_at_once(self) -> int:
        """How many trials are worth training side by side, where that is for the sweep to choose.

        The staged search learns from each trial which one to train next: in a quarter of them at most it is
        to know no more than in the first.
        """
        return max(1, self.whole_trials // 4) if self.sampler == STAGED else self.whole_trials

    @property
    def arms(self) -> tuple[str, ...]:
        """All that are searched."""
        return arms_of(self)

    @property
    def any_schedule(self) -> bool:
        """Whether a trial may have another schedule than the warm restarts of an arm."""
        return needs_table(self.starts, self.space, self.budget, self.arms)

    def attributes(self) -> dict[str, Any]:
        """What the study keeps of it, so that the sweep can be understood a year later."""
        return StudyAttributes(
            workload=self.workload.name,
            budget=self.budget,
            space=self.space.to_dict(),
            unwidened=self.asked.to_dict() if self.asked != self.space else None,
            start=[start.to_dict() for start in self.starts],
            objective=self.objective,
            metric=self.workload.metric,
            select_metric=self.workload.select_metric,
            direction=self.workload.direction,
            steps_per_epoch=self.workload.steps_per_epoch,
            interval=self.workload.interval,
            pruner=type(self.pruner).__name__,
            sampler=self.sampler if isinstance(self.sampler, str) else type(self.sampler).__name__,
            controls=self.controls,
            shapes=list(self.arms),
            margin=None if self.margin is None else float(self.margin),
            seed=self.seed,
            versions=_versions(),
        ).to_attrs()

    def arm(self, name: str, seed: int, sampler_seed: int) -> Arm:
        """The search of an arm of a study with that seed, before its first trial."""
        return Arm(
            name,
            self.space.distributions(self.budget, name),
            sampler=self._sampler(name, sampler_seed),
            pruner=self.pruner,
            rungs=rungs_of(name, self.pruner, self.budget),
            direction=self.workload.direction,
            evenly=EVENLY[name] if self._spreads(name) else 0,
            seed=seed,
        )

    def no_arm(self, seed: int) -> Arm:
        """What trains the starts that are of no arm: it ends none of them early."""
        searched, direction = self.space.hparams, self.workload.direction
        sampler, pruner = RandomSampler(seed), NopPruner()
        return Arm("", searched, sampler, pruner, frozenset(), direction, evenly=0, seed=seed)

    def staged(self, arms: Mapping[str, Arm], seed: int) -> StagedArms | None:
        """What chooses among the arms, where that is for the sampler to do."""
        if self.sampler != STAGED:
            return None
        space, budget = self.space, self.budget
        shortest, longest = space.warmups
        is_searched = shortest < longest
        return StagedArms(
            arms,
            lambda params, arm: space.schedule(params, budget, arm),
            budget if is_searched else budget - shortest,
            seed,
            [*([WARMUP] if is_searched else []), *sorted(space.hparams)],
            self.workload.direction,
        )

    def _spreads(self, arm: str) -> bool:
        """Whether the trials of an arm begin evenly spread: not where the user says how they are sampled."""
        return self.sampler == "tpe" or (isinstance(self.sampler, BaseSampler) and SHAPES[arm].is_control)

    def _sampler(self, arm: str, seed: int) -> BaseSampler:
        # A sampler of the user's own knows one space only.
        if isinstance(self.sampler, BaseSampler) and not SHAPES[arm].is_control:
            return self.sampler
        if self.sampler in ("random", STAGED):  # the staged search chooses what is new by itself
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # The liar keeps the trials that are asked for together apart from each other.
            return TPESampler(seed=seed, n_startup_trials=EVENLY[arm], multivariate=True, constant_liar=True)


def arms_of(config: SweepConfig) -> tuple[str, ...]:
    """The shapes that are searched where no study has others."""
    return in_order(config.shapes or (*DEFAULT_SHAPES, *config.relatives))


def resolve(workload: Declaration, config: SweepConfig) -> Settings:
    """The settings with defaults filled in. Raises ValueError for the first option that cannot be.

    They are checked against what the workload declares; whether its functions fit together is not
    looked at (see `check_functions`).
    """
    budget = workload.budget if config.budget is None else config.budget
    _check_steps(workload, budget)
    if not isinstance(config.space, Space | None):
        raise ArgumentError(
            "space", config.space, "must be a search.Space", "give e.g. search.Space(T_0=(1, 20))"
        )
    asked = (config.space or Space()).resolved(workload, budget)
    starts = tuple(start_of(said, asked.hparams, budget) for said in asked.start)
    _check_extent(config, starts)
    space = widened(asked, starts, budget, arms_of(config))
    _check_shapes(config, space)
    check_predicts(config.objective, workload.name, workload.predicts)
    if workload.kind == "arrays":
        hparams.check(workload, space.hparams)
    if isinstance(config.sampler, BaseSampler):
        check_enumerable(config.sampler, space.distributions(budget))
    pruner = suiting(config.sampler) if config.pruner == AUTO else config.pruner
    resolved = {
        "budget": budget,
        "space": space,
        "asked": asked,
        "starts": starts,
        "pruner": named_pruner(pruner, budget, config.objective),
        "slots": None if config.slots == "auto" else config.slots,
        "controls": float(config.controls),
        # Settings go to every worker; where the study and the cluster are, with passwords, does not go along.
        "storage": None,
        "address": None,
    }
    return Settings(workload=workload, **{**config.options(), **resolved})


def with_kept(settings: Settings, attributes: Mapping[str, Any]) -> Settings:
    """The settings of a sweep that goes on with the study: with its shapes, where no others were asked for,
    its space, where that is what was asked for, and its starts before further ones."""
    study, shapes = StudyAttributes.from_attrs(attributes), settings.shapes
    if not shapes and settings.relatives:
        beside = DEFAULT_SHAPES if study.shapes else EARLIER
        shapes = in_order((*beside, *settings.relatives))
    starts = [Start.from_dict(stated) for stated in study.start]
    starts += [start for start in settings.starts if start not in starts]
    same = settings.asked.to_dict() in (study.space, study.unwidened)
    space = space_of(study.space, settings.asked) if same else settings.space
    return replace(settings, shapes=shapes or study.arms, space=space, starts=tuple(starts))


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What of a study's attributes a resumed sweep would change, in words."""
    before, after = _parts(stored), _parts(asked)
    return [
        f"{name} {_brief(before.get(name))}, not {_brief(value)}"
        for name, value in after.items()
        if before.get(name) != value and not (name in SAID_LATER and before.get(name) is None)
    ]


def _parts(attributes: dict[str, Any]) -> dict[str, Any]:
    """What must stay the same, by name; the space in its parts."""
    parts = {name: attributes.get(name) for name in (*SAME_ON_RESUME, *SAID_LATER)}
    parts["shapes"] = list(StudyAttributes.from_attrs(attributes).arms)
    space = {WARMUP: [0, 0], **(parts.pop("space") or {})}  # older studies do not name it
    return {**parts, **{f"space {name}": value for name, value in space.items()}}


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."


def _check_extent(config: SweepConfig, starts: Sequence[Start]) -> None:
    """Raises ArgumentError where a sweep does not go as far as to train all starts."""
    for name in ("trials", "cost"):
        most = getattr(config, name)
        if most is not None and most < len(starts):
            raise ArgumentError(name, most, f"is less than the {len(starts)} starts take", "raise it")


def _check_shapes(config: SweepConfig, space: Space) -> None:
    """Raises ArgumentError where the shapes do not go together with another option."""
    arms = arms_of(config)
    controls = [arm for arm in arms if SHAPES[arm].is_control]
    if isinstance(config.sampler, BaseSampler) and RESTARTS.name not in arms:
        reason = "of one's own searches restarts alone, which are not among the shapes"
        raise ArgumentError("sampler", config.sampler, reason, "give tpe or random")
    asked = (config.shapes or config.relatives) and config.sampler != STAGED
    if asked and controls and RESTARTS.name in arms and not config.controls:
        reason = f"leaves no trials for {', '.join(controls)}"
        raise ArgumentError("controls", config.controls, reason, "raise it, or leave them out of shapes")
    for arm in arms:
        for name in SHAPES[arm].own:
            if name in space.hparams:
                fix = f"rename it, or leave {arm} out of shapes"
                raise bad_hparam_name(name, f", which names a part of {arm}", fix)


def _check_steps(workload: Declaration, budget: int) -> None:
    steps = workload.steps_per_epoch or 1
    if budget * steps >= 2**31:
        raise ArgumentError("budget", budget, f"epochs of {steps} steps are more than 2^31 steps", "lower it")


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {
        package: importlib.metadata.version(package) for package in PACKAGES
    }
