"""The benchmark of the service at tiny sizes: its parts run, and what they print is counted rightly."""

import json
import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from experiments.bench.service import __main__ as command
from experiments.bench.service import listeners, rates, soak, studies, writing, wrk
from experiments.bench.service.server import pinned, serving
from experiments.bench.service.studies import STUDY, filled
from experiments.bench.service.writer import Growing
from sgdr.search import load

SHOWN = """Running 1s test @ http://127.0.0.1:8931/v1/lr
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    14.32ms   11.02ms  84.77ms   83.11%
    Req/Sec     1.21k   410.22     1.99k    70.00%
  Latency Distribution
     50%   11.26ms
     75%   16.61ms
     90%   27.06ms
     99%   850.50us
  1234 requests in 1.00s, 605.91KB read
Requests/sec:   1205.57
Transfer/sec:    603.33KB
"""


@pytest.fixture(autouse=True)
def without_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers come up twice as fast without it, and none of these tests looks at a page."""
    monkeypatch.setenv("SGDR_DASHBOARD", "false")


def test_reads_what_wrk_prints() -> None:
    assert wrk.parsed(SHOWN) == wrk.Load(per_second=1205.57, p99=0.8505, requests=1234)
    assert wrk.parsed(SHOWN.replace("850.50us", "1.20s")).p99 == 1200.0


@pytest.mark.parametrize(
    "line", ["  Non-2xx or 3xx responses: 7", "  Socket errors: connect 0, read 3, write 0, timeout 0"]
)
def test_answers_that_fail_are_no_figures(line: str) -> None:
    with pytest.raises(RuntimeError, match=line.strip()):
        wrk.parsed(SHOWN.replace("Requests/sec", f"{line}\nRequests/sec"))
    with pytest.raises(RuntimeError, match="something else"):
        wrk.parsed("")


def test_a_missing_wrk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="wrk is not on the PATH; install"):
        wrk.load("http://127.0.0.1:9/", 1.0)


def test_rates_are_compared_with_the_constant_of_the_same_round() -> None:
    runs = {
        side: [(wrk.Load(100.0, 2.0, 100), 1e-3), (wrk.Load(50.0, 4.0, 50), 2e-3)] for side in rates.SIDES
    }
    runs["GET /v1/lr"] = [(wrk.Load(90.0, 3.0, 90), 1.5e-3), (wrk.Load(45.0, 6.0, 45), 3e-3)]
    cells = [cell.strip() for cell in rates.markdown(runs).splitlines()[2].split("|")[1:-1]]
    assert cells == ["GET /v1/lr", "68", "90 %", "4.50", "1.50 ×", "2,250", "1.50 ×"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_rates_over_http(tmp_path: Path) -> None:
    text = rates.measure(filled(tmp_path, 1), rounds=1, seconds=1.0)
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows == [
        "route", "-" * max(map(len, rates.SIDES)), *rates.SIDES,
        "steps as", "-" * 26, "a range", "a list of whole steps", "a list of fractional steps",
    ]  # fmt: skip


@pytest.mark.slow
def test_studies_over_http(tmp_path: Path) -> None:
    """The command measures them, and says what the machine is too."""
    out = tmp_path / "report.md"
    measuring = [
        sys.executable,
        "-m",
        "experiments.bench.service",
        "--parts",
        "studies",
        "--trials",
        "3",
        "30",
    ]
    subprocess.run([*measuring, "--reads", "2", "--out", str(out)], check=True, stdin=subprocess.DEVNULL)
    text = out.read_text()
    assert "cores; Python" in text and all(read in text for read in studies.READS)
    assert "3 trials: first read " in text and "30 trials: first read " in text


def test_a_part_that_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["service", "--parts", "soaking"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert "soaking is none of rates, studies, writing" in capsys.readouterr().err


def test_a_server_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    before = psutil.Process().children()
    url = f"sqlite:///{tmp_path}/none.db"
    said = r"does not come up:\n(.|\n)*No module named"
    with pytest.raises(RuntimeError, match=said), serving(url, ("no_such_module",)):
        pass
    assert psutil.Process().children() == before


def test_pinned_commands_keep_to_one_core() -> None:
    started = [*pinned(None), sys.executable, "-c", "print(1)"]
    assert started[0] == sys.executable
    if shutil.which("taskset"):
        core = sorted(psutil.Process().cpu_affinity())[0]
        code = "import psutil; print(psutil.Process().cpu_affinity())"
        shown = subprocess.check_output([*pinned(core), sys.executable, "-c", code])
        assert json.loads(shown) == [core]


def test_a_growing_study_is_swept_while_it_grows(tmp_path: Path) -> None:
    url = filled(tmp_path, 5)
    with Growing(url, STUDY) as growing:
        growing.grow()
        assert growing.trials == 6
        with pytest.raises(ValueError, match="is being swept"), Growing(url, STUDY):
            pass
    study = load(STUDY, storage=url)
    assert [row["number"] for row in study.rows] == list(range(6))
    assert filled(tmp_path, 5) == url  # it is made once


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lock", "trials"])
def test_reads_while_somebody_writes(tmp_path: Path, name: str) -> None:
    text = writing.measure(tmp_path, trials=20, rounds=2, seconds=0.1, writers=[name])
    rows = [line for line in text.splitlines() if writing.WRITERS[name].title in line]
    assert len(rows) == len(writing.READ) and all(row.count("×") == 3 for row in rows)
    with sqlite3.connect(tmp_path / name / "20.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM trials").fetchone()
    connection.close()
    assert (count > 20) is (name == "trials")


@pytest.mark.slow
def test_reads_while_a_sweep_writes(tmp_path: Path) -> None:
    text = writing.measure(tmp_path, trials=20, rounds=1, seconds=0.1, writers=["sweep"])
    assert writing.WRITERS["sweep"].title in text


def test_sweeps_write_at_their_niceness() -> None:
    commands = {name: writing.WRITERS[name].command("sqlite:///x.db") for name in ("sweep", "nice-sweep")}
    assert {name: command[:3] for name, command in commands.items()} == {
        "sweep": ["nice", "-n", "0"],
        "nice-sweep": ["nice", "-n", str(writing.SERVICE_NICENESS)],
    }


def test_ratios_are_of_rounds() -> None:
    cells = writing.cells([[1.0, 1.0, 4.0], [2.0, 2.0, 2.0]], [[2.0, 2.0, 8.0], [4.0, 4.0, 4.0]])
    assert cells[:2] == ["2.00", "4.00"]
    assert cells[2:] == ["2.00 ×"] * 3


@pytest.mark.slow
def test_every_listener_hears_of_every_change(tmp_path: Path) -> None:
    text = listeners.measure(tmp_path, trials=10, listeners=3, changes=2)
    row = next(line for line in text.splitlines() if "from written to heard" in line)
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["6", "0"]
    assert "| 3 listeners " in text
    assert not multiprocessing.active_children()


def test_a_change_that_a_listener_lacks_is_missed() -> None:
    written = [(1.0, 11), (2.0, 12)]
    text = listeners.latencies([[(0.5, 10), (1.1, 11), (2.3, 12)], [(0.5, 10), (2.2, 12)]], written)
    cells = [cell.strip() for cell in text.splitlines()[2].split("|")[2:-1]]
    assert cells == ["4", "1", "200", "298", "300"]


@pytest.mark.slow
def test_a_short_soak_has_no_faults(tmp_path: Path) -> None:
    text = soak.measure(tmp_path, trials=20, seconds=4.0)
    total = next(line for line in text.splitlines() if line.startswith("| all "))
    sent, wrong = (int(cell.strip().replace(",", "")) for cell in total.split("|")[2:4])
    assert sent > 0 and wrong == 0
    assert "slope" in text


def test_memory_is_a_line_after_the_warm_up() -> None:
    times = [float(minute * 60) for minute in range(10)]
    sizes = [0, 0, *(100_000_000 + 2_000_000 * minute for minute in range(8))]
    assert soak.memory(times, sizes) == (
        "Resident after the warm-up 100.0 MB, at the end 114.0 MB, at most 114.0 MB; "
        "slope +2.00 MB a minute, +2.00 in the later half."
    )
