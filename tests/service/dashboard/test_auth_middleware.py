"""Who gets to the dashboard: by its origin, its host, its session."""

import pytest
from fastapi import Depends, FastAPI, Request, Response, WebSocket
from sgdr_service import auth
from sgdr_service.dashboard import login
from sgdr_service.dashboard.auth_middleware import Gate
from sgdr_service.problems import add_handlers
from sgdr_service.root_path import RootPath
from sgdr_service.sessions import COOKIE, MOST, SECONDS, Sessions
from sgdr_service.settings import Settings
from sgdr_service.tokens import hashed
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

TOKEN = "sgdr_the-token-of-these-tests"
HERE = "http://192.0.2.1:8000"
NEAR_SOCKET = "ws://127.0.0.1:8000/dashboard/_nicegui_ws/socket.io"
FAR_SOCKET = "ws://192.0.2.1:8000/dashboard/_nicegui_ws/socket.io"


def app_of(**fields):
    """The gate before a page, its websocket, an asset and a route that needs to read."""
    settings = Settings(**{"_env_file": None, "token_hash": hashed(TOKEN), **fields})
    app = FastAPI()
    app.state.settings = settings
    app.state.sessions = Sessions(lambda: auth.current_hash(settings))
    app.include_router(login.router)
    add_handlers(app)

    @app.get("/dashboard/")
    @app.get("/dashboard/study/x")
    @app.get("/dashboard/_nicegui/3/static/x.js")
    @app.get("/dashboard/_nicegui_ws/socket.io")
    async def found(request: Request) -> Response:
        prefix = request.headers.get("x-forwarded-prefix", "")
        return Response(f"the page{prefix}", headers={"Cache-Control": "no-cache"})

    @app.get("/v1/x", dependencies=[Depends(auth.reading)])
    async def readable() -> str:
        return "read"

    @app.websocket("/dashboard/_nicegui_ws/socket.io")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")

    app.add_middleware(Gate, settings=settings, sessions=app.state.sessions)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)
    return app


@pytest.fixture
def near():
    """A browser on a service of loopback, where nobody needs to sign in to read."""
    return TestClient(app_of(), base_url="http://127.0.0.1:8000", follow_redirects=False)


@pytest.fixture
def far():
    """A browser on a service that others reach."""
    return TestClient(app_of(host="192.0.2.1"), base_url=HERE, follow_redirects=False)


def sign_in(client, token=TOKEN, asked="/dashboard/study/x", **headers):
    form = {"token": token, "next": asked}
    return client.post("/dashboard/login", data=form, headers={"Origin": str(client.base_url), **headers})


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:8001", "null", "http://localhost:8000"]
)
def test_a_page_of_another_origin_neither_talks_nor_signs_in(near, origin):
    headers = {"Origin": origin}
    with (
        pytest.raises(WebSocketDisconnect),
        near.websocket_connect(NEAR_SOCKET, headers=headers),
    ):
        pass
    assert near.get("/dashboard/_nicegui_ws/socket.io", headers=headers).status_code == 403
    assert sign_in(near, **headers).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "http://127.0.0.1:8000"}, {}], ids=["own", "no browser"])
def test_its_own_pages_talk(near, headers):
    with near.websocket_connect(NEAR_SOCKET, headers=headers) as socket:
        assert socket.receive_text() == "hello"


def test_a_name_that_was_pointed_here_is_not_answered(near):
    """A site may let its own name mean 127.0.0.1; its page is then of the same origin."""
    headers = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    with (
        pytest.raises(WebSocketDisconnect),
        near.websocket_connect(NEAR_SOCKET, headers=headers),
    ):
        pass


def test_on_loopback_reading_needs_no_session(near):
    assert near.get("/dashboard/").text == "the page"
    assert near.get("/v1/x").status_code == 401  # this route was made to need one


def test_elsewhere_a_browser_signs_in_first(far):
    asked = far.get("/dashboard/study/x?a=1")
    assert (
        asked.status_code == 303
        and asked.headers["location"] == "/dashboard/login?next=/dashboard/study/x%3Fa%3D1"
    )
    form = far.get(asked.headers["location"])
    assert form.status_code == 200 and 'value="/dashboard/study/x?a=1"' in form.text
    with pytest.raises(WebSocketDisconnect), far.websocket_connect(FAR_SOCKET):
        pass
    assert far.get("/dashboard/_nicegui_ws/socket.io").status_code == 403
    assert far.get("/dashboard/_nicegui/3/static/x.js").status_code == 303


def test_signing_in_leads_on_and_lets_the_browser_read_routes_too(far):
    answer = sign_in(far)
    assert answer.status_code == 303 and answer.headers["location"] == "/dashboard/study/x"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
    assert far.get("/dashboard/study/x").text == "the page" and far.get("/v1/x").json() == "read"
    with far.websocket_connect(FAR_SOCKET) as socket:
        assert socket.receive_text() == "hello"
    far.post("/dashboard/logout", headers={"Origin": HERE})
    assert far.get("/dashboard/study/x").status_code == 303


def test_a_wrong_token_is_told_and_does_not_sign_in(far):
    answer = sign_in(far, token="<b>wrong</b>")
    assert (
        answer.status_code == 403 and "That is not the token." in answer.text and "wrong" not in answer.text
    )
    assert COOKIE not in far.cookies


@pytest.mark.parametrize(
    "asked", ["https://evil.example", "//evil.example", "/dashboard/\\evil", '"><script>', "/v1/x"]
)
def test_it_leads_nowhere_else(far, asked):
    assert sign_in(far, asked=asked).headers["location"] == "/dashboard/"


def test_what_names_its_version_is_kept(near):
    assert near.get("/dashboard/_nicegui/3/static/x.js").headers["cache-control"].endswith("immutable")
    assert near.get("/dashboard/").headers["cache-control"] == "no-cache"


def test_a_session_ends_with_its_time_its_token_and_the_oldest_first():
    now, token_hash = 0.0, hashed(TOKEN)
    sessions = Sessions(lambda: token_hash, clock=lambda: now)
    first = sessions.begin()
    assert sessions.holds(first) and not sessions.holds(first + "x") and not sessions.holds(None)
    now = SECONDS
    assert not sessions.holds(first)
    second = sessions.begin()
    token_hash = hashed("another")
    assert not sessions.holds(second)
    third = sessions.begin()
    for _ in range(MOST):
        sessions.begin()
    assert not sessions.holds(third)
    token_hash = None
    with pytest.raises(ValueError, match="no token"):
        sessions.begin()


@pytest.mark.parametrize("before", ["", "/sgdr"], ids=["stripped", "left"])
def test_below_a_path_signing_in_and_out_stays_there(before):
    app = app_of(host="192.0.2.1", root_path="/sgdr")
    client = TestClient(app, base_url=HERE, follow_redirects=False)
    asked = client.get(f"{before}/dashboard/study/x?y=1")
    assert asked.headers["location"] == "/sgdr/dashboard/login?next=/sgdr/dashboard/study/x%3Fy%3D1"
    form = client.get(before + asked.headers["location"].removeprefix("/sgdr")).text
    page = "/sgdr/dashboard/study/x?y=1"
    assert 'action="/sgdr/dashboard/login"' in form and f'value="{page}"' in form
    for other in ("/dashboard/", "//evil.test", "/other/dashboard/"):
        done = client.post(f"{before}/dashboard/login", data={"token": TOKEN, "next": other})
        assert done.headers["location"] == "/sgdr/dashboard/"
    done = client.post(f"{before}/dashboard/login", data={"token": TOKEN, "next": page})
    assert done.headers["location"] == page and "Path=/sgdr;" in done.headers["set-cookie"]
    assert client.get(page).text == "the page" and client.get("/sgdr/v1/x").status_code == 200
    with client.websocket_connect(FAR_SOCKET.replace("/dashboard", "/sgdr/dashboard")) as socket:
        assert socket.receive_text() == "hello"
    ended = client.post("/sgdr/dashboard/logout")  # a browser gives the cookie below its path alone
    assert ended.headers["location"] == "/sgdr/dashboard/login"
    assert "Path=/sgdr;" in ended.headers["set-cookie"] and COOKIE not in client.cookies


def test_no_header_leads_a_browser_to_another_path(near):
    assert near.get("/dashboard/", headers={"X-Forwarded-Prefix": "//evil.test"}).text == "the page"
