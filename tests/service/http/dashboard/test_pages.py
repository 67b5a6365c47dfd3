"""Every page in a browser: what is shown, what a click does, what is downloaded."""

import csv
import io
import re
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

TABS = ("Overview", "Curves", "Search space", "Arms", "Trials")


def _table(download):
    """The rows of a CSV."""
    return list(csv.DictReader(io.StringIO(download.path().read_text(encoding="utf-8-sig"))))


def test_the_root_leads_to_the_studies_and_unknown_paths_of_the_api_stay_problems(visit, dashboard):
    with dashboard.client() as client:
        assert client.get("/").headers["location"] == "/dashboard/"
        assert client.get("/v1/nothing").headers["content-type"] == "application/problem+json"
    page = visit().open("/")
    assert page.get_by_role("heading", name="Studies").is_visible()


def test_studies_are_searched_and_sorted(visit, odd_name):
    page = visit().open("/")
    names = page.locator(".card-name")
    assert set(names.all_inner_texts()) == {"digits", "tiny", odd_name, "empty"}
    page.get_by_label("Search").fill("tin")
    page.wait_for_function("() => document.querySelectorAll('.card-name').length === 1")
    assert names.all_inner_texts() == ["tiny"] and "undecided" in page.locator(".card").inner_text()
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_text("No study matches").wait_for()
    page.get_by_label("Search").fill("")
    page.wait_for_function("() => document.querySelectorAll('.card-name').length === 4")
    page.get_by_label("Order").click()
    page.get_by_role("option", name="name", exact=True).click()
    page.wait_for_function("() => document.querySelector('.card-name').innerText === 'digits'")


@pytest.mark.slow
def test_a_study_without_trials_shows_every_view(visit):
    page = visit().open("/study/empty")
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        page.locator(".q-tab-panel .figure").first.wait_for()
        page.wait_for_timeout(300)
    assert page.get_by_role("heading", name="empty", exact=True).is_visible()


def test_a_name_with_markup_and_odd_characters_is_text(visit, odd_name):
    page = visit().open(f"/study/{quote(odd_name, safe='')}")
    assert page.get_by_role("heading", level=1).inner_text() == odd_name
    page.get_by_role("tab", name="Trials").click()
    button = page.get_by_role("link", name="Trials as CSV").last
    button.wait_for()
    assert button.get_attribute("download") == f"{odd_name}-trials.csv"
    assert page.locator("[onmouseover]").count() == 0


@pytest.mark.parametrize(
    "path", ["/nothing", "/study/digits/trial/abc", "/study/digits/trial/-1", "/study/digits/trial/99999"]
)
def test_what_is_not_there_is_a_page_that_says_so(dashboard, path):
    with dashboard.client() as client:
        answer = client.get(f"/dashboard{path}")
        assert client.get("/dashboard").headers["location"] == "/dashboard/"
    assert answer.status_code == 404 and "Not found" in answer.text and "/dashboard/" in answer.text


def test_a_study_that_is_not_there_says_so(visit):
    seen = visit()
    page = seen.open("/study/nothing")
    assert "there is no study 'nothing'" in page.get_by_role("alert").inner_text()
    page.get_by_role("link", name="All studies", exact=True).click()
    page.get_by_role("heading", name="Studies").wait_for()
    seen.faults = [fault for fault in seen.faults if "404" not in fault]


def test_first_stands_the_answer_with_what_cannot_be_told_from_it(visit, dashboard):
    with dashboard.client() as client:
        answer = client.get("/v1/studies/tiny/answer").json()
    page = visit().open("/study/tiny")
    section = page.get_by_role("region", name="Answer")
    section.get_by_text(f"(trial {answer['number']}), trained for").wait_for()
    assert section.get_by_text("is expected to be").is_visible()
    assert section.get_by_role("link", name=f"Trial {answer['number']}").is_visible()
    first = page.locator(".q-tab-panel [role=heading]").first
    assert first.inner_text() == "Which schedule to use"
    numbers = section.locator(".ag-center-cols-container [col-id=number]")
    numbers.first.wait_for()
    assert numbers.first.inner_text() == str(answer["equal"][0]["number"])
    section.get_by_text("As code").click()
    section.locator("pre", has_text="import").first.wait_for()


def test_the_table_of_trials_sorts_filters_and_shows_one(visit, dashboard):
    page = visit().open("/study/digits")
    page.get_by_role("tab", name="Trials").click()
    first = page.locator(".ag-center-cols-container [col-id=value]").first
    first.wait_for()
    page.locator(".ag-header-cell[col-id=value] .ag-header-cell-label").click()
    with dashboard.client() as client:
        best = client.get("/v1/studies/digits/trials?sort=value&limit=1").json()["items"][0]
    expected = f"{best['value']:.4g}"
    page.wait_for_function(
        "value => document.querySelector('.ag-center-cols-container [row-index=\"0\"] [col-id=value]')"
        ".innerText === value",
        arg=expected,
    )
    page.locator(".ag-center-cols-container [row-index='0'] [col-id=value]").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_text("Learning rate and validation curve").wait_for()
    assert f"Trial {best['number']}" in drawer.inner_text() and expected in drawer.inner_text()
    drawn = drawer.locator(".figure").first.bounding_box()
    assert drawn["width"] > 700 and drawn["height"] > 400
    drawer.get_by_role("tab", name="optax").click()
    drawer.get_by_text("import optax").wait_for()
    page.keyboard.press("Escape")
    drawer.wait_for(state="detached")
    page.locator(".ag-center-cols-container [row-index='1'] [col-id=value]").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("Learning rate and validation curve").wait_for()


@pytest.mark.slow
def test_what_is_downloaded_is_what_is_shown(visit, dashboard):
    page = visit().open("/study/digits")
    with page.expect_download() as got:
        page.get_by_role("link", name="Curves as CSV").click()
    assert got.value.suggested_filename == "digits-curves.csv" and len(_table(got.value)) > 100
    with page.expect_download() as got:
        page.get_by_role("button", name="History as SVG").click()
    picture = ElementTree.fromstring(got.value.path().read_text())
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    with page.expect_download() as got:
        page.get_by_role("button", name="History as PNG").click()
    assert got.value.path().read_bytes().startswith(b"\x89PNG")
    page.get_by_role("tab", name="Trials").click()
    with page.expect_download() as got:
        page.get_by_role("link", name="Trials as CSV").first.click()
    rows = _table(got.value)
    with dashboard.client() as client:
        items = client.get("/v1/studies/digits/trials?limit=1000").json()["items"]
    assert [int(row["number"]) for row in rows] == [item["number"] for item in items]
    page.get_by_role("tab", name="Arms").click()
    with page.expect_download() as got:
        page.get_by_role("button", name="What the search found as CSV").click()
    rows = _table(got.value)
    assert [row["arm"] for row in rows] == ["restarts", "one cosine cycle", "a constant rate"]


@pytest.mark.slow
def test_the_curves_follow_their_controls(visit):
    page = visit().open("/study/digits")
    page.get_by_role("tab", name="Curves").click()
    names = "() => document.querySelector('.q-tab-panel .plot')?.data?.filter(t => t.mode === 'lines').length"
    page.wait_for_function(f"() => ({names})() === 5")
    page.get_by_role("slider", name="Best trials").locator("[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => ({names})() === 6")
    page.get_by_role("switch", name="Pruned trials too").click()
    page.wait_for_function(f"() => ({names})() === 12")
    page.get_by_role("switch", name="Aligned by cycle").click()
    page.wait_for_function(
        "() => document.querySelector('.q-tab-panel .plot').layout.xaxis.title.text === 'cycle'"
    )


@pytest.mark.slow
def test_dark_colours_are_remembered(visit):
    page = visit().open("/")
    page.get_by_role("button", name="Dark or light colours").click()
    page.wait_for_function("() => document.body.classList.contains('body--dark')")
    page.goto(page.url.replace("/dashboard/", "/dashboard/study/digits"))
    page.wait_for_function("() => document.body.classList.contains('body--dark')")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
