"""`CosineAnnealingWarmRestarts` for PyTorch beside `sgdr.WarmRestarts`, and PyTorch's where that is right."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sgdr

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler  # noqa: E402

from sgdr.adapters.torch import CosineAnnealingWarmRestarts  # noqa: E402
from tests.adapters.torch_optimizers import BASE_LR, rates_of, sgd  # noqa: E402

Peer = lr_scheduler.CosineAnnealingWarmRestarts
ETA_MIN = 1e-3


def assert_stands_at(scheduler, step, schedule):
    """All that it says agrees with `schedule` at `step`, to the last bit."""
    cycle = schedule.cycle(step)
    assert rates_of(scheduler) == scheduler.get_last_lr() == [schedule(step)]
    assert (scheduler.T_cur, scheduler.T_i) == (cycle.position, cycle.length)
    assert scheduler.last_epoch == math.floor(step)
    if step % 1 == 0:
        assert scheduler.at_restart == (schedule.restarts(step + 1)[-1:] == [step])
        assert scheduler.at_trough == (schedule.troughs(step)[-1:] == [step])


whole_or_real = st.integers(1, 12) | st.floats(0.5, 12)
schedules = st.builds(
    sgdr.WarmRestarts,
    st.just(BASE_LR),
    whole_or_real,
    st.integers(1, 3) | st.floats(1, 3),
    st.sampled_from([0.0, ETA_MIN, BASE_LR]),
    st.sampled_from([1.0, 0.5]),
    st.none() | st.integers(1, 4),
)
moves = st.lists(
    st.sampled_from(["step", "save", "resume"]) | st.integers(0, 300) | st.floats(0, 300), max_size=12
)


@settings(deadline=None)  # the first optimizer of a process imports for seconds
@given(schedules, moves)
def test_is_the_schedule_however_it_is_stepped(schedule, moves):
    options = schedule.to_dict()
    del options["base_lr"]
    scheduler, step = CosineAnnealingWarmRestarts(sgd(), **options), 0
    assert_stands_at(scheduler, 0, schedule)
    for move in moves:
        if move == "step":
            scheduler.step()
            step += 1
        elif move == "save":
            state = scheduler.state_dict()
            optimizer = scheduler.optimizer
            scheduler = CosineAnnealingWarmRestarts(optimizer, 7, 3, peak_decay=0.9, cycles=2)
            torch.optim.Optimizer.load_state_dict(optimizer, rated(optimizer, state["_last_lr"]))
            with pytest.warns(UserWarning, match=r"peak_decay=.* in place of 0\.9"):
                scheduler.load_state_dict(state)
            assert scheduler.state_dict() == state
        elif move == "resume":
            step = math.floor(step) + 1
            scheduler = CosineAnnealingWarmRestarts(
                scheduler.optimizer, **options, last_epoch=scheduler.last_epoch
            )
        else:
            scheduler.step(move)
            step = move
        assert_stands_at(scheduler, step, schedule)


def rated(optimizer, rates):
    """The state of the optimizer with these rates, as its own checkpoint has them."""
    state = optimizer.state_dict()
    for group, rate in zip(state["param_groups"], rates, strict=True):
        group["lr"] = rate
    return state


def assert_equal_to_torch(T_0, T_mult, steps):
    ours = CosineAnnealingWarmRestarts(sgd(), T_0, T_mult, ETA_MIN)
    theirs = Peer(sgd(), T_0, T_mult, ETA_MIN)
    for _ in range(steps):
        assert abs(ours.get_last_lr()[0] - theirs.get_last_lr()[0]) <= 1e-12
        cycle = ours.cycle  # T_cur and T_i
        assert (cycle.position, cycle.length, ours.last_epoch) == (
            theirs.T_cur,
            theirs.T_i,
            theirs.last_epoch,
        )
        ours.step()
        theirs.step()


@pytest.mark.parametrize("T_mult", [1, 2, 3, 10])
@pytest.mark.parametrize("T_0", [1, 2, 7, 100])
def test_equals_torch_that_steps_from_the_start(T_0, T_mult):
    assert_equal_to_torch(T_0, T_mult, 300)


@pytest.mark.slow
def test_equals_torch_that_steps_from_the_start_for_every_setting():
    for T_0 in range(1, 101):
        for T_mult in range(1, 11):
            assert_equal_to_torch(T_0, T_mult, 500)


@pytest.mark.parametrize(("T_0", "T_mult"), [(1, 3), (10, 2), (3, 10), (10, 1), (2.5, 1.5)])
def test_resumes_by_last_epoch_anywhere(T_0, T_mult):
    schedule = sgdr.WarmRestarts(BASE_LR, T_0, T_mult, ETA_MIN)
    optimizer = sgd()
    CosineAnnealingWarmRestarts(optimizer, T_0, T_mult, ETA_MIN)
    for last_epoch in [*range(130), 10**9, 2**62]:
        scheduler = CosineAnnealingWarmRestarts(optimizer, T_0, T_mult, ETA_MIN, last_epoch)
        cycle = schedule.cycle(last_epoch + 1)
        assert scheduler.get_last_lr() == [schedule(last_epoch + 1)]
        assert (scheduler.T_cur, scheduler.T_i) == (cycle.position, cycle.length)


def test_goes_on_from_a_fraction_of_a_step_as_torch_does():
    ours, theirs = CosineAnnealingWarmRestarts(sgd(), 10, 2), Peer(sgd(), 10, 2)
    for scheduler in (ours, theirs):
        scheduler.step(12.5)
        scheduler.step()
    assert (ours.T_cur, ours.T_i, ours.last_epoch) == (3.5, 20, 13)
    assert (theirs.T_cur, theirs.T_i, theirs.last_epoch) == (3.5, 20, 13)
    assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), abs=1e-15)


def test_t_cur_may_be_assigned():
    scheduler = CosineAnnealingWarmRestarts(sgd(), 10, 2)
    scheduler.step(12)
    scheduler.T_cur = scheduler.T_cur
    assert scheduler.last_epoch == 12
    scheduler.T_cur = 19
    assert (scheduler.T_cur, scheduler.T_i, scheduler.last_epoch) == (19, 20, 29)
    scheduler.step()
    assert (scheduler.T_cur, scheduler.T_i, scheduler.at_restart) == (0, 40, True)
    with pytest.raises(ValueError, match="T_cur must be a finite number >= 0, got -1"):
        scheduler.T_cur = -1


def test_knows_restarts_and_troughs_between_whole_steps():
    scheduler = CosineAnnealingWarmRestarts(sgd(), 2.5, cycles=2)
    said = {}
    for half in range(13):
        scheduler.step(half / 2)
        said[half / 2] = (scheduler.at_restart, scheduler.at_trough)
    assert [step for step, (restart, _) in said.items() if restart] == [2.5, 3]
    assert [step for step, (_, trough) in said.items() if trough] == [2.5, 3, 5]


def test_every_group_has_its_peak():
    scheduler = CosineAnnealingWarmRestarts(sgd(0.1, 0.02, 0.0), 5, 2, peak_decay=0.5)
    for step in range(40):
        peaks = [sgdr.WarmRestarts(peak, 5, 2, peak_decay=0.5)(step) for peak in (0.1, 0.02)]
        assert rates_of(scheduler) == [*peaks, 0.0]
        scheduler.step()


@pytest.mark.parametrize("peak_decay", [1.0, 0.5])
def test_tensor_rates_are_filled_in_place_and_never_shared(peak_decay):
    tensors = torch.tensor(0.1), torch.tensor([0.5], dtype=torch.float64)
    scheduler = CosineAnnealingWarmRestarts(sgd(*tensors, 0.2), 5, 2, ETA_MIN, peak_decay=peak_decay)
    for step in range(12):
        groups = scheduler.optimizer.param_groups
        assert groups[0]["lr"] is tensors[0] and groups[1]["lr"] is tensors[1]
        expected = [sgdr.WarmRestarts(peak, 5, 2, ETA_MIN, peak_decay)(step) for peak in (0.1, 0.5, 0.2)]
        assert rates_of(scheduler) == pytest.approx(expected, rel=1e-6)
        assert [type(rate) for rate in scheduler.get_last_lr()] == [torch.Tensor, torch.Tensor, float]
        with pytest.warns(UserWarning, match="get_last_lr"):
            computed = scheduler.get_lr()
        assert [getattr(rate, "dtype", float) for rate in computed] == [torch.float32, torch.float64, float]
        for rate in (*computed[:2], *scheduler.get_last_lr()[:2]):
            rate.fill_(9.0)
        assert rates_of(scheduler) == pytest.approx(expected, rel=1e-6)
        scheduler.step()


def test_get_lr_warns_where_it_is_asked_outside_of_a_step():
    scheduler = CosineAnnealingWarmRestarts(sgd(), 5)
    scheduler.step(3.3)
    with pytest.warns(UserWarning, match="get_last_lr"):
        assert scheduler.get_lr() == scheduler.get_last_lr()


def test_a_subclass_may_compute_the_rates():
    class Halved(CosineAnnealingWarmRestarts):
        def get_lr(self):
            return [rate / 2 for rate in super().get_lr()]

    scheduler = Halved(sgd(), 5)
    scheduler.step()
    assert scheduler.get_last_lr() == [sgdr.WarmRestarts(BASE_LR, 5)(1) / 2]


BAD = [
    ({"T_0": 0}, "T_0 must be a number > 0"),
    ({"T_0": "10"}, "T_0 must be a number > 0 and at most 1e200, got '10'"),
    ({"T_0": math.nan}, "T_0 must be a number > 0"),
    ({"T_mult": 0.5}, "T_mult must be a number >= 1"),
    ({"eta_min": -1e-3}, "eta_min must be a number >= 0"),
    ({"eta_min": 0.5}, "eta_min must not exceed lr=0.2 of param group 1, got 0.5"),
    ({"last_epoch": -2}, "last_epoch must be an int >= -1, got -2"),
    ({"last_epoch": 2.5}, "last_epoch must be an int >= -1, got 2.5"),
    ({"peak_decay": 2}, "peak_decay must be a number > 0 and at most 1, got 2"),
    ({"cycles": 0}, "cycles must be an int >= 1 or None, got 0"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_arguments_leave_the_optimizer_alone(bad, message):
    optimizer = sgd(0.7, 0.2)
    with pytest.raises(ValueError) as raised:
        CosineAnnealingWarmRestarts(optimizer, **{"T_0": 10, **bad})
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert [group["lr"] for group in optimizer.param_groups] == [0.7, 0.2]
    assert all("initial_lr" not in group for group in optimizer.param_groups)


def test_what_torch_refuses_is_refused_with_its_words():
    with pytest.raises(TypeError, match="is not an Optimizer"):
        CosineAnnealingWarmRestarts(None, 10)
    with pytest.raises(KeyError, match="initial_lr"):
        CosineAnnealingWarmRestarts(sgd(), 10, last_epoch=3)


@pytest.mark.parametrize("epoch", [-1, -0.5, math.nan, math.inf, "3", True, [1]])
def test_a_bad_epoch_changes_nothing(epoch):
    scheduler = CosineAnnealingWarmRestarts(sgd(), 10)
    scheduler.step(2.5)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match="epoch must be a finite number >= 0"):
        scheduler.step(epoch)
    assert scheduler.state_dict() == before
    assert rates_of(scheduler) == before["_last_lr"]


def test_more_peaks_than_groups_are_refused():
    scheduler = CosineAnnealingWarmRestarts(sgd(), 10)
    scheduler.base_lrs.append(0.01)
    with pytest.raises(ValueError, match="base_lrs must have a rate for each param group, got 2 for 1"):
        scheduler.step()
    assert (scheduler.last_epoch, scheduler.base_lrs) == (0, [BASE_LR, 0.01])


def test_numbers_of_numpy_are_taken_and_pythons_are_kept():
    ours = CosineAnnealingWarmRestarts(sgd(), np.int64(4), np.array(2), np.float64(ETA_MIN), np.array(-1))
    plain = CosineAnnealingWarmRestarts(sgd(), 4, 2, ETA_MIN)
    for scheduler, epoch in ((ours, np.int64(5)), (plain, 5)):
        scheduler.step(epoch)
    assert ours.state_dict() == plain.state_dict()
    json.dumps(ours.state_dict())
