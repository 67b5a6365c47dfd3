"""The contract of what follows a schedule: in every framework each rate is the schedule's."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sgdr import WarmRestarts, Warmup
from tests.followers import KINDS, Follower

ROOT = Path(__file__).parents[2]
PEAK = 0.1
GROWING = WarmRestarts(PEAK, 3, 2, 1e-3)
SCHEDULES = {
    "growing": GROWING,
    "tripling": WarmRestarts(PEAK, 1, 3, 0.0),
    "equal": WarmRestarts(PEAK, 4, 1, 0.005),
    "real": WarmRestarts(PEAK, 2.5, 1.5, 1e-4, peak_decay=0.8),
    "limited": WarmRestarts(PEAK, 2.3, 1, 1e-3, cycles=5),
}
STEPS = 42
IMPORTS = {"torch": "PyTorch", "keras": "Keras", "braintools": "braintools"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def follower(kind: str) -> type[Follower]:
    return KINDS[kind]


def check(found: Sequence[Sequence[float]], schedules: Sequence[Any], first: int, tolerance: float) -> None:
    """The rates of all groups at the steps from `first` on are those of their schedules."""
    for step, rates in enumerate(found, first):
        expected = [schedule(step) for schedule in schedules]
        assert rates == pytest.approx(expected, rel=0, abs=tolerance * PEAK), step


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_rate_is_the_schedule_s(follower: type[Follower], name: str) -> None:
    schedule = SCHEDULES[name]
    following = follower([schedule])
    rates = [following.update() for _ in range(STEPS)]
    check(rates, [schedule], 0, follower.tolerance)


def test_it_goes_on_from_every_step_of_the_first_cycles(follower: type[Follower]) -> None:
    following = follower([GROWING])
    for step in range(1, 23):
        following.update()
        again = follower([GROWING])
        again.load(pickle.loads(pickle.dumps(following.state())))
        check([again.update() for _ in range(2)], [GROWING], step, follower.tolerance)
    check([following.update() for _ in range(2)], [GROWING], 22, follower.tolerance)


def test_a_state_takes_a_training_back(follower: type[Follower]) -> None:
    following = follower([GROWING])
    following.update()
    state = pickle.dumps(following.state())
    for _ in range(8):
        following.update()
    following.load(pickle.loads(state))
    check([following.update() for _ in range(4)], [GROWING], 1, follower.tolerance)


@pytest.fixture(scope="module")
def in_another_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[float]]]:
    """The rates of steps 10 to 15 in a process that loads what this one saved at step 10, by kind."""
    saved = {}
    for name, follower in KINDS.items():
        try:
            following = follower([GROWING])
        except pytest.skip.Exception:
            continue
        for _ in range(10):
            following.update()
        saved[name] = ([GROWING], following.state(), 6)
    path = tmp_path_factory.mktemp("states") / "saved.pickle"
    path.write_bytes(pickle.dumps(saved))
    done = subprocess.run(
        [sys.executable, "-m", "tests.followers", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rates: dict[str, list[list[float]]] = json.loads(done.stdout)
    return rates


@pytest.mark.slow
def test_it_goes_on_in_another_process(
    kind: str, follower: type[Follower], in_another_process: dict[str, list[list[float]]]
) -> None:
    if kind not in in_another_process:
        pytest.skip("the framework is not installed")
    assert len(in_another_process[kind]) == 6
    check(in_another_process[kind], [GROWING], 10, follower.tolerance)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].takes_any])
def test_a_warm_up_delays_the_schedule_and_changes_nothing_in_it(follower: type[Follower]) -> None:
    warm = Warmup(GROWING, 4)
    following = follower([warm])
    rates = [following.update() for _ in range(7)]
    check(rates, [warm], 0, follower.tolerance)
    again = follower([warm])
    again.load(pickle.loads(pickle.dumps(following.state())))
    check([again.update() for _ in range(20)], [warm], 7, follower.tolerance)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].has_groups])
def test_groups_keep_rates_of_their_own(follower: type[Follower]) -> None:
    schedules = [WarmRestarts(peak, 3, 2, 1e-3) for peak in (PEAK, 0.02, 0.07)]
    following = follower(schedules)
    check([following.update() for _ in range(8)], schedules, 0, follower.tolerance)
    again = follower(schedules)
    again.load(pickle.loads(pickle.dumps(following.state())))
    check([again.update() for _ in range(12)], schedules, 8, follower.tolerance)


@pytest.mark.parametrize(
    "bad",
    [
        {"T_0": 0},
        {"T_0": "10"},
        {"T_0": float("nan")},
        {"T_mult": 0.5},
        {"eta_min": -1e-3},
        {"eta_min": 0.2},
        {"peak_decay": 1.5},
        {"cycles": 0},
    ],
    ids=str,
)
def test_a_bad_field_is_refused_in_one_line(follower: type[Follower], bad: dict[str, Any]) -> None:
    class Fields(dict[str, Any]):
        """The fields of a schedule that does not check them, for what takes fields and not a schedule."""

        base_lr = PEAK

        def to_dict(self) -> dict[str, Any]:
            return dict(self)

    fields = {"base_lr": PEAK, "T_0": 3, **bad}
    with pytest.raises(ValueError, match=f"^{next(iter(bad))} must[^\n]+; [^\n]+$"):
        follower([WarmRestarts(**fields)] if follower.takes_any else [Fields(fields)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].takes_any and kind != "callable"])
def test_what_is_no_schedule_is_refused_in_one_line(follower: type[Follower]) -> None:
    with pytest.raises(ValueError, match=r"^schedule must[^\n]+; [^\n]+$"):
        follower([0.1])


def test_an_adapter_without_its_framework_says_what_to_install() -> None:
    """The library itself needs none."""
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({[*IMPORTS]!r}))\n"
        "import sgdr\n"
        f"for name in {[*IMPORTS]!r}:\n"
        "    try:\n"
        "        importlib.import_module(f'sgdr.adapters.{name}')\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"sgdr.adapters.{name} needs {package}, which is not installed; pip install '.[{name}]'"
        " in the folder of sgdr's source"
        for name, package in IMPORTS.items()
    ]
