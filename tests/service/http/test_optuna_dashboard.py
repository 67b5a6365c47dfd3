"""Optuna's own dashboard opens the storage as it is."""

import contextlib
import socket
import subprocess
import sys
import time

import httpx2
import pytest

pytest.importorskip("optuna_dashboard")

RUN = "import sys; from optuna_dashboard import run_server; run_server(sys.argv[1], port=int(sys.argv[2]))"


@pytest.mark.slow
def test_it_shows_the_studies_and_their_trials(copied):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    serving = subprocess.Popen([sys.executable, "-c", RUN, f"sqlite:///{copied}", str(port)])
    try:
        with httpx2.Client(base_url=f"http://localhost:{port}", timeout=120) as client:
            found = _answer(client, "/api/studies")["study_summaries"]
            studies = {each["study_name"]: each["study_id"] for each in found}
            assert {"digits", "tiny"} <= studies.keys()
            trials = _answer(client, f"/api/studies/{studies['digits']}?after=0")["trials"]
            assert [trial["number"] for trial in trials] == list(range(300))
            assert {"Complete", "Pruned", "Fail"} == {trial["state"] for trial in trials}
    finally:
        serving.terminate()
        serving.wait(120)


def _answer(client, path):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx2.TransportError):
            return client.get(path).raise_for_status().json()
        time.sleep(0.2)
    raise TimeoutError(path)
