"""The peers: who is replayed, from which cost on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product

from optuna.samplers import BaseSampler

from experiments.bench.replay import PRUNERS
from experiments.tables import peers
from experiments.tables.optuna_peer import SAMPLERS, OptunaSearch, ask_any_shape, ask_restarts
from experiments.tables.trials import Replay, Strategy, at_cost, course

HAND = "by hand"
"""The peer whose split of each cost is chosen on the other tables."""
ORACLE = "by hand, best split of this table"
PEAKS = range(3, 14)
TOP = range(1, 4)
SLOW = 20
"""Repeats of a sampler that takes seconds a search."""
WAYS = (
    ("", ask_restarts, ""),
    ("MedianPruner", ask_restarts, ""),
    ("SuccessiveHalvingPruner", ask_restarts, ""),
    ("HyperbandPruner", ask_restarts, ""),
    ("", ask_any_shape, "over shapes"),
)
"""The pruner, what is searched, and the word for that, of each of Optuna's samplers."""


@dataclass(frozen=True)
class Peer:
    """A strategy by name."""

    name: str
    search: Strategy
    least: float = 0.0
    """The lowest cost that it needs."""
    plans: bool = False
    """Whether what it does depends on the cost, so that each cost takes a replay of its own."""
    most_repeats: int | None = None
    """Repeats that are replayed at most, where it is slow."""

    def named(self, replays: Sequence[Replay]) -> list[tuple[float, int]]:
        """(what it has spent, the row that it names) for replays of one repeat at rising costs.

        One that does not plan is replayed at the highest cost alone, and asked on the way.
        """
        if self.plans:
            return [at_cost(course(self.search, replay), replay.cost) for replay in replays]
        named = course(self.search, replays[-1])
        return [at_cost(named, replay.cost) for replay in replays]


def splits(seen: int) -> list[Peer]:
    """The splits of the hand: every number of peaks, the best one to three of which go on to more seeds."""
    return [
        Peer(
            f"{HAND}, {count} peaks" + (f", best {top} on {seeds} more seeds" if seeds else ""),
            partial(peers.by_hand, peaks=count, seeds=seeds, top=top),
            least=count + top * seeds,
        )
        for count, seeds in product(PEAKS, range(seen))
        for top in (TOP if seeds else (1,))
    ]


def lineup() -> list[Peer]:
    """All others. Those that need PyTorch are left out where it is not installed."""
    staged = [
        Peer("staged, without new seeds", peers.staged_once, least=10, plans=True),
        Peer("staged", peers.staged_within, least=16, plans=True),
        Peer("one epoch of each peak, then the best", peers.first_epochs_of_peaks),
        Peer("one epoch of any schedules, then the best", peers.first_epochs_of_any, plans=True),
    ]
    return staged + [
        Peer(
            ", ".join(part for part in (sampler, pruner, words, _few(sampler)) if part),
            OptunaSearch(partial(_sampler, sampler), PRUNERS[pruner or "none"], ask=ask),
            most_repeats=SLOW if sampler == "GP" else None,
        )
        for sampler, (pruner, ask, words) in product(SAMPLERS, WAYS)
        if sampler != "GP" or find_spec("torch")
    ]


def _few(sampler: str) -> str:
    return f"at most {SLOW} repeats" if sampler == "GP" else ""


def _sampler(name: str, replay: Replay) -> BaseSampler:
    return SAMPLERS[name](replay.number)
