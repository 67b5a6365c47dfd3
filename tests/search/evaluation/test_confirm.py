"""Confirmations from end to end: which seeds and candidates, what is kept, and what is refused."""

import os
import threading

import numpy as np
import pytest

from sgdr import search
from sgdr.search.evaluation import confirm as confirmation
from sgdr.search.evaluation import sequential_test, study_slots
from sgdr.search.evaluation.finalists import finalists, fresh_seeds
from sgdr.search.storage.connect import open_storage
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.schema import CONFIRMATION
from tests.search.evaluation.known import Known, confirm, copied, sweep


@pytest.fixture(scope="module")
def confirmed(known_file, tmp_path_factory):
    """The file of the study once it is confirmed, and the verdict; only to be read."""
    folder = tmp_path_factory.mktemp("confirmed")
    verdict = confirm(copied(known_file, folder), Known())
    return folder / "s.db", verdict


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
    assert [candidate.arm for candidate in finalists(study, 9)] == ["cosine", "linear", "wsd", "constant"]


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
@pytest.mark.parametrize("slots", [2, "auto"])
def test_the_number_of_slots_changes_nothing(url, confirmed, slots):
    """`confirmed` had 4 slots, two on each device."""
    assert confirm(url, Known(), slots=slots) == confirmed[1]


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


def test_a_confirmation_on_fewer_seeds_is_told_and_loses_nothing(url):
    verdict = confirm(url, Known(), seeds=8)
    before = search.load("s", url).attributes[CONFIRMATION]
    remarks = []
    fewer = confirm(url, Known(), seeds=4, top=1, callback=search.Callback(on_remark=remarks.append))
    study = search.load("s", url)
    assert fewer.seeds == 4 and study.verdict == verdict and study.attributes[CONFIRMATION] == before
    assert remarks[0].startswith(
        "5 candidates are trained on up to 4 seeds: 20 full trainings at least, 20 at"
    )
    assert remarks[1:] == ["the study keeps its verdict on up to 8 seeds"]


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
    monkeypatch.setattr(study_slots, "find", {"known": Known(effect=-0.5)}.__getitem__)
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
