"""Code for braintools."""

from __future__ import annotations

from sgdr.export import rate
from sgdr.export.plan import LAST_STEP, Plan, header, script, training_loop

PER_BATCH = "Steps per batch: scheduler.step() comes after every train_step(), outside of jit."
PER_EPOCH = (
    "Steps per epoch, which {counted}: scheduler.step() comes once at the end of every epoch, outside of jit."
)
OR_BATCH = " Where {counted} batches, put it right after train_step()."

SUBCLASS = '''class {name}(braintools.optim.LRScheduler):
    """The rate by learning_rate(), for every group in proportion to its base_lr."""

    def get_lr(self):
        factor = learning_rate(int(self.last_epoch.value)) / BASE_LR
        return [base_lr * factor for base_lr in self.base_lrs]'''

TRAIN_STEP = """@brainstate.transform.jit
def train_step(inputs, targets):
    weights = model.states(brainstate.ParamState)
    grads = brainstate.transform.grad(
        lambda: loss_function(model(inputs), targets),
        weights,
    )()
    optimizer.step(grads)"""


def code(plan: Plan) -> str:
    """A training loop around a scheduler of braintools', or a subclass of it."""
    rate.check_float32(plan)
    own = _has_class(plan)
    function = () if own else rate.python(plan)
    standard = rate.imports(*function)
    return script(
        header(plan, PER_BATCH, PER_EPOCH, OR_BATCH),
        *([standard] if standard else []),
        "import brainstate\nimport braintools",
        *function,
        *([] if own else [SUBCLASS.format(name=type(plan.schedule).__name__)]),
        _optimizer(plan, own),
        TRAIN_STEP,
        training_loop(plan, ("train_step(inputs, targets)",)),
    )


def _has_class(plan: Plan) -> bool:
    """Whether braintools' own class is right: it drops fractions, and counts a cycle's length in 32 bits."""
    if not plan.plain or plan.schedule.T_0 * plan.schedule.T_mult > LAST_STEP:
        return False
    last = LAST_STEP if plan.steps is None else min(plan.steps, LAST_STEP)
    return plan.cycles.locate(last)[2] <= LAST_STEP


def _optimizer(plan: Plan, own: bool) -> str:
    s = plan.schedule
    from_peak = not plan.warmup and s(0) == s.base_lr
    scheduler = [f"scheduler = {type(s).__name__}({s.base_lr!r})"]
    if own:
        scheduler = [
            "scheduler = braintools.optim.CosineAnnealingWarmRestarts(",
            f"    base_lr={s.base_lr!r},",
            f"    T_0={s.T_0!r},",
            f"    T_mult={s.T_mult!r},",
            f"    eta_min={s.eta_min!r},",
            ")",
        ]
    return "\n".join(
        [
            *scheduler,
            "optimizer = braintools.optim.SGD(lr=scheduler)  # or another",
            "optimizer.register_trainable_weights(model.states(brainstate.ParamState))",
            # An optimizer's current_lr is at first that of its scheduler, whatever the first rate is.
            *["scheduler.apply(lambda rate: rate)  # the first rate is not the peak"] * (not from_peak),
        ]
    )
