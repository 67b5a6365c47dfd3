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
    found = guide("basic").main(T_0=2, budget=5)
    schedule = WarmRestarts(0.1, T_0=2, eta_min=0.001)
    assert found["rates"] == pytest.approx([schedule(epoch) for epoch in range(5)], rel=FLOAT32)
    assert list(found["errors"]) == [2, 4]
    assert found["errors"][4] < 0.5


def test_basic_torch(one_thread):
    found = guide("basic_torch").main(T_0=1, budget=3)
    schedule, batches = WarmRestarts(0.1, T_0=1, T_mult=2, eta_min=1e-6), found["batches"]
    steps = range(3 * batches)
    assert found["per epoch"]["rates"] == pytest.approx(
        [schedule(step // batches) for step in steps], rel=1e-12
    )
    assert found["per batch"]["rates"] == pytest.approx(list(map(schedule.scaled(batches), steps)), rel=1e-12)
    for way in ("per epoch", "per batch"):
        assert list(found[way]["errors"]) == [1, 3]
        assert found[way]["errors"][3] < 0.5


def test_increasing_cycles():
    found = guide("increasing_cycles").main(T_0=1, budget=7, hidden=16)
    schedule, steps = found["schedule"], len(found["rates"])
    assert found["rates"] == pytest.approx(schedule(np.arange(steps)), rel=FLOAT32)
    assert schedule.troughs(budget=steps) == [steps // 7, steps * 3 // 7, steps]
    assert list(found["errors"]) == [1, 3, 7] and found["errors"][7] < 0.3
    assert found["apart"] < 1e-4


@pytest.mark.slow
def test_transformer():
    module = guide("transformer")
    module.LAYERS, module.BATCH = 1, 4
    found = module.main(T_0=4, budget=30, warmup=2)
    assert list(found["restarts"]) == [6, 14, 30]
    assert list(found["one cycle"]) == [30]
    letters = math.log2(100)
    assert found["restarts"][30] < found["restarts"][6] < letters
    assert found["one cycle"][30] < letters


def test_fine_tuning(one_thread):
    found = guide("fine_tuning").main(T_0=2, budget=4, pretraining=4)
    head, backbone = (WarmRestarts(peak, T_0=2, eta_min=1e-5) for peak in (0.01, 0.001))
    assert found["rates"] == [
        [pytest.approx(backbone(epoch)), pytest.approx(head(epoch))] for epoch in range(4)
    ]
    assert list(found["errors"]) == list(found["new weights"]) == [2, 4]
    assert list(found["one cycle"]) == [4]
    assert found["errors"][4] < found["before"]


@pytest.mark.slow
def test_snapshot_ensembling(monkeypatch):
    together, real = [], sgdr.ensemble
    monkeypatch.setattr(sgdr, "ensemble", lambda kept, predict: together.append(kept) or real(kept, predict))
    found = guide("snapshot_ensembling").main(T_0=1, budget=4, samples=1000)
    assert list(found["single"]) == [1, 2, 3, 4]
    assert {len(kept) for kept in together} == set(found["together"]) == {1, 3, 4}
    assert found["together"][1] == found["single"][4]
    assert max(found["together"].values()) < 0.9


def test_monitoring_restarts():
    found = guide("monitoring_restarts").main(budget=40)
    schedule = WarmRestarts(0.1, T_0=10, T_mult=2, eta_min=0.001)
    assert found["restarts"] == {10: 0.1, 30: 0.1}
    cycles = [schedule.cycle(epoch) for epoch in range(40)]
    assert found["seen"] == [
        (schedule(epoch), cycle.position, cycle.length) for epoch, cycle in enumerate(cycles)
    ]


def test_restart_points():
    found = guide("restart_points").main()
    assert found["starts"] == [0, 100, 300, 700, 1500, 3100]
    assert found["troughs"] == found["starts"][1:]
    assert (found["cycle"].index, found["cycle"].position, found["cycle"].length) == (3, 300, 800)
    assert found["closed"].T_0 == 60 and found["closed"].troughs(budget=900)[-1] == 900


@pytest.mark.slow
def test_clipping_and_weight_decay():
    module = guide("clipping_and_weight_decay")
    module.CLIP = 0.3
    found = module.main(T_0=20, updates=60, hidden=16)
    rates = found["schedule"](np.arange(60))
    assert found["optax"] == pytest.approx(rates, rel=FLOAT32)
    assert found["error"] < 0.5 and 0 < found["clipped"] < 60
    pytest.importorskip("braintools")
    assert found["braintools"] == pytest.approx(rates, rel=FLOAT32)
    assert found["apart"] < 1e-5


def test_save_and_restore():
    found = guide("save_and_restore").main()
    schedule = WarmRestarts(0.1, T_0=50, T_mult=2)
    assert found["broken"] == found["unbroken"] == [schedule(epoch) for epoch in range(200)]
    pytest.importorskip("torch")
    assert found["torch broken"] == found["torch"] == pytest.approx(found["unbroken"], rel=1e-12)
    assert found["restored"].equal(found["weights"])


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
    found = guide("pseudo_labels").main(T_0=2, budget=6, peaks=(0.1,), seeds=4)[0.1]
    errors = {name: np.asarray(found[name]) for name in ("restarts", "one cosine", "labels only")}
    assert all(each.shape == (4,) and (each < 0.7).all() for each in errors.values())
    assert (errors["one cosine"] != errors["labels only"]).any()
    mean, low, high = found["difference"]
    assert mean == pytest.approx((errors["restarts"] - errors["one cosine"]).mean(), abs=1e-6)
    assert low <= mean <= high
