"""The dashboard in a browser behind a proxy that shows it below a path."""

import pytest

ROOT = "/sgdr"


@pytest.fixture(scope="module")
def far(serve_in, proxy, dashboard_copy):
    """The proxy before a server of its own."""
    folder, url = dashboard_copy
    server = serve_in(folder, "--storage", url, "--root-path", ROOT, SGDR_DASHBOARD="true")
    return proxy(ROOT, server.url, strips=True)


@pytest.mark.slow
def test_one_goes_through_all_pages_and_stays_below_the_path(visit, far):
    opened = visit(far.url + ROOT)
    page = opened.open("/")
    page.get_by_role("link", name="tiny", exact=True).click()
    page.wait_for_url(f"{far.url}{ROOT}/dashboard/study/tiny")
    page.get_by_role("tab", name="Trials").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Trials as CSV").last.click()
    assert download.value.url.startswith(f"{far.url}{ROOT}/v1/studies/tiny/")
    page.get_by_role("link", name="Explorer", exact=True).click()
    page.wait_for_function("() => window.did_handshake || window.socket?.connected")
    page.get_by_label("T_0: first cycle (epochs)", exact=True).fill("7")
    page.wait_for_url(f"{far.url}{ROOT}/dashboard/explorer?*T_0:7*")
    page.get_by_label("Dark or light colours").click()
    page.wait_for_function("() => document.cookie.includes('sgdr_dark=')")
    (cookie,) = opened.context.cookies()
    assert cookie["path"] == f"{ROOT}/dashboard"
    page.get_by_role("link", name="Compare", exact=True).click()
    page.wait_for_url(f"{far.url}{ROOT}/dashboard/compare*")
    page.get_by_label("Documentation of the REST interface").click()
    page.get_by_text("The rate at a step").first.wait_for()
    assert far.strays == []
