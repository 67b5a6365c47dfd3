"""The dashboard in a browser: a service on the studies, and Debian's Chromium."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sgdr.search.storage.connect import sqlite_file

pytest.importorskip("playwright.sync_api")
from experiments.browser import chromium

SECONDS = 120
HARMLESS = ("GPU stall", "willReadFrequently", "Automatic fallback to software WebGL")
"""What Chromium says of drawing without a graphics card."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, which `make test` installs where it can.

    While it is there, so is an event loop in this thread, in which other tests could not run theirs: it ends
    with the tests of this folder.
    """
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(chromium())
        except RuntimeError as error:
            pytest.skip(str(error))
        yield running


@pytest.fixture(scope="session")
def dashboard_copy(sqlite_url: str, tmp_path_factory: Any) -> tuple[Path, str]:
    """A folder, and the URL of a copy of the studies in it."""
    folder: Path = tmp_path_factory.mktemp("dashboard")
    with contextlib.closing(sqlite3.connect(str(sqlite_file(sqlite_url)))) as source:
        source.execute("VACUUM INTO ?", (str(folder / "copy.db"),))
    return folder, f"sqlite:///{folder}/copy.db"


@pytest.fixture(scope="session")
def dashboard(dashboard_copy: tuple[Path, str], serve_in: Callable[..., Any]) -> Any:
    """A server with the dashboard on a copy of the studies."""
    folder, url = dashboard_copy
    return serve_in(folder, "--storage", url, SGDR_DASHBOARD="true")


class Visit:
    """A page in a window of its own, and what went wrong on it."""

    def __init__(self, browser: Any, url: str, **how: Any) -> None:
        self.url = url
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **how)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.faults: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and not any(words in message.text for words in HARMLESS):
            self.faults.append(message.text)

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.url).netloc:
            self.faults.append(f"a request to {request.url}")

    def open(self, path: str) -> Any:
        """Goes there, and waits until the page has its connection."""
        self.page.goto(f"{self.url}/dashboard{path}")
        self.page.wait_for_function("() => window.socket?.connected || window.did_handshake")
        return self.page


@pytest.fixture
def visit(browser: Any, dashboard: Any) -> Iterator[Callable[..., Visit]]:
    """Opens windows on the dashboard; in the end none may have had a fault."""
    opened: list[Visit] = []

    def start(url: str | None = None, **how: Any) -> Visit:
        opened.append(Visit(browser, url or dashboard.url, **how))
        return opened[-1]

    yield start
    for window in opened:
        window.context.close()
    assert [fault for window in opened for fault in window.faults] == []
