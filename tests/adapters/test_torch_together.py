"""The PyTorch adapter inside of PyTorch's composed schedulers, and beside what else trains."""

import math

import pytest

import sgdr

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler, swa_utils  # noqa: E402

from sgdr.adapters.torch import CosineAnnealingWarmRestarts  # noqa: E402
from tests.adapters.torch_optimizers import BASE_LR, rates_of, sgd, train  # noqa: E402

Peer = lr_scheduler.CosineAnnealingWarmRestarts
ETA_MIN = 1e-3


def test_after_a_warm_up_in_a_sequence():
    def sequence(cls):
        optimizer = sgd(0.1, 0.02)
        warm = lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=4)
        cosine = cls(optimizer, 5, 2, eta_min=ETA_MIN)
        return lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[4])

    ours, theirs = sequence(CosineAnnealingWarmRestarts), sequence(Peer)
    for step in range(40):
        assert rates_of(ours) == pytest.approx(rates_of(theirs), rel=0, abs=1e-12)
        assert ours.get_last_lr() == rates_of(ours)
        if step == 11:
            saved = ours.state_dict(), ours.optimizer.state_dict()
            ours = sequence(CosineAnnealingWarmRestarts)
            ours.optimizer.load_state_dict(saved[1])
            ours.load_state_dict(saved[0])
        train(ours)
        train(theirs)


def test_in_a_sequence_in_a_sequence():
    optimizer = sgd()
    inner = lr_scheduler.SequentialLR(optimizer, [CosineAnnealingWarmRestarts(optimizer, 3)], milestones=[])
    constant = lr_scheduler.ConstantLR(optimizer, 0.5, 100)
    outer = lr_scheduler.SequentialLR(optimizer, [inner, constant], milestones=[6])
    schedule = sgdr.WarmRestarts(BASE_LR, 3)
    for step in range(6):
        assert rates_of(outer) == [schedule(step)]
        train(outer)
    assert rates_of(outer) == [BASE_LR / 2]


def test_a_sequence_begins_at_its_beginning_whatever_was_before():
    optimizer = sgd()
    cosine = CosineAnnealingWarmRestarts(optimizer, 5)
    cosine.step(7.5)
    constant = lr_scheduler.ConstantLR(optimizer, 1.0, 1)
    sequence = lr_scheduler.SequentialLR(optimizer, [constant, cosine], milestones=[2])
    for _ in range(2):
        train(sequence)
    assert (rates_of(sequence), cosine.T_cur, cosine.last_epoch) == ([BASE_LR], 0, 0)


def test_in_a_chain():
    def chain(cls):
        optimizer = sgd(0.1, 0.02)
        return lr_scheduler.ChainedScheduler(
            [cls(optimizer, 5, 2, eta_min=ETA_MIN), lr_scheduler.ExponentialLR(optimizer, 0.9)]
        )

    ours, theirs = chain(CosineAnnealingWarmRestarts), chain(Peer)
    for _ in range(30):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=0, abs=1e-12)
        train(ours)
        train(theirs)
    fresh = chain(CosineAnnealingWarmRestarts)
    fresh.load_state_dict(ours.state_dict())
    assert fresh._schedulers[0].last_epoch == 30


def test_before_weight_averaging():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=BASE_LR)
    averaged = swa_utils.AveragedModel(model)
    cosine = CosineAnnealingWarmRestarts(optimizer, 4)
    constant = swa_utils.SWALR(optimizer, swa_lr=0.05, anneal_epochs=1)
    for epoch in range(12):
        assert optimizer.param_groups[0]["lr"] == (
            sgdr.WarmRestarts(BASE_LR, 4)(epoch) if epoch <= 8 else 0.05
        )
        optimizer.step()
        if epoch < 8:
            cosine.step()
        else:
            averaged.update_parameters(model)
            constant.step()


def test_where_a_scaler_skips_steps():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=BASE_LR)
    scheduler = CosineAnnealingWarmRestarts(optimizer, 4)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    done = 0
    for step in range(8):
        loss = (parameter * (math.inf if step % 3 == 0 else 1.0)).sum()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scale = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= scale:
            scheduler.step()
            done += 1
    assert done == 5
    assert scheduler.get_last_lr() == [sgdr.WarmRestarts(BASE_LR, 4)(5)]


def test_a_capturable_optimizer_has_its_rate_in_a_tensor():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW([parameter], lr=torch.tensor(BASE_LR), foreach=False)
    scheduler = CosineAnnealingWarmRestarts(optimizer, 4)
    for step in range(6):
        assert optimizer.param_groups[0]["lr"].item() == pytest.approx(
            sgdr.WarmRestarts(BASE_LR, 4)(step), abs=1e-8
        )
        parameter.sum().backward()
        optimizer.step()
        scheduler.step()
