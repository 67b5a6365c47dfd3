"""Results as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from sgdr.schedule import FIELDS
from sgdr.search.storage.connect import DEFAULT_URL, shown
from sgdr.search.study.columns import COLUMNS
from sgdr.search.study.flat_names import flat_name
from sgdr.search.study.restarts import restart_epochs
from sgdr.warmup import flat_fields, unwarmed

if TYPE_CHECKING:
    from sgdr.search.study.answer import Answer
    from sgdr.search.study.study import Study
    from sgdr.search.study.verdict import Confirmed, Verdict

MOST_RESTARTS = 12
"""The most restarts that are listed one by one."""


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    Console(soft_wrap=True, highlight=False, markup=False).print(
        json.dumps(content, indent=2, allow_nan=False)
    )


def remark(words: str) -> None:
    """One line on stderr."""
    Console(stderr=True, highlight=False, markup=False).print(f"sgdr: {words}", soft_wrap=True)


def table(headings: list[str], rows: list[list[str]], title: str | None = None) -> None:
    """A table on stdout, whole also where the output is no terminal."""
    grid = Table(*headings, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        grid.add_row(*row)
    console().print(grid)


def console() -> Console:
    """stdout, in which nothing is cut off to fit a pipe."""
    stdout = Console(highlight=False, markup=False)
    return stdout if stdout.is_terminal else Console(highlight=False, markup=False, width=200)


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _plain(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _fields(schedule: Any) -> dict[str, str]:
    """The fields that a schedule has, as texts."""
    return {
        name: ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
        for name, value in flat_fields(schedule).items()
        if value is not None
    }


def _further(schedule: Any) -> str:
    """The fields that have no column and not their default."""
    inner, _ = unwarmed(schedule)
    defaults = {field.name: field.default for field in dataclasses.fields(inner)}
    return ", ".join(
        f"{name} {value}"
        for name, value in _fields(schedule).items()
        if name not in FIELDS and (name not in defaults or getattr(inner, name) != defaults[name])
    )


def _columns(schedules: list[Any]) -> tuple[list[str], list[list[str]]]:
    """Headings, and the cells of each; in a last column, where there are some, formulas' own and warm-ups."""
    fields = [_fields(schedule) for schedule in schedules]
    further = [_further(schedule) for schedule in schedules]
    also = ["others"] if any(further) else []
    cells = [
        [*(texts.get(name, "–") for name in FIELDS), *([more or "–"] if also else [])]
        for texts, more in zip(fields, further, strict=True)
    ]
    return [*FIELDS, *also], cells


def outcomes(counts: Mapping[str, int]) -> str:
    """How the trials of a study ended, in words."""
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def confirmed(confirmation: Confirmed | None) -> str:
    """What a trial gave on other seeds than the search's, in words."""
    if confirmation is None:
        return "unconfirmed"
    if confirmation.failed is not None or confirmation.mean is None:
        return "failed"
    return f"{_mean(confirmation)} on {len(confirmation.values)}"


def _mean(confirmation: Confirmed) -> str:
    """The mean and half of its interval."""
    if confirmation.mean is None or confirmation.low is None or confirmation.high is None:
        return "–"
    reach = (confirmation.high - confirmation.low) / 2
    return (
        f"{number(confirmation.mean)} ± {reach:.2g}"
        if len(confirmation.values) > 1
        else number(confirmation.mean)
    )


def verdict(result: Verdict, study: str) -> None:
    """The verdict in words and a table of its candidates, on stdout."""
    out = console()
    out.print(f"\nVerdict on study {study!r}: {result}", soft_wrap=True)
    hparams = list(result.candidates[0].hparams)
    ensembles = any(_ensemble(candidate) != "–" for candidate in result.candidates)
    rows = []
    columns, cells = _columns([candidate.schedule for candidate in result.candidates])
    for candidate, fields in zip(result.candidates, cells, strict=True):
        rows.append(
            [
                str(candidate.number),
                candidate.arm,
                candidate.failed or _mean(candidate),
                str(len(candidate.values)),
                "–" if candidate.epoch is None else f"{candidate.epoch:g}",
                number(candidate.searched),
                *fields,
                *(_plain(candidate.hparams[name]) for name in hparams),
                *([_ensemble(candidate)] if ensembles else []),
            ]
        )
    headings = [
        "trial",
        "arm",
        f"{result.metric}, mean ± 95 %",
        "seeds",
        "at epoch",
        "in the search",
        *columns,
    ]
    headings += [flat_name("hparams", name, headings) for name in hparams]
    out.print()
    table(headings + (["ensemble / single"] if ensembles else []), rows)
    if ensembles:
        out.print(
            "ensemble / single: of the run on the first seed, the mean prediction of the models at its last "
            "troughs, and the model of its chosen epoch alone",
            soft_wrap=True,
        )


def answer(reached: Answer) -> None:
    """The answer's sentences, on stdout."""
    console().print(f"\n{reached}", soft_wrap=True)


def pasted(reached: Answer, study: Study) -> None:
    """The recommended schedule in Python, and the command that gives code for frameworks, on stdout."""
    from sgdr.export.python import expression

    made = expression(reached.schedule)
    console().print(f"\nimport sgdr\n\nschedule = {made}  # steps are epochs", soft_wrap=True)
    command = f"sgdr export --to torch --trial {reached.number}{where(study.name, study.url)}"
    console().print(f"\nCode for torch, and likewise for other frameworks:\n  {command}", soft_wrap=True)


def where(name: str, url: str) -> str:
    """What a command line takes to find that study."""
    storage = "" if url == DEFAULT_URL else f" --storage {shlex.quote(shown(url))}"
    quoted = f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)
    return f"{storage} {quoted}"


def verdict_line(study: Study) -> None:
    """The study's verdict in one line, and whether trials have come since, on stdout."""
    verdict = study.verdict
    if verdict is None:
        console().print("No verdict on restarts yet: sgdr confirm gives it", soft_wrap=True)
        return
    now = sum(study.arms.values())
    since = f", made when there were {verdict.trials} of these {now} trials" if now != verdict.trials else ""
    console().print(f"Verdict{since}: {verdict}", soft_wrap=True)


def _label(name: str, metric: str, fields: Collection[str]) -> str:
    """What a searched value is called beside those fields and the rest that is said of a trial."""
    return flat_name("hparams", name, (*COLUMNS, "trial", "restarts", "epoch", metric, *fields))


def _ensemble(candidate: Confirmed) -> str:
    scores = candidate.ensemble
    if not scores or scores["troughs"] < 2:
        return "–"
    return f"{number(scores['ensemble'])} of {int(scores['troughs'])} / {number(scores['single'])}"


def describe(study: Study, k: int) -> None:
    """The best schedule and a table of the best k, on stdout."""
    top = study.top(k)
    best = study.best
    stored = study.stored
    schedule = best.schedule
    restarts = restart_epochs(schedule, best.budget)
    listed = ", ".join(map(str, restarts[:MOST_RESTARTS])) + (", …" if len(restarts) > MOST_RESTARTS else "")
    out = console()
    out.print(
        f"\nBest schedule of study {study.name!r} "
        f"(workload {stored.workload}, trial {best.number}, "
        f"{'unconfirmed' if best.confirmed is None or best.confirmed.failed else 'confirmed'})"
    )
    at = "at epoch" if len(restarts) == 1 else "at epochs"
    fields = _fields(schedule)
    if "T_0" in fields:
        fields["T_0"] += f" epoch{'s' * (fields['T_0'] != '1')}"
    if "warmup" in fields:
        fields["warmup"] += f" epoch{'s' * (fields['warmup'] != '1')}"
    lines = [
        *([("arm", best.arm)] if "T_0" not in fields else []),
        *fields.items(),
        *((_label(name, stored.metric, fields), _plain(value)) for name, value in best.hparams.items()),
        ("restarts", f"{at} {listed} of {best.budget}" if restarts else f"none in a budget of {best.budget}"),
        (stored.metric, f"{number(best.value)} {best.reading} ({stored.objective})"),
        ("on new seeds", confirmed(best.confirmed)),
    ]
    width = max(len(name) for name, _ in lines) + 2
    out.print("\n".join(f"  {name:<{width}}{text}" for name, text in lines))
    columns, cells = _columns([trial.schedule for trial in top])
    rows = [
        [
            str(trial.number),
            f"{trial.arm}, a start" if trial.start else trial.arm,
            number(trial.value),
            confirmed(trial.confirmed),
            *schedule_cells,
            *map(_plain, trial.hparams.values()),
            str(len(trial.schedule.restarts(until=trial.budget))),
            str(trial.epoch),
        ]
        for trial, schedule_cells in zip(top, cells, strict=True)
    ]
    headings = [
        "trial",
        "arm",
        stored.metric,
        "on new seeds",
        *columns,
        *(_label(name, stored.metric, columns) for name in best.hparams),
        "restarts",
        "epoch",
    ]
    out.print()
    arms = ", ".join(f"{arm} {count}" for arm, count in study.arms.items())
    title = (
        f"Top {len(rows)} of {study.outcomes['complete']} completed trials; finished by arm: {arms}; "
        f"cost {study.spent:.1f}"
    )
    table(headings, rows, title=title)
