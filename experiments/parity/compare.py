"""All schedules, ours and the peers', in every way to step them, against the exact rates."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from experiments.parity import braintools_peer, keras_peer, ours, torch_peer
from experiments.parity.judge import Rates, Setting, Steps
from experiments.parity.tally import Way

OWN = "sgdr"
RESUMED = "made with last_epoch"
SAMPLED = (1, 2, 3, 7, 10, 64, 100)
"""T_0 for which compiled arrays are compared with single steps."""
SINGLE_STEPS = 200

Ask = Callable[[Setting, Steps], Rates]
Where = Callable[[Setting], Steps]


def every(setting: Setting) -> Steps:
    """All steps."""
    return setting.steps


def around_restarts(setting: Setting) -> Steps:
    """The steps before, at and after each restart."""
    return setting.boundaries


def _around_of_sampled(setting: Setting) -> Steps:
    return setting.boundaries if setting.fields.T_0 in SAMPLED else np.arange(0)


def _first_of_sampled(setting: Setting) -> Steps:
    return setting.steps[:SINGLE_STEPS] if setting.fields.T_0 in SAMPLED else np.arange(0)


def _after_zero(setting: Setting) -> Steps:
    return setting.boundaries[setting.boundaries > 0]


def _around_first_restart(setting: Setting) -> Steps:
    return _after_zero(setting)[:3]


WAYS: dict[tuple[str, str], tuple[Ask, Where]] = {
    (OWN, "NumPy"): (ours.of_array, every),
    (OWN, "Python"): (ours.one_by_one, torch_peer.looked_at),
    (OWN, "JAX, float32"): (ours.in_jax, torch_peer.looked_at),
    ("torch", "step()"): (torch_peer.by_step, torch_peer.looked_at),
    ("torch", "step(epoch)"): (torch_peer.by_epoch, torch_peer.looked_at),
    ("torch", RESUMED): (torch_peer.resumed, _after_zero),
    ("keras", "compiled"): (keras_peer.called, every),
    ("keras", "compiled, one by one"): (keras_peer.one_by_one, _around_of_sampled),
    ("braintools", "step(), one by one"): (braintools_peer.by_step_one_by_one, _first_of_sampled),
    ("braintools", "step(epoch)"): (braintools_peer.by_epoch, every),
    ("braintools", "step(epoch), one by one"): (braintools_peer.by_epoch_one_by_one, _around_of_sampled),
    ("braintools", RESUMED): (braintools_peer.resumed, _around_first_restart),
}
LOOP = ("braintools", "step()")
ORDER = [*(key for key in WAYS if key[0] != LOOP[0]), LOOP, *(key for key in WAYS if key[0] == LOOP[0])]


def installed() -> list[str]:
    """What is compared."""
    peers = dict.fromkeys(peer for peer, _ in WAYS)
    return [peer for peer in peers if importlib.util.find_spec(peer) is not None]


def compared(settings: Sequence[Setting], done: Callable[[int], object]) -> list[Way]:
    """Every way of every peer that is installed; `done` is told how many schedules more are through."""
    peers = installed()
    ways = {key: Way(*key, resumes=key[1] == RESUMED) for key in ORDER if key[0] in peers}
    for setting in settings:
        exact = setting.rates(setting.steps)
        for key, way in ways.items():
            if key != LOOP:
                ask, where = WAYS[key]
                steps = where(setting)
                if len(steps):
                    way.look(setting, steps, ask(setting, steps), exact[steps])
        done(1)
    if LOOP in ways:
        for _, group in groupby(settings, key=lambda setting: setting.fields.T_mult):
            _loop(ways[LOOP], list(group), done)
    return list(ways.values())


def _loop(way: Way, settings: list[Setting], done: Callable[[int], object]) -> None:
    for all_steps, rates in braintools_peer.by_step(settings):
        for setting, column in zip(settings, rates.T, strict=True):
            steps = all_steps[all_steps < setting.length]
            if len(steps):
                first = steps[0] == 0
                way.look(setting, steps, column[: len(steps)], setting.rates(steps), first=bool(first))
    done(len(settings))
