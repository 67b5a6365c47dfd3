"""A sweep in a browser: launched from the form, watched while it runs, cancelled, gone on with."""

import re

import pytest


@pytest.fixture
def launching(serve, registered_workloads):
    """A server with the dashboard, on a storage of the test's own, whose sweeps run."""
    return serve("--storage", f"sqlite:///{registered_workloads}/own.db", SGDR_DASHBOARD="true")


def _filled(page, workload="slow", **fields):
    page.get_by_label("Workload").click()
    page.get_by_role("option", name=workload, exact=True).click()
    page.get_by_text("error, minimized").wait_for()
    page.get_by_text("More", exact=True).click()
    for label, text in fields.items():
        page.get_by_label(label, exact=True).fill(text)


ROWS = "Number(document.querySelector('[aria-rowcount]').getAttribute('aria-rowcount'))"
"""The number of rows of the table, with its head."""


@pytest.mark.slow
def test_a_sweep_is_launched_watched_to_its_end_and_seen_by_others(visit, launching, token):
    seen = visit(launching.url)
    page = seen.open("/sweep")
    _filled(page, Trials="none")
    page.get_by_text("trials='none' must be a whole number").wait_for()
    page.get_by_label("Trials", exact=True).fill("30")
    page.get_by_label("Slots", exact=True).fill("1")
    page.get_by_text("30 trials").first.wait_for()
    page.get_by_label("Token", exact=True).fill("wrong")
    page.get_by_role("button", name="Launch").click()
    page.get_by_text("That is not the token.").wait_for()
    with launching.client() as client:
        assert client.get("/v1/sweeps").json()["items"] == []
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/dashboard/study/slow")
    page.get_by_role("tab", name="Trials").click()
    page.evaluate("window.same = true")
    page.locator(".ag-center-cols-container [row-index='0']").click()
    page.get_by_role("button", name="Close").click()
    page.locator(".ag-row-selected").first.wait_for()
    other = visit(launching.url).open("/study/slow")
    # On a busy machine the sweep may be nearly done by now.
    page.wait_for_function(f"before => {ROWS} > Math.min(before + 3, 30)", arg=page.evaluate(ROWS))
    page.get_by_text("finished", exact=True).wait_for()
    other.get_by_text("finished", exact=True).wait_for()
    page.wait_for_function(f"() => {ROWS} === 31")
    assert page.evaluate("window.same") is True
    assert page.locator(".ag-row-selected").first.get_attribute("row-id") == "0"
    assert other.get_by_text("30 of 30").is_visible()
    with launching.client() as client:
        assert client.get("/v1/sweeps/slow").json()["finished"] == 30


def test_workers_on_ray_are_asked_for_in_the_form(visit):
    page = visit().open("/sweep")
    _filled(page, "digits", Workers="2")
    page.get_by_text("workers=2 is for engine='ray'").wait_for()
    page.get_by_label("Engine", exact=True).click()
    page.get_by_role("option", name="ray", exact=True).click()
    page.get_by_label("Cores per worker", exact=True).fill("0.5")
    page.get_by_text("Workers on Ray: 2, each with 0.5 CPU.").wait_for()
    page.get_by_text("--engine ray --workers 2 --cpus-per-worker 0.5").wait_for()


@pytest.mark.slow
def test_a_sweep_is_cancelled_and_gone_on_with(visit, launching, token):
    with launching.client() as client:
        asked = {"workload": "slow", "trials": 900, "slots": 1, "pruner": "none"}
        assert client.post("/v1/sweeps", json=asked).status_code == 202
        page = visit(launching.url).open("/study/slow")
        page.get_by_text(re.compile(r"^[1-9]\d* of 900$")).wait_for()
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Cancel the sweep").click()
        page.get_by_text("Give the token").wait_for()
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Cancel the sweep").click()
        page.get_by_text("cancelled", exact=True).wait_for()
        state = client.get("/v1/sweeps/slow").json()
        assert (state["state"], state["resumable"]) == ("cancelled", True)
        page.get_by_role("link", name="Resume").click()
        page.get_by_label("Trials", exact=True).fill(str(state["finished"] + 1))
        page.get_by_text("that are finished").wait_for()
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Launch").click()
        page.wait_for_url("**/dashboard/study/slow")
        page.get_by_text("finished", exact=True).wait_for()
        assert client.get("/v1/sweeps/slow").json()["finished"] == state["finished"] + 1
