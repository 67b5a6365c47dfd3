"""Code for the Trainer of transformers.

Its own get_cosine_with_hard_restarts_schedule_with_warmup has equal cycles only, and no floor.
"""

from __future__ import annotations

from sgdr.export import torch
from sgdr.export.plan import Plan, script

PER_BATCH = (
    "Steps per batch: the Trainer calls scheduler.step() once per optimizer update, so that with gradient "
    "accumulation steps are updates, not batches."
)
IN_UPDATES = "Where {counted} epochs, export with the number of updates in an epoch."


def code(plan: Plan) -> str:
    """A Trainer with a scheduler of PyTorch's."""
    notes = [PER_BATCH] if plan.steps_per_epoch else [PER_BATCH, IN_UPDATES.format(counted=plan.counted)]
    return script(
        plan.header("step", *notes),
        torch.imports(plan, "from transformers import Trainer, TrainingArguments"),
        *torch.definitions(plan),
        torch.optimizer(plan, "AdamW"),
        _trainer(plan),
    )


def _trainer(plan: Plan) -> str:
    length = f"num_train_epochs={plan.budget or 'epochs'}"
    if plan.steps_per_epoch is None and plan.budget is not None:
        length = f"max_steps={plan.budget}"
    return "\n".join(
        [
            "trainer = Trainer(",
            "    model=model,",
            f'    args=TrainingArguments(output_dir="out", {length}),',
            "    train_dataset=train_dataset,",
            "    optimizers=(optimizer, scheduler),",
            ")",
            "trainer.train()",
        ]
    )
