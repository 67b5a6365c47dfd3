"""What has been played, in tables to read and in plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from experiments.bench import report
from experiments.tables.judging import Estimate
from experiments.tables.lineup import HAND, ORACLE
from experiments.tables.playing import Played

NOTE = (
    "± is half of a 95 % interval, were it done anew on as many other seeds of the same workload; behind the "
    "stroke, were only the repeats drawn anew on these very seeds."
)


class Comparison:
    """Peers at costs, on some tables, and strategies that are compared with the best of them."""

    def __init__(self, played: Sequence[Played], costs: Sequence[float], compared: Sequence[str]) -> None:
        """`compared` are the names of those strategies."""
        self._played, self._costs, self._compared = played, costs, compared
        self._hand = HAND if len(played) > 1 else ORACLE
        names = dict.fromkeys(name for one in played for name in one.named)
        self._names = [HAND, ORACLE][len(played) == 1 :] + [
            name for name in names if not name.startswith(HAND)
        ]

    def texts(self) -> Iterator[str]:
        """Three tables in Markdown for each table of curves, and one over all."""
        yield NOTE + "\n"
        for one in self._played:
            about = one.table.about
            seeds = len(one.repeats.orders[0])
            attainable = one.floor
            yield (
                f"{about.name}: {about.metric}, {'minus ' if about.direction == 'maximize' else ''}true, of "
                f"{seeds} seeds of which a search sees {one.repeats.seen}; attainable "
                f"{attainable.mean:.4f} ± {attainable.reach:.4f}\n"
            )
            yield from self._tables_of(one)
        yield f"All tables: on how many it is measurably better, and worse, than {self._hand}\n"
        yield self._table("better, worse", self._verdicts, *self._played)
        for name in self._compared:
            yield f"{name}, minus the best peer on each table at each cost, which is chosen in hindsight\n"
            rows = [
                [one.table.about.name, *(self._against_best(one, name, cost) for cost in self._costs)]
                for one in self._played
            ]
            yield report.table(["table", *(f"{cost:g}" for cost in self._costs)], rows) + "\n"
        yield f"All tables: the distance to the attainable, as a share of that of {self._hand}\n"
        yield self._table("share", lambda name, cost: _plain(self._share(name, cost), 2), *self._played)

    def to_dict(self) -> dict[str, Any]:
        """All figures, pairs of a mean and the reach of its interval, and the rows that were named."""
        return {
            "costs": list(self._costs),
            "tables": {one.table.about.name: self._of_table(one) for one in self._played},
            "share_of_hand": {
                name: {
                    f"{cost:g}": self._share(name, cost)
                    for cost in self._costs
                    if self._has(name, cost, *self._played)
                }
                for name in self._names
            },
        }

    def _tables_of(self, one: Played) -> Iterator[str]:
        def true(name: str, cost: float) -> str:
            return f"{one.losses(name, cost).whole.mean():.4f}"

        def above(name: str, cost: float) -> str:
            return _plain(one.distance(name, cost).estimate())

        def minus_hand(name: str, cost: float) -> str:
            return _signed(self._minus_hand(one, name, cost))

        yield self._table("true", true, one)
        yield self._table("above attainable", above, one)
        yield self._table(f"minus {self._hand}", minus_hand, one)

    def _of_table(self, one: Played) -> dict[str, Any]:
        return {
            "attainable": one.floor,
            "noise": one.noise,
            "seen": one.repeats.seen,
            "best_peer": {f"{cost:g}": self._best_peer(one, cost) for cost in self._costs},
            "orders": one.repeats.orders,
            "peers": {
                name: {
                    f"{cost:g}": {
                        "loss": one.losses(name, cost).estimate(),
                        "distance": one.distance(name, cost).estimate(),
                        "minus_hand": self._minus_hand(one, name, cost),
                        "spent": one.named[name][cost].spent,
                        "split": one.named[name][cost].split,
                        "rows": one.named[name][cost].rows,
                    }
                    for cost in self._costs
                    if self._has(name, cost, one)
                }
                for name in self._names
            },
        }

    def _has(self, name: str, cost: float, *played: Played) -> bool:
        return all(cost in one.named.get(name, ()) and cost in one.named[self._hand] for one in played)

    def _minus_hand(self, one: Played, name: str, cost: float) -> Estimate:
        return (one.losses(name, cost) - one.losses(self._hand, cost)).estimate()

    def _share(self, name: str, cost: float) -> Estimate:
        """The distances of a peer as a share of the hand's, each in its table's deviations between seeds."""
        own = [one.distance(name, cost) * (1 / one.noise) for one in self._played]
        hand = [
            (one.distance(self._hand, cost) * (1 / one.noise)).first(len(mine.whole))
            for one, mine in zip(self._played, own, strict=True)
        ]
        whole = sum(distance.whole.mean() for distance in hand)
        share = sum(distance.whole.mean() for distance in own) / whole
        off = [(mine - theirs * share).estimate() for mine, theirs in zip(own, hand, strict=True)]
        _, *reaches = (sum(np.square(part)) ** 0.5 / abs(whole) for part in zip(*off, strict=True))
        return Estimate(float(share), *map(float, reaches))

    def _against_best(self, one: Played, name: str, cost: float) -> str:
        best = self._best_peer(one, cost)
        if best is None or not self._has(name, cost, one):
            return report.ABSENT
        return f"{_signed((one.losses(name, cost) - one.losses(best, cost)).estimate())}, {best}"

    def _best_peer(self, one: Played, cost: float) -> str | None:
        """The peer with the lowest true loss at a cost; not the hand whose split was chosen on this table."""
        peers = [
            name
            for name in self._names
            if name not in self._compared and name != ORACLE and self._has(name, cost, one)
        ]
        return min(peers, key=lambda name: one.losses(name, cost).whole.mean(), default=None)

    def _verdicts(self, name: str, cost: float) -> str:
        off = [self._minus_hand(one, name, cost) for one in self._played]
        counts = [
            f"{sum(mean < -reach for mean, reach in pairs)}, {sum(mean > reach for mean, reach in pairs)}"
            for pairs in ([one[:2] for one in off], [(one.mean, one.within) for one in off])
        ]
        return " / ".join(counts)

    def _table(self, title: str, cell: Callable[[str, float], str], *played: Played) -> str:
        rows = [
            [
                name,
                *(
                    cell(name, cost) if self._has(name, cost, *played) else report.ABSENT
                    for cost in self._costs
                ),
            ]
            for name in self._names
        ]
        return report.table([title, *(f"{cost:g}" for cost in self._costs)], rows) + "\n"


def _plain(estimate: Estimate, decimals: int = 4) -> str:
    return f"{estimate.mean:.{decimals}f} ± {estimate.reach:.{decimals}f}"


def _signed(estimate: Estimate) -> str:
    return f"{estimate.mean:+.4f} ± {estimate.reach:.4f} / {estimate.within:.4f}"
