"""Confirmations from end to end: which seeds, what is kept, what the verdict says, and what is refused."""

import importlib
import os
import shutil
import sqlite3
import sys
import threading
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sgdr import WarmRestarts, search
from sgdr.search.artifacts.snapshots import Snapshots, load_snapshot
from sgdr.search.evaluation import confirm as confirmation
from sgdr.search.evaluation import race, sequential_test
from sgdr.search.evaluation.finalists import Candidate, finalists, fresh_seeds
from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.storage.connect import open_storage
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.schema import CONFIRMATION
from tests.storages import stored


class Known:
    """An error that is 1, and `effect` more once the rate has jumped up; what a run adds by luck is `spread`.

    Luck depends on the seed and on the peak rate. What it is made with is data of the compiled program, so
    that all of them share one.
    """

    metric = "error"
    direction = "minimize"
    steps_per_epoch = 2
    budget = 4

    def __init__(
        self, effect=0.0, spread=0.1, rise=0.0, breaks_above=np.inf, broken=(0, 1), bad=(), **changed
    ):
        """`rise` is added with every step, and 5 at the two peak rates that are `bad`.

        It is no longer finite at peak rates above a limit, for those that have restarted (1) or not (0).
        """
        self.name = "known"
        bad = bad if len(bad) else (-1, -1)
        self._given = jnp.array([effect, spread, rise, breaks_above, min(broken), max(broken), *bad], "f")
        for name, value in changed.items():
            setattr(self, name, value)

    def init(self, key):
        zero = jnp.float32(0)
        word = jax.random.key_data(key).ravel()[-1].astype(jnp.uint32)
        return {
            "word": word,
            "luck": zero,
            "peak": zero,
            "last": jnp.float32(1e9),
            "jumps": zero,
            "steps": zero,
        }

    def update(self, state, lr, step, key, hparams):
        extra = sum(hparams.values(), 0.0)
        first = step == 0
        # In multiples of 2^-16: else it may be rounded in another way for one slot a device than for more.
        by_luck = jnp.round(2**16 * self._given[1] * luck(state["word"], lr)) / 2**16
        return {
            "word": state["word"],
            "luck": jnp.where(first, by_luck + extra, state["luck"]),
            "peak": jnp.where(first, lr, state["peak"]),
            "last": lr,
            "jumps": state["jumps"] + (lr > 1.0001 * state["last"]),
            "steps": (step + 1).astype(jnp.float32),
        }

    def evaluate(self, state):
        effect, _, rise, limit, least, most, *bad = self._given
        restarted = state["jumps"] > 0
        error = 1 + effect * restarted + state["luck"] + rise * state["steps"]
        error = error + 5 * jnp.isclose(state["peak"], jnp.stack(bad)).any()
        breaks = (state["peak"] > limit) & (restarted >= least) & (restarted <= most)
        error = jnp.where(breaks, jnp.nan, error)
        return {self.metric: error if self.direction == "minimize" else -error}


def luck(word, lr):
    """About a standard normal number. JAX's own take seconds to compile."""
    bits = word ^ jax.lax.bitcast_convert_type(lr, jnp.uint32)
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        bits = (bits ^ (bits >> 15)) * jnp.uint32(factor)
    bits = bits ^ (bits >> 16)
    return (sum((bits >> shift) & 255 for shift in (0, 8, 16, 24)).astype(jnp.float32) - 510) / 147.8


class Guessing:
    """Its state is its prediction of a target, with noise."""

    name, metric, direction, steps_per_epoch, budget = "guessing", "error", "minimize", 2, 6

    def init(self, key):
        return jnp.zeros(3)

    def update(self, state, lr, step, key, hparams):
        noise = luck(jax.random.key_data(key).ravel()[-1].astype(jnp.uint32), lr)
        return state + 0.1 * lr * (1 - state + jnp.stack([noise, -noise, noise]))

    def predict(self, state):
        return state

    def score(self, predictions):
        return {"error": jnp.mean((predictions - 1) ** 2)}

    def evaluate(self, state):
        return self.score(self.predict(state))


def supervised():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int32)
    return search.Supervised(
        "small",
        params=lambda key: 0.1 * jax.random.normal(key, (4, 2)),
        apply=lambda params, x: x @ params,
        train=(x[:40], y[:40]),
        valid=(x[40:], y[40:]),
        optimizer=optax.sgd,
        batch_size=20,
        budget=6,
        base_lr=(0.01, 1.0),
    )


def sweep(url, workload, trials=12, **how):
    arguments = {"pruner": "none", "sampler": "random", "slots": 4, "controls": 0.5, "study": "s", **how}
    return search.sweep(workload, trials=trials, storage=url, **arguments).study


def confirm(url, workload, **how):
    return search.confirm("s", storage=url, workload=workload, **{"top": 2, "seeds": 8, "slots": 4, **how})


def copied(source, folder):
    """A copy of the storage in that folder, with the models beside it."""
    folder.mkdir(exist_ok=True)
    with sqlite3.connect(source) as old, sqlite3.connect(folder / "s.db") as new:
        old.backup(new)
    for connection in (old, new):
        connection.close()
    if (models := source.with_name("s.db.snapshots")).exists():
        shutil.copytree(models, folder / models.name)
    return f"sqlite:///{folder}/s.db"


@pytest.fixture(scope="module")
def known_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("known") / "s.db"
    sweep(f"sqlite:///{file}", Known())
    return file


@pytest.fixture
def url(known_file, tmp_path):
    """A storage with a study "s" of `Known`, made by best epoch."""
    return copied(known_file, tmp_path)


@pytest.fixture(scope="module")
def confirmed(known_file, tmp_path_factory):
    """The file of that study once it is confirmed, and the verdict; only to be read."""
    folder = tmp_path_factory.mktemp("confirmed")
    verdict = confirm(copied(known_file, folder), Known())
    return folder / "s.db", verdict


@pytest.fixture(scope="module")
def final_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("final") / "s.db"
    sweep(f"sqlite:///{file}", Known(), objective="final")
    return file


@pytest.fixture
def trained(monkeypatch):
    """(trial, seed) of what is trained from now on."""
    jobs_ = []
    retrain = race.retrain

    def noted(slots, jobs, *how):
        jobs_.extend((job.number, job.seed) for job in jobs)
        return retrain(slots, jobs, *how)

    monkeypatch.setattr(race, "retrain", noted)
    return jobs_


# Seeds and what is kept


def test_no_seed_of_the_search_is_used_and_all_candidates_have_the_same(confirmed):
    file, verdict = confirmed
    used = set(search.load("s", f"sqlite:///{file}").trials().seed)
    seeds = [list(candidate.values) for candidate in verdict.candidates]
    assert len(used) == 12 and not used & set(seeds[0])
    assert all(own == seeds[0][: len(own)] for own in seeds) and len(set(seeds[0])) == 8


def test_fresh_seeds_are_the_same_whatever_their_number_and_leave_out_those_in_use(url):
    study = search.load("s", url)
    seeds = fresh_seeds(study, 50)
    assert len(set(seeds)) == 50 and fresh_seeds(study, 7) == seeds[:7]
    assert all(0 <= seed < 2**31 for seed in seeds)
    study.frozen[3].user_attrs["seed"] = seeds[0]
    assert fresh_seeds(study, 5) == seeds[1:6]


def test_the_study_keeps_the_verdict(known_file, confirmed):
    file, verdict = confirmed
    assert search.load("s", f"sqlite:///{known_file}").verdict is None
    assert search.load("s", f"sqlite:///{file}").verdict == verdict


def test_the_best_is_the_confirmed_one_and_says_so(url):
    before = search.load("s", url)
    assert before.best.confirmed is None and before.best.value == min(best.value for best in before.top(99))
    verdict = confirm(url, Known(effect=-0.5))
    after = search.load("s", url)
    count = len(verdict.candidates)
    assert [best.number for best in after.top(count)] == [
        candidate.number for candidate in verdict.candidates
    ]
    assert after.best.number == verdict.best.number and after.best.confirmed == verdict.best
    assert after.best.arm == "restarts"
    assert all(best.confirmed is None for best in after.top(99)[count:])
    assert [best.number for best in after.ranked()] == [best.number for best in before.ranked()]


def test_candidates_are_the_best_of_each_arm_in_the_search(url):
    study = search.load("s", url)
    for top in (1, 99):
        verdict = confirm(url, Known(), top=top, seeds=2)
        for arm in study.arms:
            ranked = [best.number for best in study.ranked() if best.arm == arm]
            assert {candidate.number for candidate in verdict.candidates if candidate.arm == arm} == set(
                ranked[:top]
            )
    assert {candidate.number: candidate.searched for candidate in verdict.candidates} == {
        best.number: best.value for best in study.ranked()
    }


def test_schedules_that_do_the_same_are_one_candidate(tmp_path):
    space = search.Space(base_lr=0.1, T_0=4, eta_ratio=0.0)  # T_mult makes no difference in 4 epochs
    study = sweep(f"sqlite:///{tmp_path}/s.db", Known(), trials=8, space=space)
    assert len(set(study.trials().T_mult)) > 1
    assert [candidate.arm for candidate in finalists(study, 9)] == ["cosine", "constant"]


def test_schedules_whose_last_cycles_differ_are_two_candidates(tmp_path):
    space = search.Space(base_lr=0.1, T_0=3, eta_ratio=0.0)  # the second cycle is cut off at another rate
    study = sweep(f"sqlite:///{tmp_path}/s.db", Known(), trials=8, space=space)
    arms = [candidate.arm for candidate in finalists(study, 9)]
    assert (
        arms.count("restarts")
        == len(set(study.trials()[lambda candidate: candidate.arm == "restarts"].T_mult))
        > 1
    )


def test_the_mean_and_its_interval_are_those_of_the_values(confirmed):
    for candidate in confirmed[1].candidates:
        values = list(candidate.values.values())
        assert (candidate.mean, candidate.low, candidate.high) == sequential_test.interval(values)
        assert candidate.low < np.mean(values) < candidate.high


def test_the_same_again_trains_nothing_and_says_the_same(confirmed, tmp_path, trained):
    file, first = confirmed
    assert confirm(copied(file, tmp_path), Known()) == first and trained == []


def test_more_seeds_go_on_from_those_known(url, trained):
    few = confirm(url, Known(), seeds=4)
    many = confirm(url, Known(), seeds=16)
    assert len(trained) == len(set(trained))
    known = {candidate.number: candidate.values for candidate in many.candidates}
    for candidate in few.candidates:
        assert candidate.values.items() <= known[candidate.number].items()
    assert max(len(candidate.values) for candidate in many.candidates) == 16


@pytest.mark.slow
def test_fewer_seeds_afterwards_train_nothing_and_look_at_no_more(url, known_file, tmp_path, trained):
    few = confirm(copied(known_file, tmp_path / "few"), Known(), seeds=4)
    confirm(url, Known(), seeds=16)
    trained.clear()
    assert confirm(url, Known(), seeds=4) == few and trained == []


def test_what_an_interruption_leaves_is_finished_rounds_and_it_goes_on_from_there(
    url, known_file, tmp_path, trained
):
    whole = confirm(copied(known_file, tmp_path / "whole"), Known(), seeds=16)
    trained.clear()

    def interrupt(progress):
        if progress.seeds == sequential_test.looks(16)[1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirm(url, Known(), seeds=16, callback=search.Callback(interrupt))
    study = search.load("s", url)
    assert study.verdict is None
    first = sequential_test.looks(16)[0]
    assert {len(confirmation["values"]) for confirmation in study.attributes[CONFIRMATION].values()} == {
        first
    }
    trained.clear()
    assert confirm(url, Known(), seeds=16) == whole  # also: nobody holds the study
    assert not {seed for _, seed in trained} & set(fresh_seeds(study, first))


def test_trials_that_a_resumed_sweep_adds_are_confirmed_beside_those_known(url, trained):
    first = confirm(url, Known(), top=1, seeds=4)
    study = sweep(url, Known(), trials=40, resume=True)
    second = confirm(url, Known(), top=1, seeds=4)
    known = {candidate.number for candidate in first.candidates}
    assert known != {candidate.number for candidate in second.candidates}
    assert len(trained) == len(set(trained))  # nothing twice
    assert not {seed for _, seed in trained} & set(study.trials().seed)
    assert second.trials == 40 and first.trials == 12


@pytest.mark.slow
@pytest.mark.parametrize("slots", [2, 6, "auto"])
def test_the_number_of_slots_changes_nothing(url, known_file, tmp_path, slots):
    expected = confirm(copied(known_file, tmp_path / "other"), Known())
    assert confirm(url, Known(), slots=slots) == expected


def test_values_depend_on_the_candidate_and_the_seed_alone(url, monkeypatch):
    """So a run of the sweep, trained again on the sweep's own seed, gives the sweep's value."""
    ranked = search.load("s", url).ranked()[:2]
    monkeypatch.setattr(confirmation, "fresh_seeds", lambda study, count: [best.seed for best in ranked])
    values = {
        candidate.number: candidate.values for candidate in confirm(url, Known(), top=99, seeds=2).candidates
    }
    for best in ranked:
        assert values[best.number][best.seed] == pytest.approx(best.value, rel=1e-6)


def test_progress_counts_what_is_trained(url):
    seen = []
    confirm(url, Known(), seeds=8, callback=search.Callback(seen.append))
    by_round = {}
    for progress in seen:
        assert 0 < progress.epochs <= progress.planned and progress.most == 8
        by_round.setdefault(progress.seeds, []).append(progress)
    assert list(by_round) == sequential_test.looks(8)[: len(by_round)]
    for counts in by_round.values():
        assert [p.epochs for p in counts] == sorted(p.epochs for p in counts)
        assert counts[-1].epochs == counts[-1].planned


# Verdicts


def test_restarts_that_help_are_said_to_help(url):
    verdict = confirm(url, Known(effect=-0.5), seeds=32)
    assert verdict.decision == "restarts help" and verdict.words.startswith("restarts help: error is 0.")
    assert "lower with restarts than with" in verdict.words
    assert verdict.best.arm == "restarts" and verdict.best.number == verdict.restarts
    assert verdict.difference["low"] < -0.5 < verdict.difference["high"] < 0
    assert verdict.more_seeds is None and verdict.difference["seeds"] < 32  # it stopped where it was clear


def test_restarts_that_hurt_are_said_not_to_help(final_file, tmp_path):
    url = copied(final_file, tmp_path)
    verdict = confirm(url, Known(effect=0.5), seeds=32)
    assert verdict.decision == "restarts do not help" and "higher with restarts than with" in verdict.words
    assert verdict.best.arm != "restarts" and verdict.best.number == verdict.control
    assert 0 < verdict.difference["low"] < 0.5 < verdict.difference["high"]


def test_restarts_that_do_nothing_leave_it_undecided_and_say_how_many_more_seeds(url):
    verdict = confirm(url, Known(), seeds=16)
    assert verdict.decision == "undecided" and verdict.difference["low"] < 0 < verdict.difference["high"]
    assert verdict.more_seeds >= 1 and f"about {verdict.more_seeds:,} more seeds" in verdict.words
    assert max(len(candidate.values) for candidate in verdict.candidates) == 16


@pytest.mark.slow
def test_controls_have_as_many_looks_as_restarts(url):
    """By best epoch a spike after a restart harms nobody: the epochs before it count."""
    verdict = confirm(url, Known(effect=0.5), seeds=16)
    assert verdict.decision == "undecided"


@pytest.mark.slow
def test_without_any_luck_all_differences_are_equal_and_signs_decide(url):
    verdict = confirm(url, Known(effect=-0.25, spread=0.0), seeds=32)
    assert verdict.decision == "restarts help"
    assert [verdict.difference[name] for name in ("mean", "low", "high")] == pytest.approx([-0.25] * 3)


def test_of_a_maximized_metric_higher_is_better(tmp_path):
    workload = Known(effect=-0.5, metric="accuracy", direction="maximize")
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, workload)
    verdict = confirm(url, workload, seeds=32)
    assert verdict.decision == "restarts help" and "accuracy is 0." in verdict.words
    assert "higher with restarts" in verdict.words
    assert 0 < verdict.difference["low"] < 0.5 < verdict.difference["high"]
    means = [
        candidate.mean
        for candidate in verdict.candidates
        if len(candidate.values) == len(verdict.best.values)
    ]
    assert means == sorted(means, reverse=True)


def test_candidates_that_are_clearly_behind_get_fewer_seeds(url):
    """The best trial of each arm in the search is much worse on other seeds."""
    ranked = search.load("s", url).ranked()
    firsts = [next(best for best in ranked if best.arm == arm) for arm in ("restarts", "cosine")]
    bad = [best.schedule.base_lr for best in firsts]
    verdict = confirm(url, Known(bad=bad), seeds=16)
    counts = {candidate.number: len(candidate.values) for candidate in verdict.candidates}
    assert [counts[best.number] for best in firsts] == [sequential_test.looks(16)[0]] * 2
    assert max(counts.values()) == 16
    assert {candidate.number for candidate in verdict.candidates[-2:]} == {best.number for best in firsts}


def test_a_study_without_controls_is_undecided_and_says_why(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, Known(), trials=6, controls=0, space=search.Space(T_0=(1, 3)))
    verdict = confirm(url, Known())
    assert verdict.decision == "undecided" and verdict.control is None and verdict.difference is None
    assert verdict.words == (
        "undecided: no control was completed in the search, so restarts have nothing to be compared with; "
        "give the study more trials by --resume, or another one a share of --controls"
    )
    assert verdict.best.number == verdict.restarts and search.load("s", url).verdict == verdict


# Candidates that fail


def test_candidates_that_diverge_are_out_with_the_epoch_and_the_seed(url):
    limit = np.median([best.schedule.base_lr for best in search.load("s", url).ranked()])
    verdict = confirm(url, Known(breaks_above=limit), top=99)
    failed = {candidate.number: candidate for candidate in verdict.candidates if candidate.failed}
    assert {
        candidate.number for candidate in verdict.candidates if candidate.schedule.base_lr > limit
    } == set(failed)
    assert 0 < len(failed) < len(verdict.candidates)
    for candidate in failed.values():
        assert candidate.mean is None and candidate.values == {}
        assert candidate.failed.startswith("diverged at epoch 1 on seed ")
    assert {candidate.number for candidate in verdict.candidates[-len(failed) :]} == set(failed)
    study = search.load("s", url)
    assert {best.number for best in study.top(99)[-len(failed) :]} == set(failed)


@pytest.fixture(scope="module")
def half_diverged(known_file, tmp_path_factory):
    """The file of the study confirmed where all restarts diverge, and the verdict; only to be read."""
    folder = tmp_path_factory.mktemp("diverged")
    verdict = confirm(copied(known_file, folder), Known(breaks_above=0, broken=[1]))
    return folder / "s.db", verdict


def test_where_one_side_has_diverged_the_verdict_says_so(half_diverged):
    _, verdict = half_diverged
    assert verdict.decision == "undecided" and verdict.restarts is None and verdict.best.arm != "restarts"
    said = "undecided: no schedule with restarts could be trained again; trial "
    assert verdict.words.startswith(said) and "diverged at epoch" in verdict.words


def test_where_all_have_diverged_it_is_an_error_and_the_best_is_one_not_tried(url):
    with pytest.raises(RuntimeError, match=r"no candidate could be trained again: diverged at epoch 1 on"):
        confirm(url, Known(breaks_above=0))
    study = search.load("s", url)
    assert study.verdict.best is None
    tried = {candidate.number for candidate in study.verdict.candidates}
    assert study.best.number not in tried and study.best.confirmed is None
    assert {best.number for best in study.top(99)[-len(tried) :]} == tried


def test_what_has_diverged_is_not_trained_again(half_diverged, tmp_path, trained):
    file, first = half_diverged
    again = confirm(copied(file, tmp_path), Known(breaks_above=0, broken=[1]))
    assert again == first and trained == []


def test_models_of_a_run_that_diverged_are_not_kept_from_there_on(half_diverged):
    study = search.load("s", f"sqlite:///{half_diverged[0]}")
    for snapshot in Snapshots(study.snapshot_folder).all():
        assert all(np.isfinite(value) for value in snapshot.values.values())


# Other forms of workloads and spaces


def test_the_workloads_own_values_are_carried_over(tmp_path):
    workload = Known(spread=0.0, hparams={"weight": (0.0, 1.0), "offset": [0.25, 0.5]})
    url = f"sqlite:///{tmp_path}/s.db"
    study = sweep(url, workload)
    verdict = confirm(url, workload, seeds=2)
    params = {trial.number: trial.params for trial in study.frozen}
    for candidate in verdict.candidates:
        assert candidate.hparams == {name: params[candidate.number][name] for name in ("weight", "offset")}
        assert candidate.mean == pytest.approx(1 + sum(candidate.hparams.values()), rel=1e-5)
        assert candidate.mean == pytest.approx(candidate.searched, rel=1e-5)


def test_in_a_closed_space_every_trial_ends_at_its_own_last_trough(tmp_path):
    workload, url = Known(rise=-0.01, spread=0.0, budget=8), f"sqlite:///{tmp_path}/s.db"
    study = sweep(url, workload, objective="final", space=search.Space(closed=True, T_mult=(1, 2, 3)), seed=2)
    budgets = {best.number: best.budget for best in study.ranked()}
    assert len(set(budgets.values())) > 1
    for candidate in confirm(url, workload, top=9, seeds=2).candidates:
        assert candidate.mean == pytest.approx(1 - 0.02 * budgets[candidate.number])


MODULE = '''
import os
from sgdr import WarmRestarts, search

@search.workload(metric="error", direction="minimize", budget=4, hparams={"weight": (0.0, 1.0)})
def luck(run):
    """Restarts make it 0.5 lower."""
    if os.path.exists(os.environ.get("BROKEN", "nowhere")):
        raise RuntimeError("the disk is away\\nfor now")
    restarted = bool(run.schedule.restarts(until=run.budget)) and run.schedule.eta_min < run.schedule.base_lr
    for epoch in range(1, run.budget + 1):
        run.report(epoch, 1 + run.hparams["weight"] / 100 + (run.seed % 97) / 1000 - 0.5 * restarted)
'''


@pytest.fixture(scope="module")
def swept_function(tmp_path_factory):
    """A function as workload, and the file of a study of it, only to be read."""
    folder = tmp_path_factory.mktemp("function")
    name = f"luck_{os.getpid()}_{folder.name}"
    (folder / f"{name}.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        function = importlib.import_module(name).luck
        sweep(f"sqlite:///{folder}/s.db", function, trials=8, slots=2)
        yield function, folder / "s.db"
    del sys.modules[name]


def test_a_function_is_confirmed_in_processes_of_its_own(swept_function, tmp_path):
    function, file = swept_function
    url = copied(file, tmp_path)
    verdict = confirm(url, function, top=1, seeds=12, slots=2)
    assert verdict.decision == "restarts help"
    for candidate in verdict.candidates:
        own = 1 + candidate.hparams["weight"] / 100 - 0.5 * (candidate.arm == "restarts")
        assert candidate.values == pytest.approx({seed: own + seed % 97 / 1000 for seed in candidate.values})
        assert candidate.ensemble is None


def test_a_failed_training_is_told_in_a_line_and_tried_again_next_time(swept_function, tmp_path, monkeypatch):
    function, file = swept_function
    url = copied(file, tmp_path)
    broken = tmp_path / "broken"
    broken.touch()
    monkeypatch.setenv("BROKEN", str(broken))
    with pytest.raises(RuntimeError, match=r"no candidate could be trained again: RuntimeError: the disk is"):
        confirm(url, function, top=1, seeds=2, slots=2)
    assert all(candidate.failed.count("\n") == 0 for candidate in search.load("s", url).verdict.candidates)
    broken.unlink()
    assert all(
        candidate.failed is None for candidate in confirm(url, function, top=1, seeds=2, slots=2).candidates
    )


# Snapshots


@pytest.mark.parametrize(
    "objective",
    ["best-epoch", *(pytest.param(objective, marks=pytest.mark.slow) for objective in OBJECTIVES[1:])],
)
def test_models_at_the_last_troughs_and_of_the_value_are_kept_and_restore_to_it(tiny, tmp_path, objective):
    url, workload = f"sqlite:///{tmp_path}/s.db", tiny.workload
    study = sweep(url, workload, trials=8, objective=objective)
    verdict = confirm(url, workload, top=1, seeds=4, troughs=2)
    assert study.snapshot_folder.parent == tmp_path / "s.db.snapshots"
    stored = Snapshots(study.snapshot_folder)
    for candidate in verdict.candidates:
        first = fresh_seeds(study, 1)[0]
        snapshots = stored.of(candidate.number)
        assert {snapshot.seed for snapshot in snapshots} == {first}
        troughs = candidate.schedule.troughs(budget=6)[-2:]
        epochs = {snapshot.epoch for snapshot in snapshots}
        assert set(troughs) <= epochs and len(epochs - set(troughs)) <= 1
        assert candidate.values[first] in {snapshot.values["error"] for snapshot in snapshots}
        for snapshot in snapshots:
            scores = jax.jit(workload.evaluate)(load_snapshot(snapshot.path, workload))
            assert {name: float(value) for name, value in scores.items()} == pytest.approx(
                dict(snapshot.values), rel=1e-6
            )
        assert candidate.ensemble is None  # it has no predictions
    names = {path.name for path in study.snapshot_folder.iterdir()}
    assert len(names) == len(stored.all())  # nothing else is left there


@pytest.mark.parametrize("made", [Guessing, pytest.param(supervised, marks=pytest.mark.slow)])
def test_the_ensemble_of_the_last_troughs_is_told_without_training_again(tmp_path, trained, made):
    """It is told beside the best model."""
    url, workload = f"sqlite:///{tmp_path}/s.db", made()
    study = sweep(url, workload, trials=8)
    verdict = confirm(url, workload, top=1, seeds=4, troughs=3)
    first = fresh_seeds(study, 1)[0]
    for candidate in verdict.candidates:
        troughs = candidate.schedule.troughs(budget=6)[-3:]
        assert candidate.ensemble["troughs"] == len(troughs)
        assert candidate.ensemble["single"] == candidate.values[first]
        paths = [s.path for s in Snapshots(study.snapshot_folder).of(candidate.number) if s.epoch in troughs]
        predictions = jnp.mean(
            jnp.stack([workload.predict(load_snapshot(path, workload)) for path in paths]), 0
        )
        assert candidate.ensemble["ensemble"] == pytest.approx(float(workload.score(predictions)["error"]))
    assert search.load("s", url).verdict == verdict
    trained.clear()
    assert confirm(url, workload, top=1, seeds=4, troughs=3) == verdict and trained == []


def test_no_models_are_kept_where_none_are_asked_for_and_they_can_be_had_later(url, trained):
    first = confirm(url, Known(), seeds=4, troughs=0)
    study = search.load("s", url)
    assert not study.snapshot_folder.exists()
    trained.clear()
    assert confirm(url, Known(), seeds=4, troughs=1) == first
    assert {seed for _, seed in trained} == {fresh_seeds(study, 1)[0]}
    assert study.snapshot_folder.exists()


def test_deleting_the_study_deletes_its_models_and_no_others(url):
    confirm(url, Known(), seeds=2)
    folder = search.load("s", url).snapshot_folder
    (folder / "notes.txt").write_text("mine")
    assert Snapshots(folder).all()
    search.delete("s", url)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_costs_the_models_alone(url):
    folder = search.load("s", url).snapshot_folder
    folder.parent.write_text("in the way")
    remarks = []
    verdict = confirm(url, Known(), seeds=2, callback=search.Callback(on_remark=remarks.append))
    assert verdict.best is not None
    assert any("snapshot of trial" in remark and "is not kept" in remark for remark in remarks)


# Bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seeds": 1}, "seeds=1 must be a whole number of at least 2"),
        ({"seeds": 2.0}, "seeds=2.0 must be a whole number"),
        ({"top": 0}, "top=0 must be a whole number of at least 1"),
        ({"top": True}, "top=True must be a whole number"),
        ({"troughs": -1}, "troughs=-1 must be a whole number of at least 0"),
        ({"slots": 0}, "slots=0 must be a whole number of at least 1"),
        ({"slots": "many"}, "slots='many' must be a whole number of at least 1 or 'auto'"),
    ],
)
def test_bad_arguments_are_refused_by_name_before_anything_is_written(url, arguments, said):
    before = search.load("s", url).attributes
    with pytest.raises(ValueError, match=said):
        confirm(url, Known(), **arguments)
    assert search.load("s", url).attributes == before


def test_an_unknown_study_or_storage_is_refused_with_those_that_there_are(url, tmp_path):
    with pytest.raises(ValueError, match=r"no study 'other' in .*; there is 's'"):
        search.confirm("other", storage=url, workload=Known())
    with pytest.raises(ValueError, match="does not exist"):
        search.confirm("s", storage=f"sqlite:///{tmp_path}/none.db", workload=Known())
    assert not (tmp_path / "none.db").exists()


def test_a_study_without_a_completed_trial_is_refused_with_the_reason(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, Known(breaks_above=0), trials=4)
    with pytest.raises(ValueError, match="'s' has no completed trial yet; 4 diverged, the first at epoch 1"):
        confirm(url, Known())


def test_a_workload_that_is_not_registered_is_asked_for(url):
    with pytest.raises(ValueError, match=r"workload 'known', which is not registered; give it as --workload"):
        confirm(url, None)
    with pytest.raises(ValueError, match="unknown workload 'nowhere'"):
        confirm(url, "nowhere")


def test_a_registered_workload_is_found_by_the_name_that_the_study_has(url, monkeypatch):
    monkeypatch.setattr(confirmation, "find", {"known": Known(effect=-0.5)}.__getitem__)
    assert confirm(url, None, seeds=16).decision == "restarts help"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metric": "loss"}, "metric 'loss', study 's' was made with 'error'"),
        ({"direction": "maximize"}, "direction 'maximize', study 's' was made with 'minimize'"),
        ({"steps_per_epoch": 3}, "steps_per_epoch 3, study 's' was made with 2"),
        ({"select_metric": "error"}, "select_metric 'error', study 's' was made with None"),
        ({"name": "other"}, "workload='other' has name 'other', study 's' was made with 'known'"),
    ],
)
def test_another_workload_than_the_studys_is_refused_with_the_difference(url, changed, said):
    workload = Known()
    for name, value in changed.items():
        setattr(workload, name, value)
    with pytest.raises(ValueError, match=said):
        confirm(url, workload)


def test_a_study_that_is_at_work_is_refused(url):
    storage = open_storage(url, create=True)
    lease = Lease(storage, storage.get_study_id_from_name("s"))
    with pytest.raises(ValueError, match=f"'s' is being swept by process {os.getpid()}"):
        confirm(url, Known())
    lease.end()
    assert confirm(url, Known(), seeds=2).best is not None


def test_while_it_is_confirmed_a_study_is_neither_swept_nor_deleted(url):
    refused = []

    def meanwhile(progress):
        for attempt in (lambda: search.delete("s", url), lambda: sweep(url, Known(), resume=True)):
            try:
                attempt()
            except ValueError as error:
                refused.append(str(error))

    confirm(url, Known(), seeds=2, callback=search.Callback(meanwhile))
    assert refused and all("is being swept" in said for said in refused)
    assert len(search.load("s", url).frozen) == 12 and threading.active_count() < 20


def test_a_control_has_as_many_looks_as_restarts():
    """With best-trough, restarts choose among troughs; a control has one alone: its best epoch is read."""
    candidate = Candidate(None, "restarts")
    controls = [Candidate(None, arm) for arm in ("cosine", "constant")]
    for objective in OBJECTIVES:
        assert candidate.objective(objective) == objective
        read = {control.objective(objective) for control in controls}
        assert read == {"best-epoch" if objective == "best-trough" else objective}


@pytest.mark.slow
def test_a_control_of_a_best_trough_study_is_worth_its_best_epoch(tmp_path):
    """It is best after its first epoch, which is no trough of a control."""
    url, rises = f"sqlite:///{tmp_path}/s.db", Known(rise=0.5, spread=0.0)
    sweep(url, rises, trials=8, objective="best-trough")
    verdict = confirm(url, rises, top=1, seeds=2)
    means = {candidate.arm: candidate.mean for candidate in verdict.candidates}
    assert means["cosine"] == means["constant"] == 2.0  # after the 2 steps of the first epoch, not at the end


def test_a_confirmation_on_fewer_seeds_is_told_and_loses_nothing(url):
    verdict = confirm(url, Known(), seeds=8)
    before = search.load("s", url).attributes[CONFIRMATION]
    remarks = []
    fewer = confirm(url, Known(), seeds=4, top=1, callback=search.Callback(on_remark=remarks.append))
    study = search.load("s", url)
    assert fewer.seeds == 4 and study.verdict == verdict and study.attributes[CONFIRMATION] == before
    assert remarks == ["the study keeps its verdict on up to 8 seeds"]


@pytest.mark.parametrize(("epochs", "remarked"), [((3, 4, 5), True), ((3, 9, 9), False)])
def test_a_schedule_that_is_best_before_its_first_restart_is_remarked_on(epochs, remarked):
    best = search.Best(7, 0.1, WarmRestarts(0.1, 5), 5, 20, {}, 0, {}, "restarts", None)
    read = Candidate(best, "restarts", dict.fromkeys(range(3), 0.1), dict(enumerate(epochs)))
    rounds = race.Rounds(SimpleNamespace(stored=stored()), [read], range(3), None, None, search.Callback())
    rounds._done = 3
    assert ("before its first restart, after 5" in rounds._without_restart(7)) is remarked
