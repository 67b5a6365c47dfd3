"""The explorer in a browser: what is set is drawn at once, and held by a link."""

import csv
import io

import pytest

RATES = "() => document.querySelector('.explorer-figure .plot')?.data?.map(line => line.y)"


def _peak(page, place=0):
    return page.evaluate(f"Math.max(...({RATES})()[{place}])")


def test_a_slider_and_a_field_change_the_figure_the_table_and_the_link(visit):
    page = visit().open("/explorer")
    page.wait_for_function(f"() => ({RATES})()?.length === 1")
    assert abs(_peak(page) - 0.1) < 1e-9
    page.get_by_label("base_lr: peak rate", exact=True).fill("0.5")
    page.wait_for_function(f"() => Math.max(...({RATES})()[0]) > 0.49")
    page.get_by_role("slider", name="T_0: first cycle (epochs), by slider").locator("[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => new URL(location).searchParams.get('schedule')?.includes('T_0:11')")
    assert page.get_by_label("T_0: first cycle (epochs)", exact=True).input_value() == "11"
    page.get_by_text("is no trough").wait_for()
    before = page.evaluate(f"({RATES})()[0]")
    page.reload()
    page.wait_for_function(f"() => ({RATES})()?.length === 1")
    assert page.evaluate(f"({RATES})()[0]") == before
    page.get_by_role("button", name="budget = 77").click()
    page.get_by_text("ends at the trough of cycle 2").wait_for()
    page.get_by_label("Epoch", exact=True).fill("11")
    page.get_by_text("0.5").first.wait_for()
    with page.expect_download() as got:
        page.get_by_role("button", name="Cycles as CSV").click()
    rows = list(csv.DictReader(io.StringIO(got.value.path().read_text(encoding="utf-8-sig"))))
    assert [row["trough (epoch)"] for row in rows] == ["11", "33", "77"]


@pytest.mark.slow
def test_schedules_are_overlaid_and_what_cannot_be_is_said_at_its_field(visit):
    page = visit().open("/explorer?budget=30&schedule=base_lr:0.2,T_0:10,T_mult:1,name:short")
    page.get_by_role("button", name="Add a copy").click()
    page.wait_for_function(f"() => ({RATES})()?.length === 2")
    page.get_by_label("base_lr: peak rate", exact=True).fill("-1")
    page.get_by_text("base_lr must be").wait_for()
    assert _peak(page, 1) == 0.2
    page.get_by_label("base_lr: peak rate", exact=True).fill("0.4")
    page.wait_for_function(f"() => Math.max(...({RATES})()[1]) === 0.4")
    assert _peak(page) == 0.2
    page.get_by_role(
        "tab", name="braintools"
    ).click()  # optax counts updates, of which an epoch here has no known number
    page.get_by_text("import braintools").wait_for()
    page.get_by_role("button", name="Remove").click()
    page.wait_for_function(f"() => ({RATES})()?.length === 1")


def test_a_broken_link_says_what_is_wrong_and_takes_the_default(visit):
    page = visit().open("/explorer?budget=many&schedule=T_0:-3,name:%3Cb%3Eodd")
    assert "budget" in page.get_by_text("The default is taken").inner_text()
    page.get_by_text("The default schedule is in its place").wait_for()


@pytest.mark.slow
def test_the_schedule_that_a_study_answers_with_opens_in_it(visit, dashboard):
    with dashboard.client() as client:
        answer = client.get("/v1/studies/digits/answer").json()
    page = visit().open("/study/digits")
    page.get_by_role("region", name="Answer").get_by_role("link", name="In the explorer").click()
    page.wait_for_function(f"() => ({RATES})()?.length === 1")
    shown = float(page.get_by_label("base_lr: peak rate", exact=True).input_value())
    assert shown == answer["schedule"]["base_lr"]
