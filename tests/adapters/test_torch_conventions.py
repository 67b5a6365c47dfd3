"""The PyTorch adapter where Lightning, accelerate and transformers do the stepping."""

import warnings

import pytest

import sgdr

torch = pytest.importorskip("torch")

from sgdr.adapters.torch import CosineAnnealingWarmRestarts, WarmRestartsLR  # noqa: E402

SCHEDULE = sgdr.WarmRestarts(0.05, 5, 2, 1e-3)
WARM = sgdr.Warmup(SCHEDULE, 4)
SCHEDULERS = {
    "cosine": (lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 5, 2, 1e-3), SCHEDULE),
    "warm-up": (lambda optimizer: WarmRestartsLR(optimizer, WARM), WARM),
}
each_scheduler = pytest.mark.parametrize(("scheduler", "schedule"), SCHEDULERS.values(), ids=SCHEDULERS)


def imported(name):
    """The package, whose own deprecations are its own affair; skips where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


@pytest.mark.slow  # importing it takes 5 seconds
@pytest.mark.filterwarnings("ignore")
@each_scheduler
def test_lightning_steps_and_resumes(scheduler, schedule, tmp_path):
    lightning = imported("lightning.pytorch")

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)
            self.rates = []

        def training_step(self, batch):
            self.rates += [group["lr"] for group in self.optimizers().param_groups]
            return self.layer(batch[0]).square().mean()

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=SCHEDULE.base_lr)
            config = {"scheduler": scheduler(optimizer), "interval": "step"}
            return {"optimizer": optimizer, "lr_scheduler": config}

    def trained(steps, resumed=None):
        model = Model()
        saving = lightning.callbacks.ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=13)
        trainer = lightning.Trainer(
            max_steps=steps,
            callbacks=[saving],
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        data = torch.utils.data.TensorDataset(torch.ones(28, 2))
        trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=4), ckpt_path=resumed)
        return model.rates

    assert trained(13) == [schedule(step) for step in range(13)]
    assert trained(30, tmp_path / "step=13.ckpt") == [schedule(step) for step in range(13, 30)]


@pytest.mark.filterwarnings("ignore")
@each_scheduler
def test_accelerate_steps_with_the_optimizer_and_resumes(scheduler, schedule, tmp_path):
    accelerate = imported("accelerate")

    def trained(batches, saved=None):
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=SCHEDULE.base_lr)
        data = torch.utils.data.DataLoader(torch.ones(batches, 2))
        model, optimizer, data, stepped = accelerator.prepare(model, optimizer, data, scheduler(optimizer))
        if saved:
            accelerator.load_state(saved)
        rates = []
        for batch in data:
            with accelerator.accumulate(model):
                rates.append(optimizer.param_groups[0]["lr"])
                accelerator.backward(model(batch).square().mean())
                optimizer.step()
                stepped.step()
                optimizer.zero_grad()
        accelerator.save_state(tmp_path)
        return rates

    try:
        assert trained(18) == [schedule(batch // 2) for batch in range(18)]
        assert trained(18, tmp_path) == [schedule(9 + batch // 2) for batch in range(18)]
    finally:
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.slow  # as does this
@pytest.mark.filterwarnings("ignore")
@each_scheduler
def test_transformers_accumulates_logs_and_resumes(scheduler, schedule, tmp_path):
    transformers = imported("transformers")
    imported("accelerate")
    data = [{"input_ids": torch.arange(4), "labels": torch.arange(4)}] * 48

    def logged(steps, resumed=None):
        config = transformers.GPT2Config(
            vocab_size=8, n_positions=4, n_embd=4, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
        )
        model = transformers.GPT2LMHeadModel(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=SCHEDULE.base_lr)
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path),
            max_steps=steps,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=2,
            logging_steps=1,
            save_steps=9,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = transformers.Trainer(
            model, arguments, train_dataset=data, optimizers=(optimizer, scheduler(optimizer))
        )
        trainer.train(resume_from_checkpoint=resumed)
        return {
            log["step"]: log["learning_rate"] for log in trainer.state.log_history if "learning_rate" in log
        }

    # It logs the rate with which the step was done.
    assert logged(9) == {step: schedule(step - 1) for step in range(1, 10)}
    resumed = logged(20, str(tmp_path / "checkpoint-9"))
    assert resumed == {step: schedule(step - 1) for step in range(1, 21)}
