"""Resuming in PyTorch: numbers of any library, what a state changes, the optimizer at its rate."""

import copy
import io

import numpy as np
import pytest

import sgdr

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler  # noqa: E402

from sgdr.adapters.torch import CosineAnnealingWarmRestarts, WarmRestartsLR  # noqa: E402
from sgdr.relatives import OneCycle, StepDecay  # noqa: E402
from tests.adapters.torch_optimizers import BASE_LR, rates_of, sgd, train  # noqa: E402

Peer = lr_scheduler.CosineAnnealingWarmRestarts
SCHEDULE = sgdr.WarmRestarts(BASE_LR, 5, 2, 1e-3)
SCHEDULERS = {
    "cosine": lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 5, 2, 1e-3),
    "any schedule": lambda optimizer: WarmRestartsLR(optimizer, SCHEDULE),
}
each_scheduler = pytest.mark.parametrize("scheduler", SCHEDULERS.values(), ids=SCHEDULERS)


def mapped(kind, tree):
    """The state with every number as that library has it."""
    if isinstance(tree, dict):
        return {name: mapped(kind, entry) for name, entry in tree.items()}
    if isinstance(tree, list):
        return [mapped(kind, entry) for entry in tree]
    return kind(tree) if isinstance(tree, int | float) else tree


def assert_plain(tree):
    if isinstance(tree, dict | list | tuple):
        for entry in tree.values() if isinstance(tree, dict) else tree:
            assert_plain(entry)
    else:
        assert type(tree) in (int, float, bool, str, type(None)), tree


NUMBERS = {
    "float32": np.float32,
    "float64": np.float64,
    "longdouble": np.longdouble,
    "0-d": np.asarray,
    "int": lambda rate: 1,
}


@each_scheduler
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_rates_of_an_optimizer_become_plain_numbers_and_states_load(scheduler, number):
    peak = number(0.1)
    before = scheduler(sgd(peak, peak))
    before.step(np.int64(3))
    before.base_lrs[1] = np.float64(before.base_lrs[1])
    saved = before.state_dict(), before.optimizer.state_dict()
    assert_plain(saved)
    file = io.BytesIO()
    torch.save(saved, file)
    file.seek(0)
    state, groups = torch.load(file, weights_only=True)
    after = scheduler(sgd(peak, peak))
    after.optimizer.load_state_dict(groups)
    after.load_state_dict(state)
    after.step()
    follows = isinstance(after, WarmRestartsLR)
    schedule = SCHEDULE if follows else sgdr.WarmRestarts(float(peak), 5, 2, 1e-3)
    assert rates_of(after) == [schedule(4)] * 2
    assert_plain(after.state_dict())


@each_scheduler
@pytest.mark.parametrize(
    "kind",
    [np.asarray, lambda value: np.asarray(value)[()], torch.tensor, torch.asarray],
    ids=["numpy", "scalar", "tensor", "asarray"],
)
def test_a_state_in_numbers_of_another_library_is_loaded(scheduler, kind):
    before = scheduler(sgd(0.1, 0.02))
    before.step(7.5)
    after = scheduler(sgd(0.1, 0.02))
    after.load_state_dict(mapped(kind, before.state_dict()))
    assert_plain(after.state_dict())
    assert after.state_dict() == mapped(lambda value: pytest.approx(value, rel=1e-6), before.state_dict())
    assert [type(rate) for rate in after.get_last_lr()] == [float, float]


def test_rates_in_one_array_and_arguments_of_numpy_are_taken():
    arguments = np.array(5), np.int64(2), np.float32(1e-3), np.int64(-1)
    scheduler = CosineAnnealingWarmRestarts(sgd(), *arguments, peak_decay=np.float64(0.5), cycles=np.array(3))
    assert_plain(scheduler.state_dict())
    state = scheduler.state_dict()
    scheduler.load_state_dict({**state, "base_lrs": np.array([0.1]), "_last_lr": torch.tensor([0.1])})
    assert scheduler.base_lrs == [0.1]


def test_tensor_rates_stay_tensors_whatever_a_state_has():
    before = CosineAnnealingWarmRestarts(sgd(torch.tensor(0.1), 0.02), 5)
    before.step(3)
    for kind in (np.asarray, torch.tensor):
        lr = torch.tensor(0.1)
        after = CosineAnnealingWarmRestarts(sgd(lr, 0.02), 5)
        after.load_state_dict(mapped(kind, {**before.state_dict(), "base_lrs": [0.1, 0.02]}))
        assert after.optimizer.param_groups[0]["lr"] is lr
        assert [type(rate) for rate in after.base_lrs] == [torch.Tensor, float]
        after.step(4)
        assert rates_of(after) == pytest.approx([sgdr.WarmRestarts(p, 5)(4) for p in (0.1, 0.02)], rel=1e-6)


# What a state changes.


def test_one_warning_names_the_fields_and_both_values():
    saved = CosineAnnealingWarmRestarts(sgd(), 10, cycles=2)
    saved.step(37)
    scheduler = CosineAnnealingWarmRestarts(sgd(0.5), 20)
    with pytest.warns(UserWarning) as warned:
        scheduler.load_state_dict(saved.state_dict())
    (warning,) = warned
    assert warning.filename == __file__
    text = str(warning.message)
    assert "base_lrs=[0.1] in place of [0.5], T_0=10 in place of 20, cycles=2 in place of None" in text
    assert "call step(37) instead" in text
    assert (scheduler.T_0, scheduler.cycles, rates_of(scheduler)) == (10, 2, [0.0])


def test_either_may_be_kept():
    saved = CosineAnnealingWarmRestarts(sgd(), 10, cycles=2)
    saved.step(37)
    mine = sgdr.WarmRestarts(BASE_LR, 20)
    stepped = CosineAnnealingWarmRestarts(sgd(), 20)
    stepped.step(saved.state_dict()["last_epoch"])
    assert rates_of(stepped) == [mine(37)]
    set_again = CosineAnnealingWarmRestarts(sgd(), 20)
    with pytest.warns(UserWarning, match="T_0=10 in place of 20"):
        set_again.load_state_dict(saved.state_dict())
    set_again.T_0, set_again.cycles = 20, None
    set_again.step(set_again.last_epoch)
    assert rates_of(set_again) == [mine(37)]
    same = CosineAnnealingWarmRestarts(sgd(), 10, cycles=2)
    same.load_state_dict(saved.state_dict())  # without a word


@pytest.mark.parametrize(
    ("present", "loaded", "words"),
    [
        (OneCycle(0.1, 100), OneCycle(0.1, 40), r"schedules\[0\]\.length=40 in place of 100;"),
        (OneCycle(0.1, 100), SCHEDULE, r"schedules\[0\]=WarmRestarts\(.* in place of OneCycle\("),
        (sgdr.Warmup(SCHEDULE, 3), sgdr.Warmup(SCHEDULE, 4), r"schedules\[0\]\.steps=4 in place of 3;"),
        (
            sgdr.Warmup(StepDecay(0.1, (3, 9)), 3),
            sgdr.Warmup(StepDecay(0.1, (3, 8)), 3),
            r"schedules\[0\]\.schedule\.milestones=\(3, 8\) in place of \(3, 9\);",
        ),
    ],
    ids=["length", "shape", "warm-up", "milestones"],
)
def test_another_schedule_is_noticed_and_the_one_of_the_state_counts(present, loaded, words):
    saved = WarmRestartsLR(sgd(), loaded)
    saved.step(12)
    assert_plain(saved.state_dict())
    scheduler = WarmRestartsLR(sgd(), present)
    with pytest.warns(UserWarning, match=words):
        scheduler.load_state_dict(saved.state_dict())
    assert scheduler.schedules == [loaded]
    assert rates_of(scheduler) == [loaded(12)]
    same = WarmRestartsLR(sgd(5.0), loaded)
    same.load_state_dict(saved.state_dict())  # the rate of one group does not matter


def test_a_function_in_place_of_a_schedule_is_noticed_where_the_state_says():
    """Old states did not say it."""
    saved = WarmRestartsLR(sgd(), lambda step: 0.1).state_dict()
    scheduler = WarmRestartsLR(sgd(), OneCycle(0.1, 40))
    with pytest.warns(UserWarning, match=r"no schedules\[0\] in place of OneCycle.*, which stays"):
        scheduler.load_state_dict(saved)
    del saved["_in_optimizer"]
    scheduler.load_state_dict(saved)
    assert scheduler.schedules == [OneCycle(0.1, 40)]


def test_another_proportion_of_the_groups_is_noticed():
    saved = WarmRestartsLR(sgd(0.1, 0.01), SCHEDULE).state_dict()
    WarmRestartsLR(sgd(0.2, 0.02), SCHEDULE).load_state_dict(saved)
    with pytest.warns(UserWarning, match=r"base_lrs=\[0\.1, 0\.01\] in place of \[0\.1, 0\.02\]"):
        WarmRestartsLR(sgd(0.1, 0.02), SCHEDULE).load_state_dict(saved)


# The optimizer at the state's rate.

ORDERS = [("make", "optimizer", "state"), ("make", "state", "optimizer"), ("optimizer", "make", "state")]
"""A state is loaded into a scheduler that has been made."""


@each_scheduler
@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("old", [False, True])
def test_in_every_order_the_optimizer_ends_at_the_rate_of_the_state(scheduler, order, tensor, old):
    peak = torch.tensor(BASE_LR) if tensor else BASE_LR
    saved = scheduler(sgd(copy.deepcopy(peak)))
    for _ in range(4):
        train(saved)
    optimizer = sgd(copy.deepcopy(peak))
    for act in order:
        if act == "make":
            resumed = scheduler(optimizer)
        elif act == "optimizer":
            optimizer.load_state_dict(copy.deepcopy(saved.optimizer.state_dict()))
        else:
            state = saved.state_dict()
            if old:
                del state["_in_optimizer"]
            resumed.load_state_dict(state)
    assert rates_of(resumed) == rates_of(saved) == [float(rate) for rate in resumed.get_last_lr()]
    assert rates_of(resumed) == pytest.approx([SCHEDULE(4)], rel=1e-6)
    assert isinstance(optimizer.param_groups[0]["lr"], torch.Tensor) == tensor


def test_the_optimizer_follows_the_state_that_was_loaded_last():
    scheduler = SCHEDULERS["cosine"](sgd())
    early = scheduler.state_dict()
    scheduler.step(4)
    late, groups = scheduler.state_dict(), copy.deepcopy(scheduler.optimizer.state_dict())
    scheduler.load_state_dict(early)
    assert rates_of(scheduler) == [BASE_LR]
    scheduler.optimizer.load_state_dict(groups)
    scheduler.load_state_dict(early)
    assert rates_of(scheduler) == [BASE_LR]
    scheduler.load_state_dict(late)
    assert rates_of(scheduler) == [SCHEDULE(4)]


def test_a_state_of_torch_sets_the_rate_too():
    theirs = Peer(sgd(), 5, 2, 1e-3)
    for _ in range(4):
        train(theirs)
    optimizer = sgd()
    optimizer.load_state_dict(theirs.optimizer.state_dict())
    ours = SCHEDULERS["cosine"](optimizer)
    ours.load_state_dict(theirs.state_dict())
    assert rates_of(ours) == rates_of(theirs) == ours.get_last_lr()
    # And what came from us to PyTorch and went on there is of the later step.
    back = Peer(sgd(), 5, 2, 1e-3)
    back.load_state_dict(ours.state_dict())
    train(back)
    again = SCHEDULERS["cosine"](sgd())
    again.load_state_dict(back.state_dict())
    assert rates_of(again) == rates_of(back)


def sequence(optimizer):
    warm = lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=4)
    last = lr_scheduler.ConstantLR(optimizer, 0.5, 100)
    return lr_scheduler.SequentialLR(
        optimizer, [warm, SCHEDULERS["cosine"](optimizer), last], milestones=[4, 9]
    )


def chain(optimizer):
    return lr_scheduler.ChainedScheduler(
        [SCHEDULERS["cosine"](optimizer), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    )


@pytest.mark.parametrize("composed", [sequence, chain])
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_among_others_that_set_the_rate_it_is_what_they_left(composed, optimizer_first):
    running = composed(sgd())
    for _ in range(14):
        train(running)
        optimizer = sgd()
        groups = copy.deepcopy(running.optimizer.state_dict())
        if optimizer_first:
            optimizer.load_state_dict(groups)
            resumed = composed(optimizer)
        else:
            resumed = composed(optimizer)
            optimizer.load_state_dict(groups)
        resumed.load_state_dict(copy.deepcopy(running.state_dict()))
        assert rates_of(resumed) == rates_of(running)
