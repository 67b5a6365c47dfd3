"""`sgdr serve` as a process: what it logs, how it ends, several processes, and being killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import quote

import psutil
import pytest
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.sweeps import Sweeps

import sgdr
from experiments.bench.filled import DIGITS, fill

HASH = f"sha256:{64 * '0'}"
LR = "/v1/lr?base_lr=0.1&T_0=10&T_mult=2&step=37"


@pytest.fixture
def storage(tmp_path):
    url = f"sqlite:///{tmp_path}/served.db"
    fill(url, "größe %2e", 5, epochs=4)
    return url


def test_it_says_where_it_serves_and_ends_in_order(serve, storage):
    server = serve("--storage", storage)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.url)
    with server.client() as client:
        assert client.get(LR).json()["lr"] == sgdr.WarmRestarts(0.1, 10, 2)(37)
        answer = client.get(f"/v1/studies/{quote('größe %2e', safe='')}")
        assert answer.json()["study"] == "größe %2e" and "server" not in answer.headers
    assert server.end() in (0, -signal.SIGTERM)
    line = next(line for line in server.log if line.get("path") == "/v1/studies/größe %2e")
    assert (line["request_id"], line["status"]) == (answer.headers["x-request-id"], 200)
    assert all(line["level"] == "info" for line in server.log)


def test_rates_and_studies_are_read_without_jax(serve, storage, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\natexit.register(lambda: open('modules', 'w').write('\\n'.join(sys.modules)))\n"
    )
    server = serve("--storage", storage, PYTHONPATH=str(tmp_path))
    name = quote("größe %2e", safe="")
    with server.client() as client:
        for path in (
            LR,
            "/v1/restarts?base_lr=0.1&T_0=10&until=100",
            "/v1/studies",
            f"/v1/studies/{name}",
            f"/v1/studies/{name}/trials?sort=-value",
            f"/v1/studies/{name}/trials.csv",
            f"/v1/studies/{name}/curves.csv",
            f"/v1/studies/{name}/best",
            f"/v1/studies/{name}/best/lr?step=3",
            "/v1/best?workload=digits",
            "/v1/sweeps",
            "/v1/workloads",
            "/metrics",
        ):
            assert client.get(path).status_code == 200, path
        wanted = {"schedule": {"base_lr": 0.1, "T_0": 10}, "steps": {"stop": 1000}}
        assert client.post("/v1/lr", json=wanted).status_code == 200
    server.end(signal.SIGINT)
    modules = (tmp_path / "modules").read_text().split("\n")
    assert "sgdr_service.app" in modules and "numpy" in modules
    assert not {"jax", "jaxlib", "sklearn", "torch"} & set(modules)


@pytest.mark.slow
def test_listeners_do_not_keep_it_from_ending(serve, storage, tmp_path):
    sweeping = {"workload": "digits", "study": "waits"}
    server = serve("--storage", storage, SGDR_MAX_RUNNING="1", PATH="")
    with server.client() as client:
        listener = _queued_listener(client, server, storage, sweeping)
        assert server.end() in (0, -signal.SIGTERM)
        listener.join(120)
        assert not listener.is_alive()
    assert not [line for line in server.log if line["level"] == "error"], server.log


def _queued_listener(client, server, storage, wanted):
    """A thread that listens to a sweep that stays queued: it belongs to another host."""
    declarations = Declarations()
    declarations.known["digits"] = DIGITS
    limits = {"max_running": 1, "max_queued": 9, "max_trials": 999, "max_budget": 999}
    sweeps = Sweeps(storage, declarations, **limits, max_seconds=None, max_workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "elsewhere")
        sweeps.submit(SweepRequest.model_validate(wanted))
    sweeps.close()
    heard = threading.Event()

    def listen():
        with client.stream("GET", f"/v1/sweeps/{wanted['study']}/events", timeout=120) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    assert json.loads(line.removeprefix("data: "))["state"] == "queued"
                    heard.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert heard.wait(120)
    return thread


@pytest.mark.slow
def test_several_processes_share_an_address_and_add_up_their_metrics(serve, storage):
    server = serve("--storage", storage, "--workers", "2", SGDR_DASHBOARD="true")
    server.line("Application startup complete", 2)
    with server.client() as client:
        assert client.get("/").headers["location"] == "/docs"
        assert client.get("/dashboard/").status_code == 404
        for _ in range(40):
            assert client.get(LR, headers={"Connection": "close"}).status_code == 200
        texts = [client.get("/metrics", headers={"Connection": "close"}).text for _ in range(6)]
    counted = 'sgdr_requests_total{method="GET",route="/v1/lr",status="200"} 40.0'
    assert all(counted in text for text in texts), texts[0]
    assert all(text.count("sgdr_storage_up 1.0") == 1 for text in texts)
    processes = [line for line in server.log if line["message"].startswith("Started server process")]
    assert len(processes) == 2 and sum(line["message"] == "serving" for line in server.log) == 1
    assert "2 workers serve no dashboard" in server.line("2 workers")["message"]
    children = psutil.Process(server.process.pid).children(recursive=True)
    assert server.end() in (0, -signal.SIGTERM)
    assert not psutil.wait_procs(children, timeout=120)[1]


@pytest.mark.slow
def test_a_killed_service_leaves_its_sweep_running_and_finds_it_again(
    serve, registered_workloads, is_problem
):
    url = f"sqlite:///{registered_workloads}/killed.db"
    server = serve("--storage", url)
    with server.client() as client:
        wanted = {"workload": "slow", "trials": 9999, "slots": 1, "pruner": "none"}
        begun = client.post("/v1/sweeps", json=wanted)
        assert begun.status_code == 202, begun.text
        running = _until(client, lambda state: state["finished"] >= 1)
        server.end(signal.SIGKILL)
    again = serve("--storage", url)
    try:
        with again.client() as client:
            later = _until(client, lambda state: state["finished"] > running["finished"] + 1)
            assert (later["state"], later["pid"]) == ("running", running["pid"])
            is_problem(client.post("/v1/sweeps", json={**wanted, "resume": True}), 409, "that is running")
            assert client.delete("/v1/sweeps/slow").status_code == 202
            ended = _until(client, lambda state: state["state"] == "cancelled")
            assert ended["resumable"] and ended["finished"] >= later["finished"]
            resumed = {**wanted, "trials": ended["finished"] + 2, "resume": True}
            assert client.post("/v1/sweeps", json=resumed).status_code == 202
            done = _until(client, lambda state: state["state"] == "finished")
            assert done["finished"] == ended["finished"] + 2
            with client.stream("GET", "/v1/sweeps/slow/events") as stream:
                assert stream.read().decode().count("event: end") == 1
    finally:
        _kill(running["pid"])


def _until(client, holds):
    deadline = time.monotonic() + 120
    while True:
        state = client.get("/v1/sweeps/slow").json()
        if holds(state):
            return state
        assert time.monotonic() < deadline, state
        time.sleep(0.05)


def _kill(pid):
    """The sweep, where a failed test has left it."""
    try:
        process = psutil.Process(pid)
        for child in (*process.children(recursive=True), process):
            child.kill()
    except psutil.NoSuchProcess:
        pass


def raw(server, data):
    """What it answers to these bytes."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.slow
def test_odd_bytes_on_the_wire_are_answered_and_change_nothing(serve, storage):
    server = serve("--storage", storage)
    end = b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    for path, status in [
        (b"/v1/studies/%ff%fe", 404),
        (b"/v1/studies/%ED%A0%80", 404),
        (b"/v1/studies/%00", 404),
        (b"/v1/studies/..%2f..%2fetc%2fpasswd", 404),
        (b"/static-offline-docs/..%2f..%2fapp.py", 404),
        (b"/v1/studies?workload=%ff", 200),
        (b"/v1/lr?base_lr=1&T_0=1&step=%ff", 422),
        (b"/v1/studies/\xff", 400),
        (b"*", 404),
    ]:
        answer = raw(server, b"GET " + path + end)
        assert answer.startswith(b"HTTP/1.1 %d " % status), (path, answer)
    smuggled = (
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: a\r\n\tb\r\nConnection: close\r\n\r\n"
    )
    assert b"x-request-id: a\r\n" not in raw(server, smuggled)
    chunks = b"POST /v1/lr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    chunks += b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks += (b"100000\r\n" + b" " * 2**20 + b"\r\n") * 4 + b"1\r\n1\r\n0\r\n\r\n"
    assert raw(server, chunks).startswith(b"HTTP/1.1 413 ")
    with server.client() as client:
        squeezed = client.post("/v1/lr", content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
        assert squeezed.status_code in (415, 422)
        assert client.get("/healthz").status_code == 200
    assert not [line for line in server.log if line["level"] == "error"], server.log


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (
            ["--host", "0.0.0.0"],
            {"SGDR_TOKEN_HASH": ""},
            "can be reached from elsewhere, and there is no token",
        ),
        (["--storage", "nothing"], {}, "storage='nothing' is no URL"),
        (["--host", "127.0.0.1.nowhere.invalid"], {"SGDR_TOKEN_HASH": HASH}, "cannot be served on"),
        (["--port", "65536"], {"SGDR_TOKEN_HASH": "secret"}, "SGDR_PORT=65536: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.slow
def test_what_cannot_be_served_is_one_line_and_exit_2(tmp_path, arguments, environment, words):
    done = _started(tmp_path, arguments, environment)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0 and "secret" not in done.stderr


@pytest.mark.slow
def test_an_address_that_is_taken_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _started(tmp_path, ["--port", str(port)], {})
    assert done.returncode == 2 and f"port={port} cannot be served on: Address already in use" in done.stderr


def _started(folder, arguments, environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SGDR_")}
    return subprocess.run(
        [sys.executable, "-m", "sgdr", "serve", *arguments],
        cwd=folder,
        env={
            **inherited,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "COLUMNS": "400",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
