"""A study with every shape among its arms: their pages leave out what only restarts have."""

import contextlib
import sqlite3

import pytest

from sgdr import search
from sgdr.search.storage.connect import sqlite_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory, serve_in, shapes_url):
    folder = tmp_path_factory.mktemp("shapes")
    with contextlib.closing(sqlite3.connect(str(sqlite_file(shapes_url)))) as source:
        source.execute("VACUUM INTO ?", (str(folder / "copy.db"),))
    served = serve_in(folder, "--storage", f"sqlite:///{folder}/copy.db", SGDR_DASHBOARD="true")
    return served, search.load("shapes", shapes_url)


def test_every_view_of_the_study_shows_them(visit, server):
    page = visit(server[0].url).open("/study/shapes")
    for tab in ("Overview", "Curves", "Search space", "Arms", "Trials"):
        page.get_by_role("tab", name=tab).click()
        page.locator(".q-tab-panel .figure, .q-tab-panel table").first.wait_for()
        page.wait_for_timeout(300)
        if tab == "Arms":
            assert page.get_by_text("triangles").first.is_visible()


@pytest.mark.parametrize(
    ("arm", "own"), [("one-cycle", "pct_start"), ("step-decay", "milestones"), ("cyclic", "up")]
)
def test_a_trial_has_its_fields_and_its_rate_and_its_code(visit, server, arm, own):
    trials = server[1].trials()
    page = visit(server[0].url).open(f"/study/shapes/trial/{trials.index[trials.arm == arm][0]}")
    page.locator(".figure svg.main-svg").first.wait_for()
    assert page.get_by_text(own, exact=True).is_visible()
    assert page.get_by_role("heading", name="Code").count() == 1
