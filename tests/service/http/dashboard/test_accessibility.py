"""Every page, light, dark and on a phone: axe-core finds nothing serious, and nothing sticks out."""

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PATHS = {
    "studies": ("/", None),
    "study": ("/study/digits", None),
    "curves": ("/study/digits", "Curves"),
    "space": ("/study/digits", "Search space"),
    "arms": ("/study/tiny", "Arms"),
    "trials": ("/study/tiny", "Trials"),
    "trial": ("/study/digits/trial/3", None),
    "explorer": ("/explorer", None),
    "sweep": ("/sweep?workload=digits", None),
    "compare": ("/compare?study=digits&study=tiny", None),
}
FAST = ("sweep",)
"""The pages that `make test` looks at."""
WHOLE = "() => [...document.querySelectorAll('.ag-header-row')].every(row => row.children.length)"
"""Whether all tables have got their columns."""
PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in PATHS]
)
def test_nothing_serious_and_no_sideways_scrolling(visit, name):
    path, tab = PATHS[name]
    page = visit(color_scheme="light", has_touch=True).open(path)
    if tab is not None:
        page.get_by_role("tab", name=tab).click()
    page.wait_for_timeout(500)
    assert _serious(page) == {}
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.body.classList.contains('body--dark')")
    page.wait_for_timeout(300)
    assert _serious(page) == {}
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def _serious(page):
    page.wait_for_function(WHOLE)
    violations = axe.Axe().run(page).response["violations"]
    return {
        violation["id"]: [node["html"][:200] for node in violation["nodes"][:5]]
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    }
