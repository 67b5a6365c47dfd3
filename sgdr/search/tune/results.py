"""The names in a trial's results."""

from ray.air.constants import TRAINING_ITERATION
from ray.tune.result import AUTO_RESULT_KEYS, DONE, SHOULD_CHECKPOINT

WORTH = "objective"
"""What the trial is worth so far."""
EPOCH, TROUGH, RATE, T_0 = "epoch", "trough", "lr", "T_0"
TAKEN = frozenset(
    [WORTH, EPOCH, TROUGH, RATE, T_0, DONE, SHOULD_CHECKPOINT, TRAINING_ITERATION, *AUTO_RESULT_KEYS]
)
"""Names that a workload's values must not have."""
