"""Results as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sgdr.search.study import Study
    from sgdr.search.verdict import Confirmed, Verdict

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


def confirmed(found: Confirmed | None) -> str:
    """What a trial gave on other seeds than the search's, in words."""
    if found is None:
        return "unconfirmed"
    if found.failed is not None or found.mean is None:
        return "failed"
    return f"{_mean(found)} on {len(found.values)}"


def _mean(found: Confirmed) -> str:
    """The mean and half of its interval."""
    if found.mean is None or found.low is None or found.high is None:
        return "–"
    reach = (found.high - found.low) / 2
    return f"{number(found.mean)} ± {reach:.2g}" if len(found.values) > 1 else number(found.mean)


def verdict(found: Verdict, study: str) -> None:
    """The verdict in words and a table of its candidates, on stdout."""
    out = console()
    out.print(f"\nVerdict on study {study!r}: {found}", soft_wrap=True)
    hparams = list(found.candidates[0].hparams)
    ensembles = any(_ensemble(each) != "–" for each in found.candidates)
    rows = []
    for each in found.candidates:
        schedule = each.schedule
        rows.append(
            [
                str(each.number),
                each.arm,
                each.failed or _mean(each),
                str(len(each.values)),
                "–" if each.epoch is None else f"{each.epoch:g}",
                number(each.searched),
                number(schedule.base_lr),
                str(schedule.T_0),
                str(schedule.T_mult),
                number(schedule.eta_min),
                *(_plain(each.hparams[name]) for name in hparams),
                *([_ensemble(each)] if ensembles else []),
            ]
        )
    headings = ["trial", "arm", f"{found.metric}, mean ± 95 %", "seeds", "at epoch", "in the search"]
    headings += ["base_lr", "T_0", "T_mult", "eta_min", *hparams]
    out.print()
    table(headings + (["ensemble / single"] if ensembles else []), rows)
    if ensembles:
        out.print(
            "ensemble / single: of the run on the first seed, the mean prediction of the models at its last "
            "troughs, and the model of its chosen epoch alone",
            soft_wrap=True,
        )


def verdict_line(study: Study) -> None:
    """The study's verdict in one line, and whether trials have come since, on stdout."""
    found = study.verdict
    if found is None:
        console().print("No verdict on restarts yet: sgdr confirm gives it", soft_wrap=True)
        return
    now = sum(study.arms.values())
    since = f", made when there were {found.trials} of these {now} trials" if now != found.trials else ""
    console().print(f"Verdict{since}: {found}", soft_wrap=True)


def _ensemble(candidate: Confirmed) -> str:
    found = candidate.ensemble
    if not found or found["troughs"] < 2:
        return "–"
    return f"{number(found['ensemble'])} of {int(found['troughs'])} / {number(found['single'])}"


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
        f"(workload {attributes['workload']}, trial {best.number}, "
        f"{'unconfirmed' if best.confirmed is None or best.confirmed.failed else 'confirmed'})"
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
        ("on new seeds", confirmed(best.confirmed)),
    ]
    width = max(len(name) for name, _ in lines) + 2
    out.print("\n".join(f"  {name:<{width}}{text}" for name, text in lines))
    rows = [
        [
            str(each.number),
            each.arm,
            number(each.value),
            confirmed(each.confirmed),
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
        "arm",
        attributes["metric"],
        "on new seeds",
        "base_lr",
        "T_0",
        "T_mult",
        "eta_min",
        *best.hparams,
        "restarts",
        "epoch",
    ]
    out.print()
    arms = ", ".join(f"{arm} {count}" for arm, count in study.arms.items())
    title = f"Top {len(rows)} of {study.outcomes['complete']} completed trials; finished by arm: {arms}"
    table(headings, rows, title=title)
