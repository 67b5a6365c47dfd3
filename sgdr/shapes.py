"""The shapes of schedule that a search tries, each declared once: its words, what is searched, how it looks.

A sweep has an arm of each shape that it is asked for. Whoever adds a shape gives `sgdr.relatives` or
`sgdr.decays` its formula, `SHAPES` an entry, and `FIELDS` what no schedule had before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from sgdr.decays import FALLS, Linear, Power, StableDecay
from sgdr.formula import Formula
from sgdr.relatives import ANNEALS, KINDS, MODES, Cyclic, OneCycle, StepDecay, constant, cosine_annealing
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup

MILESTONES = (30, 60, 80)
"""Percent of the budget, of the steps in the paper of warm restarts (Loshchilov & Hutter 2017)."""

Params = Mapping[str, Any]
"""Sampled values by name."""


@dataclass(frozen=True)
class Shape:
    """One shape of schedule."""

    name: str
    """The name of the shape's arm; of a formula, the `kind` of its schedules."""
    words: str
    """The words for the shape that people read."""
    color: str
    """One of the colours of the dashboard's palette."""
    marker: str
    """A symbol of Plotly."""
    shared: tuple[str, ...] = ()
    """The ranges of `search.Space` that are searched beside base_lr, in the order of sampling: length
    (T_0, or the number of cycles), T_mult, eta_ratio."""
    own: Mapping[str, Callable[[int], Any]] = field(default_factory=dict)
    """What is searched of it alone: by name, the range or the choices for a budget in epochs, in the short
    form of a `search.Space`. Nothing of the workload's may have one of these names."""
    make: Callable[[Params, int], WarmRestarts | Formula] | None = None
    """The schedule in epochs that sampled values name, for a budget; None: `search.Space` makes it."""
    is_control: bool = True
    """Whether its schedules have no restarts."""
    is_formula: bool = True
    """Whether its schedules are formulas, whose `kind` is its name; others are `WarmRestarts`."""
    rises_first: bool = False
    """Whether its rate begins below its peak: then how a trial begins tells only how soon it rises."""
    evenly: int = 16
    """How many of its trials are spread over its space before TPE begins."""
    preposition: str = "of"
    """The preposition between trials and `words`."""


def _one_cosine(params: Params, budget: int) -> WarmRestarts:
    """One cosine cycle, or a constant rate where no eta_ratio was sampled."""
    base_lr = float(params["base_lr"])
    return WarmRestarts(base_lr, budget, 1, base_lr * float(params.get("eta_ratio", 1.0)))


def _linear(params: Params, budget: int) -> Linear:
    return Linear(float(params["base_lr"]), budget)


def _stable_decay(params: Params, budget: int) -> StableDecay:
    base_lr, pct_decay = float(params["base_lr"]), float(params["pct_decay"])
    return StableDecay(base_lr, budget, pct_decay, fall=str(params["fall"]))


def _power(params: Params, budget: int) -> Power:
    return Power(float(params["base_lr"]), budget, float(params["power"]))


def _one_cycle(params: Params, budget: int) -> OneCycle:
    return OneCycle(float(params["base_lr"]), budget, float(params["pct_start"]))


def _step_decay(params: Params, budget: int) -> StepDecay:
    milestones = tuple(budget * percent / 100 for percent in MILESTONES)
    return StepDecay(float(params["base_lr"]), milestones, float(params["gamma"]))


def _cyclic(params: Params, budget: int) -> Cyclic:
    base_lr = float(params["base_lr"])
    half_cycle = min(int(params["half_cycle"]), max(1, budget // 2))  # a warm-up may have left less
    return Cyclic(base_lr, half_cycle, eta_min=base_lr * float(params["eta_ratio"]))


RESTARTS = Shape(
    name="restarts",
    words="restarts",
    color="blue",
    marker="circle",
    shared=("length", "T_mult", "eta_ratio"),
    is_control=False,
    is_formula=False,
    # On one seed TPE follows the noise, and with fewer to begin with it finds worse schedules at a higher
    # cost (`experiments/bench/search.py`).
    evenly=64,
)
COSINE = Shape(
    name="cosine",
    words="one cosine cycle",
    color="vermilion",
    marker="diamond",
    shared=("eta_ratio",),
    make=_one_cosine,
    is_formula=False,
)
CONSTANT = Shape(
    name="constant",
    words="a constant rate",
    color="green",
    marker="square",
    make=_one_cosine,
    is_formula=False,
    preposition="at",
)
_FALLING = (
    Shape(
        name=Linear.kind,
        words="linear decay",
        color="violet",
        marker="triangle-down",
        make=_linear,
    ),
    Shape(
        name=StableDecay.kind,
        words="a plateau with a decay",
        color="brown",
        marker="hexagon",
        own={"pct_decay": lambda budget: (0.05, 0.5), "fall": lambda budget: list(FALLS)},
        make=_stable_decay,
    ),
)
_OTHERS = (
    Shape(
        name=Power.kind,
        words="polynomial decay",
        color="magenta",
        marker="hourglass",
        own={"power": lambda budget: (1.0, 4.0, "log")},
        make=_power,
    ),
    Shape(
        name=OneCycle.kind,
        words="one cycle",
        color="pink",
        marker="triangle-up",
        own={"pct_start": lambda budget: (0.05, 0.5)},
        make=_one_cycle,
        rises_first=True,
    ),
    Shape(
        name=StepDecay.kind,
        words="step decay",
        color="olive",
        marker="cross",
        own={"gamma": lambda budget: (0.05, 0.5, "log")},
        make=_step_decay,
    ),
    Shape(
        name=Cyclic.kind,
        words="triangles",
        color="grey",
        marker="star",
        shared=("eta_ratio",),
        own={"half_cycle": lambda budget: (1, max(1, budget // 2), "log")},
        make=_cyclic,
        rises_first=True,
    ),
)

SHAPES = {shape.name: shape for shape in (RESTARTS, COSINE, *_FALLING, CONSTANT, *_OTHERS)}
"""All of them by name, in the order in which they are told."""
DEFAULT_SHAPES = (RESTARTS.name, COSINE.name, *(shape.name for shape in _FALLING), CONSTANT.name)
"""The shapes that a sweep tries where none are asked for."""
EARLIER = (RESTARTS.name, COSINE.name, CONSTANT.name)
"""The shapes of studies that do not name theirs: every sweep had them before they could be chosen."""


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """The names that are those of shapes, each once, in the order of `SHAPES`."""
    return tuple(name for name in SHAPES if name in names)


Schedule: TypeAlias = WarmRestarts | Formula | Warmup
"""Any schedule of the library."""
MAKERS: dict[str, Callable[..., Schedule]] = {
    RESTARTS.name: WarmRestarts,
    COSINE.name: cosine_annealing,
    CONSTANT.name: constant,
    **KINDS,
}
"""What makes a schedule of each kind by its fields, for whoever names one: also of those not searched."""
PARAMETERS: dict[str, Mapping[str, inspect.Parameter]] = {
    kind: inspect.signature(make).parameters for kind, make in MAKERS.items()
}
"""These fields by name, by the name of the kind."""


class Meaning(NamedTuple):
    """What a field of a schedule may be, and what it is for."""

    form: str | tuple[str, ...]
    """A kind of number, or the words that it may be. The service says what is taken for each kind."""
    words: str
    example: Any = None


FIELDS = {
    "base_lr": Meaning("rate", "The peak rate.", 0.1),
    "T_0": Meaning("length", "Length of the first cycle, in the unit of the steps.", 10),
    "T_mult": Meaning("factor", "Each cycle is this many times longer than the last.", 2),
    "eta_min": Meaning("floor", "The lowest rate, at most base_lr.", 0.0001),
    "peak_decay": Meaning("decay", "Each restart's peak is the last one times this.", 0.9),
    "cycles": Meaning("count or none", "Afterwards the rate stays at eta_min.", 2),
    "length": Meaning("length", "Of the whole, in the unit of the steps.", 100),
    "pct_start": Meaning("share", "The share of the length at which the rate is at its peak.", 0.3),
    "div_factor": Meaning("factor", "The first rate is base_lr divided by this.", 25),
    "final_div_factor": Meaning("factor", "The last rate is the first one divided by this.", 10_000),
    "pct_final": Meaning("share or none", "The share of the length at which a third phase begins.", 0.85),
    "anneal": Meaning(ANNEALS, "The form of every phase."),
    "up": Meaning("half length", "Length of the way up of each triangle.", 20),
    "down": Meaning("half length or none", "Length of the way down; as long as up.", 40),
    "pct_decay": Meaning("share", "The last share of the length, in which the rate falls.", 0.2),
    "fall": Meaning(FALLS, "The form of the fall."),
    "power": Meaning("rate", "The power of the share of the length that is left.", 2.0),
    "mode": Meaning(MODES, "How the heights of triangles change."),
    "gamma": Meaning("decay", "By which each milestone, or step, lowers the rate.", 0.1),
    "milestones": Meaning(
        "lengths", "Steps from which on there is another rate, or schedule, in rising order.", [30, 60]
    ),
    "steps": Meaning("steps", "Length of the warm-up, in the unit of the steps.", 5),
}
"""The fields of all schedules that are no schedules themselves, by name: it means the same in each."""
