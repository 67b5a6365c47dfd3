"""Another site cannot act through a viewer's browser, nor listen: neither on the socket nor on the routes."""

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

SOCKET = "/dashboard/_nicegui_ws/socket.io/?EIO=4"
EVIL = "http://evil.test"
ATTACK = """async (url) => {
  const opened = await new Promise((done) => {
    const path = '/dashboard/_nicegui_ws/socket.io/?EIO=4&transport=websocket';
    const socket = new WebSocket(url.replace('http', 'ws') + path);
    socket.onmessage = () => done(true);
    socket.onerror = socket.onclose = () => done(false);
  });
  const body = JSON.stringify({ workload: 'digits' });
  const how = { method: 'POST', mode: 'no-cors', credentials: 'include', body };
  for (const path of ['/v1/sweeps', '/dashboard/login', '/dashboard/logout'])
    await fetch(url + path, how).catch(() => null);
  const read = await fetch(url + '/v1/studies').then((answer) => answer.text()).catch(() => null);
  return { opened, read };
}"""


def _first_message(url, origin):
    with connect(
        f"{url.replace('http', 'ws')}{SOCKET}&transport=websocket", origin=origin, proxy=None
    ) as socket:
        return socket.recv(timeout=120)


def test_the_socket_opens_for_the_service_s_own_pages_alone(dashboard):
    assert _first_message(dashboard.url, dashboard.url).startswith("0{")
    for origin in (EVIL, "null", dashboard.url.replace("127.0.0.1", "localhost"), dashboard.url + "0"):
        with pytest.raises(InvalidStatus):
            _first_message(dashboard.url, origin)
    polling = f"{dashboard.url}{SOCKET}&transport=polling"
    assert httpx2.get(polling, headers={"Origin": EVIL}).status_code == 403
    assert httpx2.get(polling, headers={"Origin": dashboard.url}).status_code == 200


def test_a_page_of_another_site_can_neither_listen_nor_launch_nor_read(visit, dashboard):
    with dashboard.client() as client:
        before = client.get("/v1/sweeps").json()
    seen, own = visit(), visit()
    seen.page.route(f"{EVIL}/**", lambda route: route.fulfill(body="<p>hello", content_type="text/html"))
    seen.page.goto(EVIL)
    assert seen.page.evaluate(ATTACK, dashboard.url) == {"opened": False, "read": None}
    assert own.open("/").evaluate(ATTACK, dashboard.url)["opened"] is True, "the attack itself works"
    for headers in (seen, own):
        headers.faults.clear()  # the browser tells of what it was refused
    with dashboard.client() as client:
        assert client.get("/v1/sweeps").json() == before
