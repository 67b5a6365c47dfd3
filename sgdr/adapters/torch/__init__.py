"""PyTorch: `CosineAnnealingWarmRestarts`, as PyTorch calls its own, and `WarmRestartsLR` for any schedule.

Both keep one number, the step at which they stand, and derive the rest from it: so they are right at every
restart, at every epoch that they are sent to, and however they were resumed.
"""

from sgdr.extras import missing

try:
    import torch  # noqa: F401
except ImportError as error:
    raise missing("sgdr.adapters.torch", "PyTorch", "torch") from error

from sgdr.adapters.torch.cosine import CosineAnnealingWarmRestarts
from sgdr.adapters.torch.following import WarmRestartsLR

__all__ = ["CosineAnnealingWarmRestarts", "WarmRestartsLR"]
