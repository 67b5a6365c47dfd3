"""Schedules beside the recommended one on the seeds of a confirmation: what is trained, kept and said."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sgdr import WarmRestarts, search
from sgdr.relatives import OneCycle
from sgdr.search.evaluation import compare_study as comparing
from sgdr.search.evaluation.finalists import fresh_seeds
from sgdr.search.evaluation.fixed_runs import retrain
from sgdr.search.evaluation.records import Record, recommended
from sgdr.search.evaluation.study_comparison import compared, kept_comparison
from sgdr.search.storage.connect import open_storage
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.schema import COMPARISON
from tests.search.evaluation.known import Known, confirm, copied, sweep

COSINE = "cosine base_lr=0.03"


def compare(url: str, schedules: Any, workload: Any = None, **how: Any) -> search.StudyComparison:
    """What comparing them in the study "s" gives."""
    arguments: dict[str, Any] = {"seeds": 4, "slots": 4, **how}
    return search.compare_study("s", schedules, storage=url, workload=workload or Known(), **arguments)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The jobs that are trained from now on."""
    noted: list[Any] = []

    def noting(slots: Any, jobs: Any, *how: Any, **named: Any) -> Any:
        noted.extend(jobs)
        return retrain(slots, jobs, *how, **named)

    monkeypatch.setattr(comparing, "retrain", noting)
    return noted


# What is trained, and kept


def test_all_are_trained_on_the_seeds_of_a_confirmation_and_the_recommended_one_comes_first(url, jobs):
    study = search.load("s", url)
    result = compare(url, [COSINE, "one-cycle base_lr=0.2 warmup=1", {"shape": "linear", "base_lr": 0.1}])
    assert [row.shape for row in result.schedules[1:]] == ["cosine", "one-cycle", "linear"]
    first, cosine, warmed, _ = result.schedules
    assert (first.number, first.schedule) == (study.answer.number, study.answer.schedule)
    assert cosine.schedule == WarmRestarts(0.03, 4) and cosine.number is None
    assert warmed.schedule.schedule == OneCycle(0.2, 3)
    seeds = fresh_seeds(study, 4)
    assert all(list(row.values) == seeds for row in result.schedules) and len(jobs) == 16
    kept = kept_comparison(search.load("s", url))
    assert kept == result and search.compare_study("s", storage=url) == result


def test_what_is_known_is_not_trained_again(url, jobs):
    few = compare(url, COSINE, seeds=2)
    jobs.clear()
    assert compare(url, [COSINE, WarmRestarts(0.03, 4), f"{COSINE}; {COSINE} eta_min=0"], seeds=2) == few
    assert not jobs
    seeds = fresh_seeds(search.load("s", url), 3)
    more = compare(url, [COSINE, "linear base_lr=0.1"], seeds=3)
    assert sorted((job.number, job.seed) for job in jobs) == sorted(
        [(0, seeds[2]), (1, seeds[2]), *((2, seed) for seed in seeds)]
    )
    assert few.schedules[1].values.items() <= more.schedules[1].values.items()
    jobs.clear()
    assert compare(url, COSINE, seeds=2) == few and not jobs  # on the seeds that are asked for alone
    assert len(kept_comparison(search.load("s", url)).schedules) == 3


def test_what_a_confirmation_has_trained_is_used(url, jobs):
    candidates = {one.number: one for one in confirm(url, Known(), top=1, seeds=4).candidates}
    study = search.load("s", url)
    other = next(number for number in candidates if number != study.answer.number)
    result = compare(url, [f"trial:{other}", COSINE])
    trained = {job.number for job in jobs}
    assert trained == ({2} if study.answer.number in candidates else {0, 2})
    row = result.schedules[1]
    assert row.number == other and row.values == candidates[other].values
    assert row.mean == candidates[other].mean
    assert len([job for job in jobs if job.number == 2]) == 4
    schedule = candidates[other].schedule
    jobs.clear()
    assert compare(url, schedule).schedules[1] == row and not jobs  # by what it does, not by its number


def test_a_trial_has_the_values_that_a_confirmation_would_give_it(url, known_file, tmp_path):
    candidate = confirm(url, Known(), top=1, seeds=2).candidates[0]
    unconfirmed = copied(known_file, tmp_path / "unconfirmed")
    row = compare(unconfirmed, f"trial:{candidate.number}", seeds=2).schedules[-1]
    assert row.number == candidate.number and row.values == candidate.values


def test_what_an_interruption_leaves_is_kept_and_it_goes_on_from_there(url, known_file, tmp_path, jobs):
    whole = compare(copied(known_file, tmp_path / "whole"), COSINE)

    def interrupt(progress: Any) -> None:
        if progress.epochs >= 16:  # four runs of four epochs
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(url, COSINE, callback=search.Callback(interrupt))
    study = search.load("s", url)
    left = [len(record["values"]) for record in study.attributes[COMPARISON]]
    assert left == [2, 2] and [len(row.values) for row in kept_comparison(study).schedules] == [2, 2]
    jobs.clear()
    assert compare(url, COSINE) == whole  # also: nobody holds the study
    assert not {job.seed for job in jobs} & set(fresh_seeds(study, 2))


def test_what_another_has_written_since_is_not_lost(url, monkeypatch, jobs):
    held = comparing.held

    @contextmanager
    def late(study: Any) -> Any:
        monkeypatch.setattr(comparing, "held", held)
        compare(url, [COSINE, "linear base_lr=0.1"], seeds=2)
        jobs.clear()
        with held(study) as open_study:
            yield open_study

    monkeypatch.setattr(comparing, "held", late)
    compare(url, [COSINE, "constant base_lr=0.1"], seeds=2)
    assert {job.number for job in jobs} == {2}
    shapes = [row.shape for row in kept_comparison(search.load("s", url)).schedules[1:]]
    assert shapes == ["cosine", "linear", "constant"]


def test_runs_that_diverge_are_kept_as_such_and_count_as_the_worst(url, jobs):
    result = compare(url, "cosine base_lr=50", Known(breaks_above=10), seeds=3)
    first, row = result.schedules
    assert not row.values and list(row.diverged.values()) == [1, 1, 1] and not first.diverged
    study = search.load("s", url)
    curve = study.curve(first.number)["error"]
    assert row.mean == pytest.approx(max(*curve, *first.values.values()))
    assert row.difference.mean == pytest.approx(row.mean - first.mean)
    jobs.clear()
    assert compare(url, "cosine base_lr=50", seeds=3) == result and not jobs
    assert kept_comparison(study) == result


@pytest.mark.slow
def test_a_trial_that_ends_before_the_budget_is_trained_as_long(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    study = sweep(url, Known(), trials=8, space=search.Space(T_mult=2, closed=True), shapes=["restarts"])
    short = next(best for best in study.ranked() if best.budget == 3)  # cycles of 1 and 2 epochs
    row = compare(url, f"trial:{short.number}", seeds=2).schedules[-1]
    assert (row.number, row.budget) == (short.number, 3) and row.words.endswith(", for 3 epochs")


@search.workload(metric="error", direction="minimize", budget=3, hparams={"weight": (0.0, 1.0)})
def function(run: Any) -> None:
    """Fails for one weight."""
    for epoch in range(1, run.budget + 1):
        if run.hparams["weight"] == 0.5:
            raise FileNotFoundError("no data")
        run.report(epoch, run.schedule(epoch - 1) + run.hparams["weight"] + run.seed % 7)


@pytest.mark.slow
def test_a_training_that_fails_is_told_and_the_others_are_kept(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, function, trials=4, slots=2)
    with pytest.raises(RuntimeError, match=r"could not be trained on seed \d+: .*no data"):
        compare(url, ["linear base_lr=1 weight=0.5", "linear base_lr=1 weight=0.25"], function, slots=2)
    rows = kept_comparison(search.load("s", url)).schedules
    assert [len(row.values) for row in rows] == [4, 4] and rows[1].hparams == {"weight": 0.25}


# What it says


def records(study: search.Study, *all_values: list[float]) -> list[Record]:
    """The recommended schedule and others, with those values on seeds 0, 1, …"""
    first = recommended(study)
    others = [Record(WarmRestarts(0.1 * place, 4), {}, 4) for place in range(1, len(all_values))]
    for record, values in zip([first, *others], all_values, strict=True):
        record.values = dict(enumerate(values))
    return [first, *others]


NOISE = [0.0, 0.3, -0.2, 0.1, -0.1, 0.05]


def test_differences_are_paired_and_one_sentence_says_which_are_clear(url):
    study = search.load("s", url)
    base = [1.0 + noise for noise in NOISE]
    near = [value + 0.01 * noise for value, noise in zip(base, NOISE[::-1], strict=True)]
    worse, better = [value + 0.2 + 0.01 * value for value in base], [value - 0.1 for value in base]
    result = compared(study, records(study, base, near, worse, better))
    first, _, third, fourth = result.schedules
    assert first.difference is None and first.mean == pytest.approx(np.mean(base))
    low, high = stats.t.interval(0.95, 5, np.mean(worse), stats.sem(worse))
    assert (third.low, third.high) == pytest.approx((low, high))
    gaps = np.array(worse) - base
    low, high = stats.t.interval(0.95, 5, gaps.mean(), stats.sem(gaps))
    apart = third.difference
    assert (apart.low, apart.high, apart.seeds, apart.clear) == (
        pytest.approx(low),
        pytest.approx(high),
        6,
        True,
    )
    assert fourth.difference.mean == pytest.approx(-0.1)
    assert str(result) == (
        "On the same seeds, at 95 %, schedule 2 cannot be told from schedule 1, the recommended one; "
        "schedule 4 is better; schedule 3 is worse."
    )
    assert "schedules 2 and 3 are worse" in str(compared(study, records(study, base, worse, worse)))
    assert "none is like schedule 1" in str(compared(study, records(study, base, worse)))


def test_the_same_gap_on_few_seeds_is_not_clear(url):
    study = search.load("s", url)
    result = compared(study, records(study, [1.0, 2.0], [1.5, 2.5]))
    apart = result.schedules[1].difference
    assert (apart.low, apart.high, apart.clear) == (0.5, 0.5, False)


def test_what_has_too_few_seeds_is_told(url):
    study = search.load("s", url)
    one, two = [1.0], [1.0, 2.0]
    assert "schedule 2 cannot be said for want of common seeds" in str(
        compared(study, records(study, two, one))
    )
    row = compared(study, records(study, two, one)).schedules[1]
    assert (row.mean, row.low, row.high, row.difference) == (1.0, None, None, None)
    assert "was not compared yet" in str(compared(study, records(study, [], two)))
    assert "nothing to compare with" in str(compared(study, records(study, two)))


def test_the_higher_may_be_the_better(url):
    storage = open_storage(url, create=True)
    storage.set_study_user_attr(storage.get_study_id_from_name("s"), "direction", "maximize")
    study = search.load("s", url)
    low, high = [1.0 + noise for noise in NOISE], [2.0 + 2 * noise for noise in NOISE]
    result = compared(study, records(study, low, high))
    assert "schedule 2 is better" in str(result) and result.schedules[1].difference.mean > 0
    broken = records(study, low, high)
    broken[1].values, broken[1].diverged = {}, dict.fromkeys(range(6), 1)
    assert compared(study, broken).schedules[1].mean <= min(low)


def test_it_is_plain_json_and_what_somebody_has_written_is_left_out(url):
    storage = open_storage(url, create=True)
    number = storage.get_study_id_from_name("s")
    good = records(search.load("s", url), [1.0, 2.0], [1.5, 2.0])[1].to_dict()
    damaged: list[Any] = [3, {}, good | {"values": {"x": 1}}, good | {"schedule": {"kind": "no"}}]
    damaged += [good | {"hparams": {"x": []}}, good | {"budget": 0}, good | {"values": {"1": float("nan")}}]
    storage.set_study_user_attr(number, COMPARISON, [*damaged, good])
    kept = kept_comparison(search.load("s", url))
    assert [len(row.values) for row in kept.schedules] == [0, 2]
    plain = kept.to_dict()["schedules"][1]
    assert plain["values"] == {"0": 1.5, "1": 2.0} and plain["schedule"] == good["schedule"]
    storage.set_study_user_attr(number, COMPARISON, "mine")
    assert kept_comparison(search.load("s", url)) is None


# Bad input


@pytest.mark.parametrize(
    ("schedules", "said"),
    [
        ("sawtooth base_lr=0.1", "schedules='sawtooth base_lr=0.1' must begin with a shape, one of restarts"),
        ("cosine base_lr=0.1 power=2", "schedules='cosine base_lr=0.1 power=2' has power, which is none of"),
        ("cosine", "schedules='cosine' lacks base_lr"),
        ("restarts base_lr=0.1 T_0=5", "has T_0=5, which does not fit the budget of 4 epochs"),
        ("linear base_lr=0.1 warmup=4", "has warmup=4, which must be whole epochs from 0 to 3"),
        ("trial:x", "schedules='trial:x' must name a trial by its number; give e.g. trial:12"),
        ("trial:99", "study 's' has no trial number=99; its trials are 0 to 11"),
        (3, "schedules=3 must be schedules"),
        ([lambda step: 0.1], "must be a text, a mapping, or a schedule of a shape"),
        ((), "study 's' keeps no comparison yet"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(url, schedules, said):
    before = search.load("s", url).attributes
    with pytest.raises(ValueError, match=said):
        compare(url, schedules)
    assert search.load("s", url).attributes == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seeds": 1}, "seeds=1 must be a whole number of at least 2"),
        ({"seeds": 10_001}, "seeds=10001 must be at most 10,000"),
        ({"slots": 0}, "slots=0 must be a whole number of at least 1"),
        ({"workload": "nowhere"}, "unknown workload 'nowhere'"),
        ({"workload": Known(metric="loss")}, "metric 'loss', study 's' was made with 'error'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(url, arguments, said):
    before = search.load("s", url).attributes
    with pytest.raises(ValueError, match=said):
        search.compare_study("s", COSINE, storage=url, **{"workload": Known(), **arguments})
    assert search.load("s", url).attributes == before


def test_a_trial_that_is_not_complete_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    study = sweep(url, Known(breaks_above=0.1), trials=8)
    state = study.trials().state
    number = next(number for number, one in state.items() if one == "PRUNED")
    with pytest.raises(
        ValueError, match=f"'trial:{number}' is no completed trial of study 's': its state is PR"
    ):
        compare(url, f"trial:{number}")


def test_a_study_without_a_completed_trial_is_refused_with_the_reason(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, Known(breaks_above=0), trials=4)
    with pytest.raises(ValueError, match="'s' has no completed trial yet; 4 diverged, the first at epoch 1"):
        compare(url, COSINE)


def test_a_study_that_is_at_work_is_refused(url):
    storage = open_storage(url, create=True)
    lease = Lease(storage, storage.get_study_id_from_name("s"))
    with pytest.raises(ValueError, match=f"'s' is being swept by process {os.getpid()}"):
        compare(url, COSINE)
    lease.end()


def test_values_that_arrays_do_not_hold_are_refused(tmp_path):
    workload = Known(hparams={"extra": (0.0, 1.0)})
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, workload, trials=4)
    for value, said in (("1e300", "does not fit into float32"), ("much", "must be a finite number")):
        with pytest.raises(ValueError, match=said):
            compare(url, f"linear base_lr=0.1 extra={value}", workload)
    result = compare(url, ["linear base_lr=0.1 extra=0.5", "linear base_lr=0.1 extra=3"], workload, seeds=2)
    gaps = result.schedules[2].mean - result.schedules[1].mean
    assert gaps == pytest.approx(2.5, abs=1e-3)
