"""Behind a proxy that shows the service below a path: nothing that it answers leads out of that path."""

import contextlib
import re
import sqlite3
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
from sgdr_service.settings import OWN_PATHS, Settings
from websockets.sync.client import connect

from sgdr.search.storage.connect import sqlite_file

ROOT = "/sgdr"
LINK = re.compile(
    r"""(?:href|src|action)\\?["']?\s*[=:]\s*\\?["']([^"'\\#][^"'\\]*)|url\("?([^")]+)|"(/[^"]+\.js)\""""
)
PAGES = (
    "/",
    "/explorer",
    "/sweep",
    "/compare",
    "/nothing",
    "/login",
    "/study/digits",
    "/study/digits/trial/6",
)
FAST_PAGES = ("/", "/sweep", "/study/digits", "/study/none")
"""The pages that `make test` looks at."""
FORWARDED = {"X-Forwarded-Prefix": ROOT}


def links(text):
    """Where a page leads, and what it loads."""
    found = {part for match in LINK.findall(text) for part in match if part}
    return {link for link in found if not link.startswith("data:")}


@pytest.fixture(scope="module")
def rooted(sqlite_url, open_client, tmp_path_factory):
    """A client of a service with the dashboard below a path, which a proxy strips from what is asked for."""
    path = tmp_path_factory.mktemp("rooted") / "copy.db"
    with contextlib.closing(sqlite3.connect(str(sqlite_file(sqlite_url)))) as source:
        source.execute("VACUUM INTO ?", (str(path),))
    with open_client(f"sqlite:///{path}", root_path=f"{ROOT}/", dashboard=True) as client:
        client.follow_redirects = False
        yield client


def test_settings_take_a_path_and_nothing_else(rooted):
    def root_path(text):
        return Settings(_env_file=None, root_path=text).root_path

    assert [root_path(text) for text in ("", "/", "/a", "/a/", "/a/b.c-d_e~1")] == [
        "",
        "",
        "/a",
        "/a",
        "/a/b.c-d_e~1",
    ]
    for text in (
        "sgdr",
        "//a",
        "/a//b",
        "/..",
        "/a/./b",
        "/a b",
        "/a?b",
        '/"',
        "/größe",
        "http://a/b",
        "/%41",
    ):
        with pytest.raises(ValueError, match="must be a path of letters"):
            root_path(text)
    paths = [*rooted.get("/openapi.json").json()["paths"], "/docs", "/redoc", "/openapi.json"]
    paths += [route.path for route in rooted.app.routes if getattr(route, "path", "/") not in ("", "/")]
    assert {path.split("/")[1] for path in paths} == OWN_PATHS
    for own in OWN_PATHS:
        with pytest.raises(ValueError, match="must not begin as one of the service's own"):
            root_path(f"/{own}/x")


@pytest.mark.parametrize("stripped", [True, False])
def test_the_routes_stay_below_it(rooted, is_problem, authorized, stripped):
    before = "" if stripped else ROOT
    assert rooted.get(f"{before}/").headers["location"] == f"{ROOT}/dashboard/"
    assert rooted.get(f"{before}/openapi.json").json()["servers"] == [{"url": ROOT}]
    for path in ("/docs", "/redoc"):
        page = rooted.get(f"{before}{path}")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert f"{ROOT}/openapi.json" in page.text
        assert links(page.text) and all(link.startswith(f"{ROOT}/static-") for link in links(page.text))
        assert all(rooted.get(link).status_code == 200 for link in links(page.text))
    assert rooted.get(f"{before}/v1/lr?base_lr=1&T_0=9&step=0").json()["lr"] == 1
    assert is_problem(rooted.get(f"{before}/v1/nothing"), 404)["instance"] == f"{ROOT}/v1/nothing"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert rooted.get(before + path).status_code == 200


@pytest.mark.parametrize("stripped", [True, False])
def test_a_sweep_is_where_its_location_says(copied, open_client, authorized, stripped):
    before = "" if stripped else ROOT
    with open_client(f"sqlite:///{copied}", root_path=ROOT) as client:
        begun = client.post(
            f"{before}/v1/sweeps", json={"workload": "digits", "study": "a b"}, headers=authorized
        )
        assert begun.headers["location"] == f"{ROOT}/v1/sweeps/a%20b"
        assert client.get(begun.headers["location"]).json()["id"] == "a b"
        assert client.get(f"{before}/", follow_redirects=False).headers["location"] == f"{ROOT}/docs"


@pytest.mark.parametrize(
    "path",
    [
        path if path in FAST_PAGES else pytest.param(path, marks=pytest.mark.slow)
        for path in (*PAGES, "/study/none")
    ],
)
def test_pages_lead_to_nothing_outside(rooted, odd_name, path):
    for before in ("", ROOT):
        page = rooted.get(f"{before}/dashboard{path}", headers=FORWARDED)
        assert page.status_code == (404 if path in ("/nothing", "/study/none") else 200)
        assert len(links(page.text)) > 2
        assert [link for link in links(page.text) if not link.startswith(f"{ROOT}/")] == []
        assert f"{ROOT}{ROOT}" not in page.text
    loaded = [link for link in links(page.text) if re.search(r"/_nicegui/.*\.(js|css)|/assets/", link)]
    assert loaded and all(rooted.get(link).status_code == 200 for link in loaded)


def test_redirects_of_pages_stay_below_it(rooted):
    for path in ("/dashboard", f"{ROOT}/dashboard", f"{ROOT}/dashboard/compare/"):
        location = rooted.get(path, headers=FORWARDED).headers["location"]
        assert urlsplit(location).path in (f"{ROOT}/dashboard/", f"{ROOT}/dashboard/compare")


@pytest.mark.slow
@pytest.mark.parametrize("strips", [True, False])
def test_all_that_pages_lead_to_is_there_behind_a_real_proxy(serve, proxy, copied, strips):
    server = serve("--storage", f"sqlite:///{copied}", "--root-path", ROOT, SGDR_DASHBOARD="true")
    before = proxy(ROOT, server.url, strips=strips)
    with httpx2.Client(base_url=before.url, follow_redirects=True, timeout=120) as client:
        assert client.get(ROOT).url.path == f"{ROOT}/dashboard/"
        todo, done = [f"{ROOT}/", f"{ROOT}/docs", f"{ROOT}/redoc"], set()
        while todo:
            path = todo.pop()
            one_of_many = "/trial/" in path or "explorer?" in path
            if path in done or path.endswith("/logout") or (one_of_many and not path.endswith("/trial/6")):
                continue
            done.add(path)
            answer = client.get(path)
            assert answer.status_code == 200, path
            if "text/html" in answer.headers["content-type"]:
                todo += [urljoin(path, link) for link in links(answer.text)]
        assert len(done) > 30 and before.strays == []
        document = client.get(f"{ROOT}/openapi.json").json()
        assert client.get(document["servers"][0]["url"] + "/v1/studies").json()["total"] == 4
        csv = client.get(f"{ROOT}/v1/studies/digits/trials.csv")
        assert csv.status_code == 200
    socket = (
        f"{before.url.replace('http', 'ws')}{ROOT}/dashboard/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    )
    with connect(socket, origin=before.url, proxy=None) as opened:
        assert opened.recv(timeout=120).startswith("0{")
