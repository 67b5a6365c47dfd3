"""The search space of the peers, as Optuna users declare one."""

from __future__ import annotations

from typing import Any

import optuna

BASE_LR = (1e-3, 1.0)
T_MULT = (1, 2, 3)
ETA_RATIO = (0.0, 0.1)


def suggest(trial: optuna.Trial, epochs: int) -> dict[str, Any]:
    """One point of the space that our sweep searches by default; T_0 in epochs."""
    return {
        "base_lr": trial.suggest_float("base_lr", *BASE_LR, log=True),
        "T_0": trial.suggest_int("T_0", 1, epochs, log=True),
        "T_mult": trial.suggest_categorical("T_mult", T_MULT),
        "eta_ratio": trial.suggest_float("eta_ratio", *ETA_RATIO),
    }
