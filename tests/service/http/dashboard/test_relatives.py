"""A study whose best trial is a relative of warm restarts: its pages leave out what only restarts have."""

import pytest

from sgdr import search
from sgdr.search.arms import RELATIVES


@pytest.fixture(scope="module")
def server(tmp_path_factory, serve_in, tiny):
    folder = tmp_path_factory.mktemp("relatives")
    url = f"sqlite:///{folder}/s.db"
    how = {"trials": 8, "storage": url, "pruner": "none", "slots": 4, "controls": 0.39}
    search.sweep(tiny.workload, study="s", relatives=RELATIVES, space=search.Space(T_0=6), **how)
    search.confirm("s", storage=url, workload=tiny.workload, top=1, seeds=2, slots=4)
    return serve_in(folder, "--storage", url, SGDR_DASHBOARD="true"), search.load("s", url)


@pytest.mark.slow
def test_every_view_of_the_study_shows_them(visit, server):
    page = visit(server[0].url).open("/study/s")
    for tab in ("Overview", "Curves", "Search space", "Arms", "Trials"):
        page.get_by_role("tab", name=tab).click()
        page.locator(".q-tab-panel .figure, .q-tab-panel table").first.wait_for()
        page.wait_for_timeout(300)
        if tab == "Arms":
            assert page.get_by_text("triangles").first.is_visible()


@pytest.mark.parametrize("arm", RELATIVES)
def test_a_trial_has_its_fields_and_its_rate_and_no_code(visit, server, arm):
    trials = server[1].trials()
    number = trials.index[trials.arm == arm][0]
    page = visit(server[0].url).open(f"/study/s/trial/{number}")
    page.locator(".figure svg.main-svg").first.wait_for()
    own = {"one-cycle": "pct_start", "step-decay": "milestones", "cyclic": "up"}[arm]
    assert page.get_by_text(own, exact=True).is_visible()
    assert page.get_by_role("heading", name="Code").count() == 0
