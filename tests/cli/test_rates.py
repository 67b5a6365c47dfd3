"""`sgdr lr` and `sgdr plot` as processes, with and without a study."""

import json
import xml.etree.ElementTree as ElementTree

import matplotlib.image
import numpy as np
import pytest

from sgdr import WarmRestarts, Warmup
from sgdr.decays import Linear

SCHEDULE = ("--base-lr", "0.1", "--T-0", "10", "--T-mult", "2", "--eta-min", "0.001")


def test_lr_prints_a_table_exact_at_every_restart(swept):
    done = swept("lr", *SCHEDULE, "--steps", "0:80")
    assert done.returncode == 0 and done.stderr == ""
    heading, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert heading == ["step", "lr"]
    rates = {int(step): float(rate) for step, rate in rows}
    schedule = WarmRestarts(0.1, 10, 2, 0.001)
    assert list(rates) == list(range(80))
    assert all(rates[step] == pytest.approx(schedule(step), rel=1e-15) for step in rates)
    for restart in (0, 10, 30, 70):
        assert rates[restart] == 0.1
        assert restart == 0 or rates[restart - 1] < 0.005


@pytest.mark.parametrize(
    ("steps", "expected"),
    [("3", [3]), ("5:8", [5, 6, 7]), ("0:100:30", [0, 30, 60, 90]), ("70:71", [70])],
)
def test_lr_prints_json_for_the_steps_asked_for(swept, steps, expected):
    answer = json.loads(swept("lr", *SCHEDULE, "--steps", steps, "--json").stdout)
    assert answer["steps"] == expected
    assert answer["lr"] == pytest.approx([WarmRestarts(0.1, 10, 2, 0.001)(step) for step in expected])


def test_lr_takes_real_lengths_and_factors(swept):
    answer = json.loads(swept("lr", "--base-lr", "1", "--T-0", "2.5", "--T-mult", "1.5", "--json").stdout)
    assert answer["lr"] == pytest.approx(WarmRestarts(1.0, 2.5, 1.5)(np.arange(100)).tolist())


def test_lr_takes_what_the_routes_take(swept):
    options = ("--peak-decay", "0.5", "--cycles", "2", "--steps", "0:40:5", "--json")
    answer = json.loads(swept("lr", *SCHEDULE, *options).stdout)
    assert answer["lr"] == WarmRestarts(0.1, 10, 2, 0.001, 0.5, 2)(np.arange(0, 40, 5)).tolist()
    refused = swept("lr", *SCHEDULE, "--cycles", "0")
    assert refused.returncode == 2 and "cycles must be an int >= 1 or None, got 0" in refused.stderr


def test_lr_takes_any_shape_after_a_warm_up(swept):
    options = (
        "--shape",
        "linear",
        "--base-lr",
        "0.1",
        "--length",
        "60",
        "--warmup",
        "5",
        "--steps",
        "0:60:10",
    )
    answer = json.loads(swept("lr", *options, "--json").stdout)
    assert answer["lr"] == Warmup(Linear(0.1, 60), 5)(np.arange(0, 60, 10)).tolist()


def test_lr_ends_quietly_when_its_reader_has_seen_enough(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "sgdr", "lr", *SCHEDULE, "--steps", "0:300000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"step\tlr\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(120) == 0


def check_picture(path, suffix):
    if suffix == ".png":
        pixels = matplotlib.image.imread(path)
        assert pixels.shape[1] > 800 and pixels.std() > 0.01
    elif suffix == ".svg":
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
    else:
        assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("suffix", "what"),
    [
        (".png", SCHEDULE),
        (".svg", ("tiny",)),
        pytest.param(".png", ("tiny",), marks=pytest.mark.slow),
        pytest.param(".pdf", SCHEDULE, marks=pytest.mark.slow),
    ],
)
def test_plot_writes_a_picture_and_says_where(swept, tmp_path, suffix, what):
    path = tmp_path / f"picture{suffix}"
    done = swept("plot", *what, "-o", str(path))
    assert done.returncode == 0 and done.stderr == "" and done.stdout == f"{path}\n"
    check_picture(path, suffix)
    assert list(tmp_path.iterdir()) == [path]
