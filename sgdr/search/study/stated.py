"""Searched values in plain JSON, which has no infinite numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def stated(value: Any) -> Any:
    """A searched value as all JSON and CSV say it: a number that is not finite is "inf", "-inf" or "nan"."""
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def all_stated(hparams: Mapping[str, Any]) -> dict[str, Any]:
    """All of a trial's, by name."""
    return {name: stated(value) for name, value in hparams.items()}
