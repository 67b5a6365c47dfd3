"""What the config of a trial in Tune says: a schedule, the workload's own values, and a seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sgdr import checks
from sgdr.errors import ArgumentError
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.space import SCHEDULE_NAMES, Space
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP, check_fits

OTHERS = ("seed", "hparams", "log_sys_usage")
"""What a config may hold besides the schedule and the workload's values; the last is Tune's own."""

Config = Mapping[str, Any]


def schedule_of(config: Config, space: Space, budget: int) -> tuple[Schedule, int]:
    """The schedule, in epochs, and how many epochs its trial trains.

    `space` is a resolved one, for the lengths that `cycles` may come to, and for a warm-up that the config
    does not name. T_mult is 1 and eta_ratio 0 where they are not there. Raises ValueError for a config
    without base_lr, without T_0 or cycles, or with both, and for values that cannot be.
    """
    if "base_lr" not in config:
        raise _bad(config, "has no base_lr", "give the peak learning rate")
    closed = "cycles" in config
    if closed == ("T_0" in config):
        raise _bad(
            config, "must have T_0, the epochs of the first cycle, or cycles, their number, and not both"
        )
    eta_ratio = float(config.get("eta_ratio", 0.0))
    if eta_ratio < 0:
        raise ArgumentError("eta_ratio", eta_ratio, "must not be below 0: it is eta_min / base_lr")
    if WARMUP in config:
        warmup = whole(WARMUP, config[WARMUP], 0)
        check_fits(warmup, warmup, budget)
    # Population-based training multiplies values past the ends of their ranges.
    params = {"T_mult": 1, **config, "eta_ratio": min(eta_ratio, 1.0)}
    return replace(space, closed=closed).schedule(params, budget)


def hparams_of(config: Config, space: Space) -> dict[str, Any]:
    """The workload's own values, which stand in the config by their names or in a dict `hparams`.

    What the resolved space fixes need not be there. Raises ValueError for what is not there, and for names
    that nobody takes.
    """
    values = {name: checks.plain(value) for name, value in {**config.get("hparams", {}), **config}.items()}
    fixed = {name: domain for name, domain in space.hparams.items() if domain.single()}
    chosen = {name: values[name] for name in space.hparams if name in values}
    chosen |= {name: _only(domain) for name, domain in fixed.items() if name not in chosen}
    lacking = [name for name in space.hparams if name not in chosen]
    if lacking:
        raise _bad(config, f"has no {', '.join(lacking)}, which the workload takes")
    unknown = [name for name in values if name not in (*SCHEDULE_NAMES, *OTHERS, *space.hparams)]
    if unknown:
        known = ", ".join([*SCHEDULE_NAMES, "seed", *space.hparams])
        reason, fix = f"has {', '.join(unknown)}, which nobody takes", f"give {known}"
        raise ArgumentError("config", config, reason, fix, message=f"config {reason}; {fix}")
    return chosen


def seed_of(config: Config) -> int:
    """The seed that the config gives, else one that all the rest of it decides, below 2^31.

    Raises ValueError for one that is no whole number below 2^32.
    """
    if "seed" in config:
        seed = whole("seed", config["seed"], 0)
        if seed >= 2**32:
            raise ArgumentError("seed", seed, "must be below 2^32")
        return seed
    plain = {name: checks.plain(config[name]) for name in sorted(config)}
    text = json.dumps(plain, sort_keys=True, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def _only(distribution: Any) -> Any:
    """The value of a distribution that has a single one."""
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def _bad(config: Config, reason: str, fix: str = "") -> ArgumentError:
    message = f"config {sorted(map(str, config))} {reason}" + (f"; {fix}" if fix else "")
    return ArgumentError("config", config, reason, fix, message=message)
