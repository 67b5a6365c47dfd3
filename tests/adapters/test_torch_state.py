"""States of the PyTorch adapter: to and from PyTorch's own class, bad ones, in a file, in a copy."""

import copy
import math
import pickle
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sgdr

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler  # noqa: E402

from sgdr.adapters.torch import CosineAnnealingWarmRestarts, WarmRestartsLR  # noqa: E402
from tests.adapters.torch_optimizers import BASE_LR, rates_of, sgd  # noqa: E402

Peer = lr_scheduler.CosineAnnealingWarmRestarts
ETA_MIN = 1e-3


def assert_same_rates_after_changes(changes, T_0, T_mult):
    """One run all with torch's class, another that changes to the other class at these steps."""
    whole = Peer(sgd(0.1, 0.03), T_0, T_mult, ETA_MIN)
    scheduler = Peer(sgd(0.1, 0.03), T_0, T_mult, ETA_MIN)
    for step in range(1, max(changes) + 20):
        whole.step()
        scheduler.step()
        if step in changes:
            other = CosineAnnealingWarmRestarts if type(scheduler) is Peer else Peer
            optimizer = sgd(0.5, 0.5)
            changed = other(optimizer, 3)
            optimizer.load_state_dict(scheduler.optimizer.state_dict())
            if other is Peer:
                changed.load_state_dict(scheduler.state_dict())
            else:
                with pytest.warns(UserWarning, match="T_0="):
                    changed.load_state_dict(scheduler.state_dict())
            scheduler = changed
        assert rates_of(scheduler) == pytest.approx(rates_of(whole), rel=0, abs=1e-12)
        assert (scheduler.T_cur, scheduler.T_i) == (whole.T_cur, whole.T_i)
        assert scheduler.last_epoch == whole.last_epoch


@pytest.mark.parametrize(("T_0", "T_mult"), [(1, 1), (1, 3), (7, 1), (10, 2)])
def test_a_run_may_change_between_torch_and_us(T_0, T_mult):
    for first in range(1, 40, 3):
        assert_same_rates_after_changes({first, first + 9}, T_0, T_mult)
    some = random.Random(0)
    for _ in range(5):
        assert_same_rates_after_changes(set(some.sample(range(1, 120), 8)), T_0, T_mult)


@settings(deadline=None)
@given(st.floats(0, 200), st.integers(0, 30), st.integers(1, 12), st.integers(1, 3))
def test_a_state_of_torch_between_whole_steps_is_kept(epoch, more, T_0, T_mult):
    theirs = Peer(sgd(), T_0, T_mult)
    theirs.step(epoch)
    for _ in range(more):
        theirs.step()
    ours = CosineAnnealingWarmRestarts(sgd(), 50)
    with pytest.warns(UserWarning, match="T_0="):
        ours.load_state_dict(theirs.state_dict())
    cycle = sgdr.WarmRestarts(BASE_LR, T_0, T_mult).cycle(epoch + more)
    assert ours.T_i == cycle.length
    assert ours.T_cur == pytest.approx(cycle.position, abs=1e-12)


def test_a_state_that_torch_got_wrong_is_put_right():
    boundary = Peer(sgd(), 1, 3)
    boundary.step(121)
    assert (boundary.T_cur, boundary.T_i) == (81, 81)  # the trough, where a cycle begins
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = BASE_LR
    resumed = Peer(optimizer, 10, 2, last_epoch=100)
    assert (resumed.T_cur, resumed.T_i) == (1, 20)
    for wrong, right in ((boundary, (0, 243)), (resumed, (31, 80))):
        ours = CosineAnnealingWarmRestarts(sgd(), 5)
        with pytest.warns(UserWarning, match="T_0="):
            ours.load_state_dict(wrong.state_dict())
        assert (ours.T_cur, ours.T_i) == right
        schedule = sgdr.WarmRestarts(BASE_LR, ours.T_0, ours.T_mult)
        ours.step()
        assert ours.get_last_lr() == [schedule(ours.last_epoch)]


def test_a_state_of_torch_leaves_our_options():
    theirs = Peer(sgd(), 10)
    theirs.step(25)
    ours = CosineAnnealingWarmRestarts(sgd(), 10, peak_decay=0.5, cycles=4)
    ours.load_state_dict(theirs.state_dict())
    ours.step()
    assert ours.get_last_lr() == [sgdr.WarmRestarts(BASE_LR, 10, peak_decay=0.5, cycles=4)(26)]


@pytest.mark.parametrize("name", CosineAnnealingWarmRestarts.needed)
@pytest.mark.parametrize("value", [None, "lacking", math.nan, [0.1, "b"], {}])
def test_a_bad_state_changes_nothing(name, value):
    scheduler = CosineAnnealingWarmRestarts(sgd(0.1, 0.2), 10, 2)
    scheduler.step(7.5)
    before = copy.deepcopy(vars(scheduler) | {"optimizer": None})
    other = CosineAnnealingWarmRestarts(sgd(0.3, 0.4), 4, 3)
    state = other.state_dict()
    if value == "lacking":
        del state[name]
    else:
        state[name] = value
    with pytest.raises(ValueError, match=f"lacks {name}" if value == "lacking" else name) as raised:
        scheduler.load_state_dict(state)
    assert "\n" not in str(raised.value)
    assert vars(scheduler) | {"optimizer": None} == before


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"base_lrs": [0.1]}, "base_lrs of a state must be a list of 2 rates"),
        ({"eta_min": 0.35}, r"eta_min must not exceed lr=0.3 of param group 0, got 0.35"),
        ({"peak_decay": 0}, "peak_decay must be a number > 0"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(bad, message):
    state = CosineAnnealingWarmRestarts(sgd(0.3, 0.4), 4, 3).state_dict() | bad
    with pytest.raises(ValueError, match=message):
        CosineAnnealingWarmRestarts(sgd(0.1, 0.2), 10, 2).load_state_dict(state)
    with pytest.raises(ValueError, match="state_dict must be a dict, got None"):
        CosineAnnealingWarmRestarts(sgd(), 10).load_state_dict(None)


def test_a_state_is_shared_with_nobody():
    scheduler = CosineAnnealingWarmRestarts(sgd(torch.tensor(0.1)), 10)
    state = scheduler.state_dict()
    other = CosineAnnealingWarmRestarts(sgd(torch.tensor(0.1)), 10)
    other.load_state_dict(state)
    other.base_lrs[0].fill_(9.0)
    other.base_lrs.append(1.0)
    assert scheduler.base_lrs == [torch.tensor(0.1)]


READ = """
import sys, torch
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts as Peer
from sgdr import WarmRestarts, Warmup
from sgdr.adapters.torch import CosineAnnealingWarmRestarts, WarmRestartsLR
parameters = lambda: [torch.nn.Parameter(torch.zeros(2))]
for name, make in {
    "ours": lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 3),
    "theirs": lambda optimizer: Peer(optimizer, 3),
    "following": lambda optimizer: WarmRestartsLR(optimizer, Warmup(WarmRestarts(1.0, 3), 2)),
}.items():
    optimizer = torch.optim.SGD(parameters(), lr=1.0)
    scheduler = make(optimizer)
    saved = torch.load(sys.argv[1], weights_only=True)
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["following" if name == "following" else "scheduler"])
    rates = []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    print(rates)
"""


def test_another_process_goes_on_from_a_file(tmp_path):
    schedule = sgdr.Warmup(sgdr.WarmRestarts(BASE_LR, 10, 2, ETA_MIN), 5)
    scheduler, following = (
        CosineAnnealingWarmRestarts(sgd(), 10, 2, ETA_MIN),
        WarmRestartsLR(sgd(), schedule),
    )
    for _ in range(17):
        scheduler.step()
        following.step()
    path = tmp_path / "checkpoint.pt"
    optimizer = scheduler.optimizer.state_dict()
    torch.save(
        {
            "optimizer": optimizer,
            "scheduler": scheduler.state_dict(),
            "following": following.state_dict(),
        },
        path,
    )
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    ours, theirs, followed = map(eval, done.stdout.splitlines())
    expected = [schedule.schedule(step) for step in range(17, 57)]
    assert ours == expected
    assert theirs == pytest.approx(expected, rel=0, abs=1e-12)
    assert followed[1:] == [schedule(step) for step in range(18, 57)]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda scheduler: pickle.loads(pickle.dumps(scheduler))])
def test_a_copy_goes_on_by_itself(copied):
    for scheduler in (
        CosineAnnealingWarmRestarts(sgd(), 3, 2, ETA_MIN),
        WarmRestartsLR(sgd(), sgdr.WarmRestarts(BASE_LR, 3, 2, ETA_MIN)),
    ):
        scheduler.step(4.5)
        other = copied(scheduler)
        other.step()
        schedule = sgdr.WarmRestarts(BASE_LR, 3, 2, ETA_MIN)
        assert rates_of(scheduler) == [schedule(4.5)]
        assert rates_of(other) == [schedule(5.5)]
