"""The guides run, at small sizes, and find what they say they show."""

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest

import sgdr
from sgdr import WarmRestarts

GUIDES = Path(__file__).parents[1] / "docs" / "guides"
NAMES = sorted(path.stem for path in GUIDES.glob("*.py"))
FLOAT32 = 1e-6
OPTIONAL = re.compile(r"^(?:from|import) (braintools|mnist1d|sklearn|torch)\b", re.MULTILINE)


def guide(name):
    """The guide as a module; the test is skipped where a package that it imports is missing."""
    path = GUIDES / f"{name}.py"
    for package in OPTIONAL.findall(path.read_text()):
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def one_thread():
    """PyTorch, whose number of threads the guides set."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_T_0_counts_and_what_it_prints(name):
    doc = (GUIDES / f"{name}.py").read_text().split('"""')[1]
    assert re.search(r"T_0\s+counts", doc) and "\n\nPrints " in doc


def test_the_index_has_all_guides_and_no_other():
    listed = re.findall(r"^\| \[`?(\w+)\.py`?\]\(\1\.py\)", (GUIDES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == NAMES


def test_basic():
    results = guide("basic").main(T_0=2, budget=5)
    schedule = WarmRestarts(0.1, T_0=2, eta_min=0.001)
    assert results["rates"] == pytest.approx([schedule(epoch) for epoch in range(5)], rel=FLOAT32)
    assert list(results["errors"]) == [2, 4]
    assert results["errors"][4] < 0.5


def test_basic_torch(one_thread):
    results = guide("basic_torch").main(T_0=1, budget=3)
    schedule, batches = WarmRestarts(0.1, T_0=1, T_mult=2, eta_min=1e-6), results["batches"]
    steps = range(3 * batches)
    assert results["per epoch"]["rates"] == pytest.approx(
        [schedule(step // batches) for step in steps], rel=1e-12
    )
    assert results["per batch"]["rates"] == pytest.approx(
        list(map(schedule.scaled(batches), steps)), rel=1e-12
    )
    for way in ("per epoch", "per batch"):
        assert list(results[way]["errors"]) == [1, 3]
        assert results[way]["errors"][3] < 0.5


def test_increasing_cycles():
    results = guide("increasing_cycles").main(T_0=1, budget=7, hidden=16)
    schedule, steps = results["schedule"], len(results["rates"])
    assert results["rates"] == pytest.approx(schedule(np.arange(steps)), rel=FLOAT32)
    assert schedule.troughs(budget=steps) == [steps // 7, steps * 3 // 7, steps]
    assert list(results["errors"]) == [1, 3, 7] and results["errors"][7] < 0.3
    assert results["apart"] < 1e-4


@pytest.mark.slow
def test_transformer():
    module = guide("transformer")
    module.LAYERS, module.BATCH = 1, 4
    results = module.main(T_0=4, budget=30, warmup=2)
    assert list(results["restarts"]) == [6, 14, 30]
    assert list(results["one cycle"]) == [30]
    letters = math.log2(100)
    assert results["restarts"][30] < results["restarts"][6] < letters
    assert results["one cycle"][30] < letters


def test_fine_tuning(one_thread):
    results = guide("fine_tuning").main(T_0=2, budget=4, pretraining=4)
    head, backbone = (WarmRestarts(peak, T_0=2, eta_min=1e-5) for peak in (0.01, 0.001))
    assert results["rates"] == [
        [pytest.approx(backbone(epoch)), pytest.approx(head(epoch))] for epoch in range(4)
    ]
    assert list(results["errors"]) == list(results["new weights"]) == [2, 4]
    assert list(results["one cycle"]) == [4]
    assert results["errors"][4] < results["before"]


@pytest.mark.slow
def test_snapshot_ensembling(monkeypatch):
    together, real = [], sgdr.ensemble
    monkeypatch.setattr(
        sgdr, "ensemble", lambda snapshots, predict: together.append(snapshots) or real(snapshots, predict)
    )
    results = guide("snapshot_ensembling").main(T_0=1, budget=4, samples=1000)
    assert list(results["single"]) == [1, 2, 3, 4]
    assert {len(snapshots) for snapshots in together} == set(results["together"]) == {1, 3, 4}
    assert results["together"][1] == results["single"][4]
    assert max(results["together"].values()) < 0.9


def test_monitoring_restarts():
    results = guide("monitoring_restarts").main(budget=40)
    schedule = WarmRestarts(0.1, T_0=10, T_mult=2, eta_min=0.001)
    assert results["restarts"] == {10: 0.1, 30: 0.1}
    cycles = [schedule.cycle(epoch) for epoch in range(40)]
    assert results["seen"] == [
        (schedule(epoch), cycle.position, cycle.length) for epoch, cycle in enumerate(cycles)
    ]


def test_restart_points():
    results = guide("restart_points").main()
    assert results["starts"] == [0, 100, 300, 700, 1500, 3100]
    assert results["troughs"] == results["starts"][1:]
    assert (results["cycle"].index, results["cycle"].position, results["cycle"].length) == (3, 300, 800)
    assert results["closed"].T_0 == 60 and results["closed"].troughs(budget=900)[-1] == 900


@pytest.mark.slow
def test_clipping_and_weight_decay():
    module = guide("clipping_and_weight_decay")
    module.CLIP = 0.3
    results = module.main(T_0=20, updates=60, hidden=16)
    rates = results["schedule"](np.arange(60))
    assert results["optax"] == pytest.approx(rates, rel=FLOAT32)
    assert results["error"] < 0.5 and 0 < results["clipped"] < 60
    pytest.importorskip("braintools")
    assert results["braintools"] == pytest.approx(rates, rel=FLOAT32)
    assert results["apart"] < 1e-5


def test_save_and_restore():
    results = guide("save_and_restore").main()
    schedule = WarmRestarts(0.1, T_0=50, T_mult=2)
    assert results["broken"] == results["unbroken"] == [schedule(epoch) for epoch in range(200)]
    pytest.importorskip("torch")
    assert results["torch broken"] == results["torch"] == pytest.approx(results["unbroken"], rel=1e-12)
    assert results["restored"].equal(results["weights"])


@pytest.mark.slow
def test_noisy_labels():
    pytest.importorskip("sklearn")  # which carries the digits
    module = guide("noisy_labels")
    result = module.main(budget=7, peaks=(0.05,), tries=2, seeds=3, objectives=("final",))["final"]
    assert result.names == ("restarts 0.05", "one cosine 0.05", "constant 0.05", "first cycle 0.05")
    assert (result.objective, result.budget, len(result.values)) == ("final", 7, 3)
    assert (result.values < 0.9).all(axis=None)
    shapes = {name: shape(0.1, 84) for name, shape in module.SHAPES.items()}
    assert shapes["restarts"].troughs(budget=84) == [12, 36, 84]
    epochs = np.arange(84)
    assert np.array_equal(shapes["first cycle"](epochs[:12]), shapes["restarts"](epochs[:12]))
    assert not shapes["first cycle"](epochs[12:]).any()
    assert (shapes["constant"](epochs) == 0.1).all()
    assert shapes["one cosine"].restarts(until=84) == []


@pytest.mark.slow
def test_pseudo_labels():
    results = guide("pseudo_labels").main(T_0=2, budget=6, peaks=(0.1,), seeds=4)[0.1]
    errors = {name: np.asarray(results[name]) for name in ("restarts", "one cosine", "labels only")}
    assert all(error.shape == (4,) and (error < 0.7).all() for error in errors.values())
    assert (errors["one cosine"] != errors["labels only"]).any()
    mean, low, high = results["difference"]
    assert mean == pytest.approx((errors["restarts"] - errors["one cosine"]).mean(), abs=1e-6)
    assert low <= mean <= high
