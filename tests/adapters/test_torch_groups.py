"""Param groups that the optimizer gets while it trains: the PyTorch adapter goes on with them."""

import pytest

import sgdr

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler  # noqa: E402

from sgdr.adapters.torch import CosineAnnealingWarmRestarts, WarmRestartsLR  # noqa: E402
from tests.adapters.torch_optimizers import rates_of, sgd  # noqa: E402

SCHEDULE = sgdr.WarmRestarts(0.1, 5, 2, 1e-3)
LATER = sgdr.WarmRestarts(0.02, 5, 2, 1e-3)
SCHEDULERS = {
    "cosine": lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 5, 2, 1e-3),
    "any schedule": lambda optimizer: WarmRestartsLR(optimizer, sgdr.WarmRestarts(0.1, 5, 2)),
}
each_scheduler = pytest.mark.parametrize("scheduler", SCHEDULERS.values(), ids=SCHEDULERS)


def add_group(optimizer, **fields):
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], **fields})


def expected(scheduler, step):
    """The rates of both groups: in proportion where one schedule is for all."""
    if isinstance(scheduler, CosineAnnealingWarmRestarts):
        return [SCHEDULE(step), LATER(step)]
    rate = sgdr.WarmRestarts(0.1, 5, 2)(step)
    return [rate, pytest.approx(rate / 5, rel=1e-12)]


@each_scheduler
def test_a_group_is_driven_from_the_next_step_on_with_its_own_rate_as_peak(scheduler):
    scheduler = scheduler(sgd())
    for step in range(1, 20):
        if step == 4:
            add_group(scheduler.optimizer, lr=0.02)
        scheduler.step()
        assert scheduler.get_last_lr() == rates_of(scheduler)
        assert rates_of(scheduler) == expected(scheduler, step)[: 1 if step < 4 else 2]
    assert scheduler.optimizer.param_groups[1]["initial_lr"] == scheduler.base_lrs[1] == 0.02


@each_scheduler
@pytest.mark.parametrize("peak_appended", [False, True])
def test_a_state_of_before_the_next_step_has_the_group(scheduler, peak_appended):
    before = scheduler(sgd())
    for _ in range(3):
        before.step()
    add_group(before.optimizer, lr=0.02)
    if peak_appended:
        before.base_lrs.append(0.02)
    saved, groups = before.state_dict(), before.optimizer.state_dict()
    assert (saved["base_lrs"], len(saved["_last_lr"])) == ([0.1, 0.02], 2)
    after = scheduler(sgd(0.1, 0.02))
    after.optimizer.load_state_dict(groups)
    after.load_state_dict(saved)
    assert rates_of(after) == rates_of(before) == after.get_last_lr()
    for step in range(4, 12):
        before.step()
        after.step()
        assert rates_of(after) == rates_of(before) == expected(after, step)


def test_a_state_of_torch_of_before_the_next_step_is_loaded():
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 5, 2, 1e-3)
    theirs.optimizer.step()
    theirs.step()
    add_group(theirs.optimizer, lr=0.02)
    theirs.base_lrs.append(0.02)
    ours = CosineAnnealingWarmRestarts(sgd(0.1, 0.02), 5, 2, 1e-3)
    ours.optimizer.load_state_dict(theirs.optimizer.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert rates_of(ours) == pytest.approx([SCHEDULE(1), 0.02], abs=1e-12)
    ours.step()
    assert rates_of(ours) == [SCHEDULE(2), LATER(2)]


def test_a_run_goes_on_whose_group_is_added_again_after_the_scheduler_is_made():
    before = CosineAnnealingWarmRestarts(sgd(), 5, 2, 1e-3)
    add_group(before.optimizer, lr=0.02)
    for _ in range(7):
        before.step()
    after = CosineAnnealingWarmRestarts(sgd(), 5, 2, 1e-3)
    add_group(after.optimizer, lr=0.02)
    after.load_state_dict(before.state_dict())
    assert rates_of(after) == [SCHEDULE(7), LATER(7)]


def test_the_peak_of_a_later_group_is_its_own_rate():
    """Also where the optimizer was made with another rate."""
    scheduler = WarmRestartsLR(sgd(1e-3), sgdr.Warmup(SCHEDULE, 2))
    add_group(scheduler.optimizer, lr=0.02)
    for step in range(1, 9):
        scheduler.step()
        rate = sgdr.Warmup(SCHEDULE, 2)(step)
        assert rates_of(scheduler) == [rate, pytest.approx(rate / 5, rel=1e-12)]


def test_a_later_group_that_does_not_fit_changes_nothing():
    scheduler = CosineAnnealingWarmRestarts(sgd(), 5, 2, 1e-3)
    scheduler.step()
    add_group(scheduler.optimizer, lr=1e-4)
    with pytest.raises(ValueError, match=r"eta_min must not exceed lr=0\.0001 of param group 1, got 0\.001"):
        scheduler.step()
    assert (scheduler.last_epoch, scheduler.base_lrs) == (1, [0.1])
    assert rates_of(scheduler) == [SCHEDULE(1), 1e-4]
    assert "initial_lr" not in scheduler.optimizer.param_groups[1]
    several = WarmRestartsLR(sgd(0.1, 0.1), [SCHEDULE, LATER])
    add_group(several.optimizer, lr=0.02)
    with pytest.raises(ValueError, match="3 param groups, got 2; append that of a new group to schedules"):
        several.step()
    several.schedules.append(LATER)
    several.step()
    assert rates_of(several) == [SCHEDULE(1), LATER(1), LATER(1)]


def test_a_tensor_rate_of_a_later_group_is_filled_in_place():
    scheduler = CosineAnnealingWarmRestarts(sgd(), 5, 2, 1e-3)
    rate = torch.tensor(0.02)
    add_group(scheduler.optimizer, lr=rate)
    scheduler.step()
    assert scheduler.optimizer.param_groups[1]["lr"] is rate
    assert rates_of(scheduler) == pytest.approx([SCHEDULE(1), LATER(1)], rel=1e-6)
    assert scheduler.base_lrs == [0.1, torch.tensor(0.02)]


@pytest.mark.slow  # importing it takes 5 seconds; the other tests here do what its callback does
@pytest.mark.filterwarnings("ignore")
def test_lightning_unfreezes_a_backbone_and_resumes(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")

    class Unfreezing(lightning.callbacks.BaseFinetuning):
        def freeze_before_training(self, pl_module):
            self.freeze(pl_module.backbone)

        def finetune_function(self, pl_module, epoch, optimizer):
            if epoch == 2:
                self.unfreeze_and_add_param_group(pl_module.backbone, optimizer, lr=0.02)

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
            self.rates = []

        def training_step(self, batch):
            self.rates.append([group["lr"] for group in self.optimizers().param_groups])
            return self.head(self.backbone(batch[0])).square().mean()

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.head.parameters(), lr=0.1)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": SCHEDULERS["cosine"](optimizer), "interval": "step"},
            }

    def trained(epochs, resumed=None):
        model = Model()
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=[Unfreezing(), lightning.callbacks.ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)],
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        data = torch.utils.data.TensorDataset(torch.ones(12, 2))
        trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=4), ckpt_path=resumed)
        return model.rates

    rates = trained(4)
    assert rates[:6] == [[SCHEDULE(step)] for step in range(6)]
    assert rates[6:] == [[SCHEDULE(6), 0.02], *([SCHEDULE(step), LATER(step)] for step in range(7, 12))]
    resumed = trained(6, tmp_path / "epoch=3.ckpt")
    assert resumed == [[SCHEDULE(step), LATER(step)] for step in range(12, 18)]
