"""Results as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sgdr.search.study import Best, Study

MOST_RESTARTS = 12
"""That are listed one by one."""


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    Console(soft_wrap=True, highlight=False, markup=False).print(
        json.dumps(content, indent=2, allow_nan=False)
    )


def table(headings: list[str], rows: list[list[str]], title: str | None = None) -> None:
    """A table on stdout, whole also where the output is no terminal."""
    made = Table(*headings, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        made.add_row(*row)
    console().print(made)


def console() -> Console:
    """stdout, in which nothing is cut off to fit a pipe."""
    stdout = Console(highlight=False, markup=False)
    return stdout if stdout.is_terminal else Console(highlight=False, markup=False, width=200)


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _plain(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def outcomes(counts: Mapping[str, int]) -> str:
    """How the trials of a study ended, in words."""
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def as_json(best: Best) -> dict[str, Any]:
    """A trial for machines; T_0, restarts and the epoch are in epochs."""
    return {
        "number": best.number,
        "value": best.value,
        "schedule": best.schedule.to_dict(),
        "restarts": best.schedule.restarts(until=best.budget),
        "epoch": best.epoch,
        "budget": best.budget,
        "hparams": dict(best.hparams),
        "seed": best.seed,
    }


def describe(study: Study, k: int) -> None:
    """The best schedule and a table of the best k, on stdout."""
    top = study.top(k)
    best = study.best
    attributes = study.attributes
    schedule = best.schedule
    restarts = schedule.restarts(until=best.budget)
    listed = ", ".join(map(str, restarts[:MOST_RESTARTS])) + (", …" if len(restarts) > MOST_RESTARTS else "")
    out = console()
    out.print(
        f"\nBest schedule of study {study.name!r} "
        f"(workload {attributes['workload']}, trial {best.number}, unconfirmed)"
    )
    at = "at epoch" if len(restarts) == 1 else "at epochs"
    lines = [
        ("base_lr", number(schedule.base_lr)),
        ("T_0", f"{schedule.T_0} epoch{'s' * (schedule.T_0 != 1)}"),
        ("T_mult", str(schedule.T_mult)),
        ("eta_min", number(schedule.eta_min)),
        *((name, _plain(value)) for name, value in best.hparams.items()),
        ("restarts", f"{at} {listed} of {best.budget}" if restarts else f"none in a budget of {best.budget}"),
        (attributes["metric"], f"{number(best.value)} at epoch {best.epoch} ({attributes['objective']})"),
    ]
    width = max(len(name) for name, _ in lines) + 2
    out.print("\n".join(f"  {name:<{width}}{text}" for name, text in lines))
    rows = [
        [
            str(each.number),
            number(each.value),
            number(each.schedule.base_lr),
            str(each.schedule.T_0),
            str(each.schedule.T_mult),
            number(each.schedule.eta_min),
            *map(_plain, each.hparams.values()),
            str(len(each.schedule.restarts(until=each.budget))),
            str(each.epoch),
        ]
        for each in top
    ]
    headings = [
        "trial",
        attributes["metric"],
        "base_lr",
        "T_0",
        "T_mult",
        "eta_min",
        *best.hparams,
        "restarts",
        "epoch",
    ]
    out.print()
    table(headings, rows, title=f"Top {len(rows)} of {study.outcomes['complete']} completed trials")
