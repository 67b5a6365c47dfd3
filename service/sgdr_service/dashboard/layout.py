"""What all pages have in common: the bar on top, headings, remarks, and what to do where there is nothing."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Concatenate, Literal, ParamSpec
from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from sgdr.search.study.flat_names import flat_name
from sgdr_service.dashboard.auth_middleware import PREFIX
from sgdr_service.dashboard.context import DARK, ROOT, Here
from sgdr_service.problems import Problem
from sgdr_service.sweeps.record import ACTIVE

VERSION = importlib.metadata.version("sgdr")
LINKS = {"Studies": f"{PREFIX}/", "Explorer": f"{PREFIX}/explorer", "Compare": f"{PREFIX}/compare"}
HEAD = """
<meta name="referrer" content="same-origin">
<link rel="stylesheet" href="{prefix}/assets/dashboard.css?{version}">
<script defer src="{prefix}/assets/dashboard.js?{version}"></script>
"""
FAILURE = "That went wrong; the service's log says why."
KINDS = {**dict.fromkeys(ACTIVE, "active"), "failed": "bad", "dead": "bad"}
"""The kind of each state, which gives it its colour; all others have come to rest."""

Level = Literal[1, 2, 3]
Params = ParamSpec("Params")


def study_url(name: str) -> str:
    """The URL of the study's page."""
    return f"{PREFIX}/study/{quote(name, safe='')}"


def trial_url(study: str, number: int) -> str:
    """The URL of the trial's page."""
    return f"{study_url(study)}/trial/{number}"


def compare_url(*studies: str) -> str:
    """The URL of the page that compares these studies."""
    return f"{PREFIX}/compare?{urlencode({'study': studies}, doseq=True)}"


def resume_url(study: str) -> str:
    """The URL of the form that goes on with the study."""
    return f"{PREFIX}/sweep?{urlencode({'resume': study})}"


def api_url(study: str, what: str = "") -> str:
    """The URL of the study, or of something of it, in the REST interface."""
    return f"/v1/studies/{quote(study, safe='')}{what}"


def in_browser(url: str) -> str:
    """The URL of one of the app's own pages, or routes, as the browser that shows this page sees it."""
    root: str = ui.context.client.request.scope[ROOT]
    return root + url


class link(TextElement):
    """A link within the app; that of `ui` takes every path for one of the dashboard's own."""

    def __init__(self, words: str, url: str) -> None:
        super().__init__(tag="a", text=words)
        self._props["href"] = in_browser(url)


def go(url: str) -> None:
    """Leads the browser to that page."""
    ui.run_javascript(f"location.assign({json.dumps(in_browser(url))})")


def readdress(url: str) -> None:
    """Writes that URL over the one of the page, which stays."""
    ui.navigate.history.replace(in_browser(url))


@contextmanager
def frame(here: Here, title: str) -> Iterator[None]:
    """The page of that title; what it shows is built inside."""
    ui.page_title(f"{title} – sgdr")
    ui.add_head_html(HEAD.format(prefix=in_browser(PREFIX), version=VERSION))
    ui.colors(
        primary="#1a5fb4", secondary="#50606e", positive="#1d7a46", negative="#b3261e", warning="#8a5a00"
    )
    ui.dark_mode(here.dark)
    ui.context.client.on_exception(lambda: ui.notify(FAILURE, type="negative"))
    with ui.header().classes("bar").props("role=banner"), ui.element("nav").props('aria-label="Pages"'):
        link("sgdr", LINKS["Studies"]).classes("brand").props('aria-label="sgdr, all studies"')
        for name, url in LINKS.items():
            page = link(name, url)
            if name == title:
                page.props("aria-current=page")
        link("New sweep", f"{PREFIX}/sweep").classes("call")
        ui.element("span").classes("space")
        link("API", "/docs").props('aria-label="Documentation of the REST interface"')
        dark = ui.button(icon="contrast").props("flat round dense color=white")
        dark.props('aria-label="Dark or light colours"')
        turn = f"() => sgdr.turnDark({DARK!r}, {in_browser(PREFIX)!r})"  # the browser remembers it
        dark.on("click", js_handler=turn)
        if here.signed_in:
            with ui.element("form").props(f'method=post action="{in_browser(PREFIX)}/logout"'):
                ui.button("Sign out").props("flat dense no-caps color=white type=submit")
        elif here.has_token:
            link("Sign in", f"{PREFIX}/login")
    with ui.element("div").classes("page") as content:
        ui.skip_link("Skip to the content", target=content)
        heading(title, 1)
        yield


def heading(words: str, level: Level = 2) -> ui.label:
    """A heading, also to those who hear the page."""
    return ui.label(words).classes(f"heading-{level}").props(f"role=heading aria-level={level}")


def remark(words: str, kind: Literal["info", "warning", "error"] = "info") -> ui.element:
    """Something to be known, or to be done."""
    role = "alert" if kind == "error" else "status"
    with ui.element("div").classes(f"remark {kind}").props(f"role={role}") as box:
        ui.label(words)
    return box


@contextmanager
def titled(title: str, level: Level = 3) -> Iterator[None]:
    """A line that begins with a heading, and ends with what is built inside."""
    with ui.element("div").classes("figure-head"):
        heading(title, level)
        ui.element("span").classes("space")
        yield


def progress(share: float | None, words: str, size: int) -> ui.linear_progress | None:
    """How far a sweep is, as a bar of that height in pixels; none where nobody knows how far it goes."""
    if share is None:
        return None
    bar = ui.linear_progress(share, show_value=False)
    return bar.props(f'aria-label="{words}" size={size}px')


def shown(value: float | None) -> str:
    """A value with four digits."""
    return "–" if value is None else f"{value:.4g}"


def written(value: Any) -> str | None:
    """The value as one would type it."""
    return None if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def state_chip(state: str) -> ui.label:
    """A sweep's state, told apart by words as well as by colour."""
    return ui.label(state).classes(f"chip {KINDS.get(state, 'still')}")


def told(
    first: Mapping[str, Any], metric: tuple[str, Any], hparams: Mapping[str, Any], last: Mapping[str, Any]
) -> dict[str, Any]:
    """Facts in that order; a metric or a searched value that has the name of another one has a prefix."""
    name, value = metric
    label = flat_name("metrics", name, (*first, *last))
    taken = (*first, label, *last)
    searched = {flat_name("hparams", own, taken): value for own, value in hparams.items()}
    return {**first, label: value, **searched, **last}


def facts(pairs: dict[str, Any]) -> None:
    """Names with their values; what is None is left out."""
    with ui.element("dl").classes("facts"):
        for name, value in pairs.items():
            if value is not None:
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(name)
                    with ui.element("dd"):
                        ui.label(str(value))


class code_block(ui.element):
    """Code, with a button that copies it; that of `ui` keeps the server busy, to hide its button."""

    def __init__(self, text: str, label: str = "Code") -> None:
        super().__init__("div")
        with self.classes("code-block"):
            self._shown = TextElement(tag="pre", text=text)
            self._shown.props("tabindex=0 role=region")
            self._shown.props["aria-label"] = label
            button = ui.button(icon="content_copy").props("flat round dense")
            button.props["aria-label"] = f"Copy: {label}"
        button.on("click", js_handler=f"() => sgdr.copy({self._shown.html_id!r})")

    def show(self, text: str) -> None:
        """Another one in its place."""
        self._shown.set_text(text)


def slider(label: str, most: int, value: int, changed: Callable[[], Awaitable[None]]) -> ui.slider:
    """A slider from 1 to `most`, under its label; dragging it calls `changed` some times a second."""
    ui.label(label)
    handle = ui.slider(min=1, max=most, value=value).props("label-always")
    handle.props["aria-label"] = label
    return handle.on("update:model-value", changed, throttle=0.2, leading_events=False)


@contextmanager
def dialog(title: str, side: bool = False) -> Iterator[ui.dialog]:
    """A dialog of that title, or a drawer at the right side, which opens when what it shows is built.

    It is no part of what it is opened from, which may be drawn anew meanwhile.
    """
    with ui.context.client.content, ui.dialog() as window:
        window.props["aria-label"] = title
        window.on("hide", window.delete)
        if side:
            window.props("position=right full-height")
        with ui.card().classes("drawer" if side else ""):
            with titled(title, 2):
                ui.button(icon="close", on_click=window.close).props('flat round dense aria-label="Close"')
            yield window
    window.open()


def as_page(
    build: Callable[Concatenate[Here, Params], Awaitable[None]],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """A page that says in words why it cannot be shown, where a problem is raised before its `frame`."""

    async def show(request: Request, *args: Params.args, **kwargs: Params.kwargs) -> None:
        here = Here.of(request)
        try:
            await build(here, *args, **kwargs)
        except Problem as problem:
            ui.context.client.status_code = problem.status
            ui.context.client.content.clear()
            with frame(here, "Not found" if problem.status == 404 else "Not to be read now"):
                remark(problem.detail, "error")
                if problem.status == 404:
                    link("All studies", LINKS["Studies"])
                else:
                    ui.label("The page is loaded again in five seconds.")
                    ui.timer(5.0, ui.navigate.reload, once=True)

    # The framework reads from the signature what the path and the query give.
    signature = inspect.signature(build, eval_str=True)
    asked = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    show.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[asked, *list(signature.parameters.values())[1:]]
    )
    show.__name__, show.__module__ = build.__name__, build.__module__
    return show
