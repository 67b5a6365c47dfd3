"""Code that is exported of a study changes the rate as the trials of the study did, update by update."""

import importlib
import json
import sys

import numpy as np
import pytest

from sgdr import export, search
from sgdr.search.storage.schema import TrialAttributes
from sgdr.search.study.best import stepping_of
from sgdr.stepping import Stepping
from tests.exported import RUN, TOLERANCE
from tests.storages import stored

MODULE = '''
"""Functions that keep the rates of all their updates."""
import json
from pathlib import Path
from sgdr import search

KEPT = Path(__file__).parent
DECLARED = {"metric": "error", "direction": "minimize", "budget": 4, "base_lr": (0.1, 1.0)}

def train(name, run, rate, updates=10):
    rates = []
    for epoch in range(run.budget):
        rates += [rate(epoch, update) for update in range(updates)]
        run.report(epoch + 1, 1 / (epoch + 1) + run.seed % 7)
    (KEPT / f"{name}-{run.seed}.json").write_text(json.dumps(rates))

@search.workload(**DECLARED, steps_per_epoch=10)
def within(run):
    train("within", run, lambda epoch, update: run.schedule(epoch + update / run.steps_per_epoch))

@search.workload(**DECLARED)
def told(run):
    run.steps_per_epoch = updates = 4 + 6 * (run.seed % 2)
    train("told", run, lambda epoch, update: run.schedule(epoch + update / updates), updates)

@search.workload(**DECLARED, steps_per_epoch=10, interval="epoch")
def once(run):
    train("once", run, lambda epoch, update: run.schedule(epoch))

@search.workload(**DECLARED)
def unsaid(run):
    train("unsaid", run, lambda epoch, update: run.schedule(epoch + update / 10))

@search.workload(**DECLARED)
def wrong(run):
    run.steps_per_epoch = 0

@search.workload(**DECLARED)
def late(run):
    run.report(1, 0.5)
    run.steps_per_epoch = 10
'''
PARTS = {"within": (), "told": (), "once": (), "unsaid": ("--steps-per-epoch", "10")}
"""The options that each of them needs."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the functions are, and what they keep."""
    folder = tmp_path_factory.mktemp("units")
    (folder / "units_functions.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
        sys.modules.pop("units_functions", None)


def swept(folder, name, **given):
    module = importlib.import_module("units_functions")
    options = {"trials": 2, "slots": 1, "pruner": "none", "storage": f"sqlite:///{folder}/sgdr.db", **given}
    return search.sweep(getattr(module, name), **options).study


@pytest.fixture(scope="module")
def studies(folder):
    """A study of each function, of schedules with restarts after epochs 1 and 3."""
    space = search.Space(T_0=1, T_mult=2)
    return {name: swept(folder, name, space=space, controls=0.0) for name in PARTS}


def rates_of(folder, name, best):
    """What the function used, of every update."""
    return np.array(json.loads((folder / f"{name}-{best.seed}.json").read_text()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("target", export.TARGETS)
@pytest.mark.parametrize("name", PARTS)
def test_code_of_a_study_has_the_rates_that_its_function_used(
    folder, studies, sgdr, tmp_path, monkeypatch, name, target
):
    monkeypatch.chdir(tmp_path)  # the Trainer of transformers makes a folder
    best = studies[name].best
    used = rates_of(folder, name, best)
    storage = f"sqlite:///{folder}/sgdr.db"
    arguments = ("export", name, "--to", target, "--storage", storage)
    if PARTS[name]:
        done = sgdr(*arguments)
        assert (done.returncode, done.stdout) == (2, "") and len(done.stderr.splitlines()) == 1
        assert f"steps_per_epoch must be known for {target}" in done.stderr
        assert "--steps-per-epoch" in done.stderr
    done = sgdr(*arguments, *PARTS[name])
    assert done.returncode == 0, done.stderr
    rates = np.array(RUN[target](done.stdout, best.budget, len(used) // best.budget))
    assert np.abs(rates - used).max() <= TOLERANCE[target] * best.schedule.base_lr


@pytest.mark.slow
def test_parity_is_with_the_rates_that_the_search_used(folder, studies):
    for name in ("within", "told", "once"):
        best = studies[name].best
        for target in ("optax", "keras", "transformers"):
            job = export.parity.Job(
                best.schedule, target, best.stepping.steps_per_epoch, best.budget, best.stepping.interval
            )
            used = rates_of(folder, name, best)
            assert job.plan.rates(np.arange(job.plan.steps)) == pytest.approx(used, rel=1e-9, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "run.steps_per_epoch must be an int >= 1, got 0"),
        ("late", "run.steps_per_epoch=10 was set after 1 reported epochs; set it before the first report"),
    ],
)
def test_a_run_that_says_what_cannot_be_fails_with_what_to_do(folder, name, said):
    with pytest.raises(search.TooManyFailures) as failed:
        swept(folder, name)
    assert said in str(failed.value)


def test_a_trial_s_own_updates_come_before_the_study_s_and_older_studies_know_none():
    assert stepping_of(
        TrialAttributes(steps_per_epoch=4), stored(steps_per_epoch=10, interval="epoch")
    ) == Stepping(4, "epoch")
    assert stepping_of(TrialAttributes(), stored(steps_per_epoch=10, interval=None)) == Stepping(10, "step")
    assert stepping_of(TrialAttributes(), stored(steps_per_epoch=None)) == Stepping(None, "step")
    assert Stepping(None).with_given(7, "epoch") == Stepping(7, "epoch")
    assert Stepping(4, "epoch").with_given(None, None) == Stepping(4, "epoch")


def test_the_rate_of_an_update():
    from sgdr import WarmRestarts

    schedule = WarmRestarts(0.1, 1.5, 2)
    assert Stepping(10).rate(schedule, 17) == pytest.approx(schedule(1.7))
    assert Stepping(10, "epoch").rate(schedule, 17) == schedule(1)
    assert Stepping(None).rate(schedule, 1.7) == schedule(1.7)
