"""`WarmRestartsLR`: any schedule in PyTorch."""

import copy

import optax
import pytest

import sgdr

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler  # noqa: E402

from sgdr.adapters.torch import WarmRestartsLR  # noqa: E402
from tests.adapters.torch_optimizers import rates_of, sgd, train  # noqa: E402

SCHEDULE = sgdr.WarmRestarts(0.3, 10, 1.5, 0.01, 0.9, 4)


@pytest.mark.parametrize(
    "schedule",
    [
        SCHEDULE,
        sgdr.Warmup(SCHEDULE, 7),
        sgdr.Warmup(lambda step: 0.5 / (1 + step), 3),
        lambda step: 0.5 / (1 + step),
        optax.linear_schedule(0.5, 0.0, 40),
    ],
    ids=["restarts", "warm-up", "warm-up of a function", "function", "optax"],
)
def test_the_first_group_follows_the_schedule_and_the_others_in_proportion(schedule):
    scheduler = WarmRestartsLR(sgd(1e-3, 1e-4), schedule)
    for step in [*range(30), 12.5, 3, 90]:
        scheduler.step(step)
        rate = float(schedule(step))
        assert rates_of(scheduler) == [rate, pytest.approx(rate / 10, rel=1e-15)]
    scheduler.step(17)
    state, groups = scheduler.state_dict(), scheduler.optimizer.state_dict()
    other = WarmRestartsLR(sgd(1e-3, 1e-4), schedule)
    other.optimizer.load_state_dict(groups)
    other.load_state_dict(state)
    other.step()
    assert rates_of(other) == [float(schedule(18)), pytest.approx(float(schedule(18)) / 10, rel=1e-15)]
    assert rates_of(WarmRestartsLR(other.optimizer, schedule, last_epoch=18))[0] == float(schedule(19))


def test_a_rate_of_zero_is_no_matter_for_one_group():
    assert rates_of(WarmRestartsLR(sgd(0.0), SCHEDULE)) == [0.3]


def test_each_group_has_a_schedule():
    schedules = [SCHEDULE, sgdr.Warmup(SCHEDULE, 5), lambda step: 0.25]
    scheduler = WarmRestartsLR(sgd(0.0, torch.tensor(1.0), 1.0), schedules)
    for step in range(30):
        expected = [schedule(step) for schedule in schedules]
        assert rates_of(scheduler) == pytest.approx(expected, rel=1e-6)
        assert rates_of(scheduler)[0] == expected[0]
        scheduler.step()
    assert [type(rate) for rate in scheduler.get_last_lr()] == [float, torch.Tensor, float]


def test_tensor_rates():
    scheduler = WarmRestartsLR(sgd(torch.tensor(0.2), 0.1, torch.tensor(0.4)), SCHEDULE)
    scheduler.step(3)
    rate = SCHEDULE(3)
    assert [type(rate) for rate in scheduler.get_last_lr()] == [torch.Tensor, float, torch.Tensor]
    assert rates_of(scheduler) == pytest.approx([rate, rate / 2, rate * 2], rel=1e-6)


def test_knows_restarts_and_troughs():
    schedule = sgdr.Warmup(SCHEDULE, 7)
    scheduler = WarmRestartsLR(sgd(), schedule)
    restarts, troughs = [], []
    for step in range(120):
        assert scheduler.cycle == schedule.cycle(step)
        restarts += [step] * scheduler.at_restart
        troughs += [step] * scheduler.at_trough
        scheduler.step()
    assert restarts == schedule.restarts(120)
    assert troughs == schedule.troughs(120)
    with pytest.raises(ValueError, match="schedule must have cycles, got <function"):
        _ = WarmRestartsLR(sgd(), lambda step: 0.1).at_restart


def test_the_fields_of_a_state_count():
    saved = WarmRestartsLR(sgd(), sgdr.Warmup(SCHEDULE, 7))
    saved.step(40)
    for present in (sgdr.WarmRestarts(1.0, 3), lambda step: 1.0, sgdr.Warmup(lambda step: 1.0, 2)):
        scheduler = WarmRestartsLR(sgd(), present)
        with pytest.warns(UserWarning, match=r"schedules\[0\]"):
            scheduler.load_state_dict(saved.state_dict())
        assert scheduler.schedules == [sgdr.Warmup(SCHEDULE, 7)]
        scheduler.step()
        assert rates_of(scheduler) == [SCHEDULE(34)]


def test_a_function_is_not_saved():
    saved = WarmRestartsLR(sgd(), lambda step: 1.0).state_dict()
    assert saved["schedules"] == [None]
    warm = WarmRestartsLR(sgd(), sgdr.Warmup(lambda step: 1.0, 4)).state_dict()
    assert warm["schedules"] == [{"schedule": None, "steps": 4}]
    scheduler = WarmRestartsLR(sgd(), SCHEDULE)
    with pytest.warns(UserWarning, match=r"no schedules\[0\] in place of WarmRestarts.*, which stays"):
        scheduler.load_state_dict(saved)
    assert scheduler.schedules == [SCHEDULE]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (0.1, "schedule must be callable, got 0.1"),
        ([], "schedule must be one, or one for each of the 2 param groups, got 0"),
        ([SCHEDULE, None], "schedule must be callable, got None"),
        ([SCHEDULE] * 3, "schedule must be one, or one for each of the 2 param groups, got 3"),
        (SCHEDULE, "lr of param group 0 must be > 0, got 0.0"),
    ],
)
def test_bad_arguments_leave_the_optimizer_alone(schedule, message):
    optimizer = sgd(0.0, 0.2)
    with pytest.raises(ValueError) as raised:
        WarmRestartsLR(optimizer, schedule)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.2]


@pytest.mark.parametrize("name", WarmRestartsLR.needed)
@pytest.mark.parametrize("value", ["lacking", "x", [3, 3, 3]])
def test_a_bad_state_changes_nothing(name, value):
    scheduler = WarmRestartsLR(sgd(0.1, 0.2), SCHEDULE)
    scheduler.step(7.5)
    before = copy.deepcopy(vars(scheduler) | {"optimizer": None})
    state = WarmRestartsLR(sgd(0.3, 0.4), sgdr.WarmRestarts(0.5, 4)).state_dict()
    if value == "lacking":
        del state[name]
    else:
        state[name] = value
    with pytest.raises(ValueError) as raised:
        scheduler.load_state_dict(state)
    assert "\n" not in str(raised.value)
    assert vars(scheduler) | {"optimizer": None} == before


def test_an_added_group_has_the_appended_peak_and_beside_several_needs_a_schedule():
    group = {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.05}
    shared, separate = (
        WarmRestartsLR(sgd(0.1), SCHEDULE),
        WarmRestartsLR(sgd(0.1, 0.2), [SCHEDULE] * 2),
    )
    for scheduler in (shared, separate):
        scheduler.optimizer.add_param_group({**group})
        scheduler.base_lrs.append(0.05)
    with pytest.raises(ValueError, match="one for each of the 3 param groups, got 2"):
        separate.step()
    separate.schedules.append(lambda step: 0.01)
    for scheduler in (shared, separate):
        scheduler.step()
    rate = SCHEDULE(1)
    assert rates_of(shared) == [rate, rate / 2]
    assert rates_of(separate) == [rate, rate, 0.01]


def test_a_function_that_fails_changes_nothing():
    scheduler = WarmRestartsLR(sgd(), lambda step: 0.1 / (3 - step))
    scheduler.step(2)
    with pytest.raises(ZeroDivisionError):
        scheduler.step()
    assert (scheduler.last_epoch, rates_of(scheduler)) == (2, [0.1])


def test_in_a_sequence():
    optimizer = sgd(0.3)
    warm = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=4)
    sequence = lr_scheduler.SequentialLR(
        optimizer, [warm, WarmRestartsLR(optimizer, SCHEDULE)], milestones=[4]
    )
    rates = []
    for _ in range(20):
        rates += rates_of(sequence)
        train(sequence)
    assert rates[:4] == pytest.approx([0.15, 0.1875, 0.225, 0.2625])
    assert rates[4:] == [SCHEDULE(step) for step in range(16)]
