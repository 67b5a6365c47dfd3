"""The dashboard in a browser: when a large study is there to be seen, and what it costs to keep it so."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page

from experiments.bench import report
from experiments.bench.service.server import Server, serving
from experiments.bench.service.studies import STUDY, filled
from experiments.bench.service.timing import tracked
from experiments.bench.service.writer import Growing
from experiments.browser import chromium

DRAWN = (
    "() => [...document.querySelectorAll('.q-tab-panel .plot')]"
    ".some(plot => plot.data?.some(trace => trace.x?.length))"
)
SEEN = {
    "Overview": DRAWN,
    "Curves": DRAWN,
    "Search space": (
        "() => { const plots = [...document.querySelectorAll('.q-tab-panel .plot')];"
        " return plots.length === 4 && plots.every(plot => plot.data?.length); }"
    ),
    "Arms": DRAWN,
    "Trials": "() => document.querySelectorAll('.ag-center-cols-container .ag-row').length > 5",
}
"""Scripts, by tab, true once the first figure, all four of the search space, or the table is drawn."""
NOTE_CHANGES = """() => {
  const count = () => {
    const all = [...document.querySelectorAll('.facts div')];
    const shown = all.find(each => each.innerText.startsWith('Outcomes'));
    return (shown?.innerText.match(/\\d+/g) ?? []).reduce((sum, each) => sum + Number(each), 0);
  };
  window.noted = [];
  new MutationObserver(() => {
    const now = count();
    if (now && now !== window.noted.at(-1)?.[1]) noted.push([Date.now() / 1000, now]);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""The script that has the page keep when it shows how many trials."""
BETWEEN = (1.8, 2.4)
"""Seconds between two changes, drawn evenly: more than between two that a page shows."""
WAIT_MILLISECONDS = 60_000


def measure(folder: Path, trials: int, reads: int, changes: int, viewers: int, idle_seconds: float) -> str:
    """The tables. Raises RuntimeError where there is no Chromium."""
    url = filled(folder, trials)
    with serving(url) as server, chromium() as browser:
        idle = _idle(server, browser, idle_seconds)
        paint = _paint(server, browser, reads)
        live = [[f"1 on {tab}", *_live(server, browser, url, [tab], changes)] for tab in SEEN]
        for tab in ("Trials", "Overview"):
            live.append([f"{viewers} on {tab}", *_live(server, browser, url, [tab] * viewers, changes)])
    return (
        f"A study of {trials:,} trials in Chromium, on the same machine as the server. Seconds from the "
        f"address to the first figure or rows, {reads} times each.\n\n{paint}\n\n"
        f"{idle}\n\n{changes} changes while pages are open, one about every two seconds; the server shows a "
        f"page at most one a second. CPU of the server beyond that of the same time without changes.\n\n"
        + report.table(
            ["viewers", "CPU per change, ms", "of a core", "shown after, median s", "latest s"], live
        )
    )


def _opened(browser: Browser, server: Server, tab: str = "Overview") -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    page.goto(f"{server.url}/dashboard/study/{STUDY}")
    page.wait_for_function(SEEN["Overview"])
    if tab != "Overview":
        page.get_by_role("tab", name=tab).click()
        page.wait_for_function(SEEN[tab])
    return page


def _paint(server: Server, browser: Browser, reads: int) -> str:
    """The table of seconds from the address, or from the click on a tab."""
    taken: dict[str, list[float]] = {tab: [] for tab in SEEN}
    page = _opened(browser, server)
    for _ in tracked(reads, "first paint"):
        for tab, times in taken.items():
            began = time.perf_counter()
            if tab == "Overview":
                page.goto(f"{server.url}/dashboard/study/{STUDY}")
            else:
                page.get_by_role("tab", name=tab).click()
            page.wait_for_function(SEEN[tab])
            times.append(time.perf_counter() - began)
    page.context.close()
    rows = [
        [
            "the page, from its address" if tab == "Overview" else f"then a click on {tab}",
            *map(report.number, (statistics.median(times), max(times))),
        ]
        for tab, times in taken.items()
    ]
    return report.table(["", "median s", "longest s"], rows)


def _idle(server: Server, browser: Browser, seconds: float) -> str:
    """Tells what an idle page costs, and also of the very first time that a page is opened."""
    alone, _ = _cpu(server, seconds)
    began = time.perf_counter()
    page = _opened(browser, server)
    first = time.perf_counter() - began
    time.sleep(5)
    served, drawn = _cpu(server, seconds)
    page.context.close()
    return (
        f"The very first time, with the study not read and nothing in the browser: {report.number(first)} s."
        f"\n\nCPU while nothing changes, over {seconds:g} s: the server {100 * alone:.2f} % of a core "
        f"without a page, {100 * served:.2f} % with one; the browser with it {100 * drawn:.2f} %."
    )


def _cpu(server: Server, seconds: float) -> tuple[float, float]:
    """Shares of a core, of the server and of the browser."""
    used, drawn, began = server.cpu_seconds(), _browser_seconds(server), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return (server.cpu_seconds() - used) / passed, (_browser_seconds(server) - drawn) / passed


def _browser_seconds(server: Server) -> float:
    """CPU seconds of all processes of the browser so far."""
    others = [
        process for process in psutil.Process().children(recursive=True) if process.pid != server.process.pid
    ]
    return sum(sum(process.cpu_times()[:2]) for process in others)


def _live(server: Server, browser: Browser, url: str, tabs: Sequence[str], changes: int) -> list[str]:
    pages = [_opened(browser, server, tabs[place]) for place in tracked(len(tabs), f"{len(tabs)} viewers")]
    for page in pages:
        page.evaluate(NOTE_CHANGES)
    draw = random.Random(0)
    pauses = [draw.uniform(*BETWEEN) for _ in range(changes)]
    with Growing(url, STUDY) as growing:
        time.sleep(5)
        quiet, _ = _cpu(server, 10.0)
        used, began = server.cpu_seconds(), time.monotonic()
        written = []
        for pause in pauses:
            growing.grow()
            written.append((time.time(), growing.trials))
            pages[0].wait_for_timeout(1000 * pause)
        seconds = time.monotonic() - began
        spent = server.cpu_seconds() - used
    late = [seconds for page in pages for seconds in _late(page.evaluate("window.noted ?? []"), written)]
    for page in pages:
        page.context.close()
    if len(late) < len(pages) * changes / 2:
        raise RuntimeError(f"{len(late)} of {len(pages) * changes} changes were shown")
    beyond = 1000 * (spent - quiet * seconds) / changes
    share = f"{100 * spent / seconds:.1f} %"
    return [report.number(beyond), share, *map(report.number, (statistics.median(late), max(late)))]


def _late(noted: Any, written: Sequence[tuple[float, int]]) -> list[float]:
    """Seconds from each change to when the page showed it, or one that came after it."""
    seconds = []
    for at, trials in written:
        shown = next((when for when, count in noted if count >= trials), None)
        if shown is not None:
            seconds.append(shown - at)
    return seconds
