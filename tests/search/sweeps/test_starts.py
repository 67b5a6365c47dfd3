"""A sweep that begins with what the user has today: inside of the space, outside of it, and of no arm."""

from typing import ClassVar

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from sgdr import ArgumentError, WarmRestarts, search
from sgdr.decays import Linear, Power
from sgdr.search.evaluation.finalists import finalists
from sgdr.search.problem.space import Space
from sgdr.search.storage.claims import claims
from sgdr.search.storage.connect import open_storage
from sgdr.search.sweeps.create_study import check_existing, create_study
from sgdr.search.sweeps.settings import with_kept
from sgdr.search.sweeps.starts import widening
from tests.search_loop import Falling, searched, settings_of
from tests.tiny import Tiny

BUDGET = 6
INSIDE = "restarts base_lr=0.1 T_0=2 T_mult=2 eta_min=0.001"
OUTSIDE = "cosine base_lr=3 eta_min=1.5"
NO_ARM = "restarts base_lr=0.1 T_0=2.5"
NOT_SEARCHED = "power base_lr=0.1 power=3"
LAGGING = "constant base_lr=1e-3"


class Decaying(Tiny):
    """Takes a weight decay and a depth."""

    hparams: ClassVar = {"decay": (0.0, 0.1), "depth": (1, 3)}


def settings_with(*starts, workload=None, **options):
    space = Space(start=starts, **options.pop("space", {}))
    return settings_of(workload or Tiny(), space=space, **options)


def trials_of(storage, name="s"):
    return optuna.load_study(study_name=name, storage=storage).trials


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path):
    if request.param == "memory":
        return InMemoryStorage()
    return open_storage(f"sqlite:///{tmp_path}/s.db", create=True)


def test_starts_are_trained_first_exactly_and_once(storage):
    starts = [INSIDE, OUTSIDE, NO_ARM, NOT_SEARCHED]
    settings = settings_with(*starts, trials=6)
    reached, slots = searched(storage, settings)
    trials = trials_of(storage)
    assert reached and len(trials) == 6
    assert slots.filled[:4] == [start.schedule for start in settings.starts]
    for trial, start in zip(trials, settings.starts, strict=False):
        assert trial.user_attrs["schedule"] == start.schedule.to_dict()
        assert trial.user_attrs["start"] is True and trial.state == TrialState.COMPLETE
    assert [trial.user_attrs["arm"] for trial in trials[:4]] == ["restarts", "cosine", "restarts", "power"]
    assert trials[0].params == {"base_lr": 0.1, "T_0": 2, "T_mult": 2, "eta_ratio": 0.01}
    assert trials[1].params == {"base_lr": 3.0, "eta_ratio": 0.5}
    assert trials[2].params == trials[3].params == {}
    assert all("start" not in trial.user_attrs for trial in trials[4:])
    # Whoever goes on, with or without the starts, trains none of them again, and may add another.
    assert searched(storage, settings_of(Tiny(), trials=7))[0]
    assert searched(storage, settings_with(*starts, "linear base_lr=0.2", trials=8))[0]
    assert [trial.number for trial in trials_of(storage) if "start" in trial.user_attrs] == [0, 1, 2, 3, 7]
    assert searched(storage, settings_of(Tiny(), trials=9))[0]


def test_the_space_is_widened_to_hold_them_and_that_is_said():
    asked = {"base_lr": (0.01, 0.1), "T_0": (2, 4), "T_mult": (1,), "hparams": {"depth": [1, 2]}}
    start = "restarts base_lr=0.5 T_0=5 T_mult=3 eta_min=0.25 decay=0.5 depth=7"
    settings = settings_with(start, workload=Decaying(), space=asked)
    space = settings.space
    assert (space.base_lr, space.T_0, space.T_mult, space.eta_ratio) == (
        (0.01, 0.5),
        (2, 5),
        (1, 3),
        (0.0, 0.5),
    )
    assert space.hparams["decay"].high == 0.5 and space.hparams["depth"].choices == (1, 2, 7)
    words = widening(settings.asked, space)
    assert words == (
        "the space is widened to hold what it is to start from: base_lr to 0.01:0.5, T_0 to 2:5, "
        "T_mult to 1:3, eta_ratio to 0:0.5, decay to 0:0.5, depth to 1,2,7"
    )
    inside = settings_with(INSIDE)
    assert inside.space == inside.asked and widening(inside.asked, inside.space) == ""


def test_a_closed_space_finds_a_start_by_its_cycles():
    closed = settings_with("restarts base_lr=0.1 T_0=2 T_mult=2", space={"closed": True}, trials=3)
    storage = InMemoryStorage()
    searched(storage, closed)
    assert trials_of(storage)[0].params == {"base_lr": 0.1, "cycles": 2, "T_mult": 2, "eta_ratio": 0.0}
    open_ended = settings_with("restarts base_lr=0.1 T_0=4", space={"closed": True}, trials=2)
    searched(storage, open_ended, "t")
    first = trials_of(storage, "t")[0]
    assert (
        first.params == {}
        and first.user_attrs["epochs"] == BUDGET
        and first.user_attrs["schedule"]["T_0"] == 4
    )


def test_a_warm_up_is_searched_where_a_start_has_one(storage):
    start = "restarts base_lr=0.1 T_0=2 warmup=2"
    settings = settings_with(start, "power base_lr=0.1 warmup=1", trials=4, sampler="staged")
    assert settings.space.warmups == (0, 2) and settings.asked.warmups == (0, 0)
    searched(storage, settings)
    trials = trials_of(storage)
    assert trials[0].params == {"base_lr": 0.1, "T_0": 2, "T_mult": 1, "eta_ratio": 0.0, "warmup": 2}
    assert [trial.user_attrs["schedule"] for trial in trials[:2]] == [
        start.schedule.to_dict() for start in settings.starts
    ]
    assert trials[1].params == {} and trials[1].user_attrs["arm"] == "power"
    # Without one, where the search has one always, it is trained as it is.
    own = settings_with("cosine base_lr=0.1", trials=2, space={"warmup": 2})
    searched(storage, own, "t")
    assert own.space == own.asked and trials_of(storage, "t")[0].user_attrs["schedule"]["T_0"] == 6


def test_a_start_is_never_ended_early(storage):
    more = {"pruner": "median", "sampler": "tpe", "slots": 1, "trials": 16}
    searched(storage, settings_with("constant base_lr=0.1", LAGGING, budget=24, shapes=["constant"], **more))
    trials = trials_of(storage)
    assert {trial.state for trial in trials[2:]} >= {TrialState.PRUNED}
    assert [trial.state for trial in trials[:2]] == [TrialState.COMPLETE] * 2
    assert trials[1].user_attrs["epochs"] == 24


def test_what_is_enqueued_before_the_sweep_is_a_start_and_later_is_none(storage):
    study = optuna.create_study(study_name="s", storage=storage)
    study.enqueue_trial({"base_lr": 0.25, "T_0": 3})
    searched(storage, settings_of(Tiny(), trials=3))
    study.enqueue_trial({"base_lr": 0.25, "T_0": 3})
    searched(storage, settings_of(Tiny(), trials=4))
    assert [trial.user_attrs.get("start") for trial in trials_of(storage)] == [True, None, None, None]


def test_a_start_that_was_cut_off_is_trained_again_as_one(storage):
    create_study(storage, "s", settings := settings_with(NO_ARM, INSIDE, trials=4), resume=False)
    number = storage.get_study_id_from_name("s")
    waiting = [trial._trial_id for trial in trials_of(storage)]
    assert len(claims(storage, number).take("dead", waiting)) == 2
    assert searched(storage, settings)[0]
    trials = trials_of(storage)
    again = [trial for trial in trials if trial.user_attrs.get("retry_of") in (0, 1)]
    assert [trial.user_attrs["schedule"] for trial in again] == [
        s.schedule.to_dict() for s in settings.starts
    ]
    assert all(trial.user_attrs["start"] for trial in again) and len(trials) == 6


@pytest.mark.parametrize("warmup", [0, (0, 2)])
def test_the_staged_search_sees_starts_and_trains_them_again_where_they_lead(storage, monkeypatch, warmup):
    fill = Falling.fill

    def fill_better(self, slot, schedule, budget, seed, hparams):
        fill(self, slot, schedule, budget, seed, hparams)
        luck = 0.3 * (seed % 1000) / 1000  # where there is none, a leader need not be trained again
        self._peaks[slot] = luck + (0.5 if isinstance(schedule, Power) else 1.0)

    monkeypatch.setattr(Falling, "fill", fill_better)
    more = {"sampler": "staged", "shapes": ["restarts", "cosine"], "trials": 24, "space": {"warmup": warmup}}
    searched(storage, settings_with(NO_ARM, NOT_SEARCHED, **more))
    trials = trials_of(storage)
    again = [trial for trial in trials[2:] if trial.user_attrs["arm"] == "power"]
    assert again and all("start" not in trial.user_attrs and trial.params == {} for trial in again)
    assert {str(trial.user_attrs["schedule"]) for trial in again} == {str(trials[1].user_attrs["schedule"])}


def test_the_space_of_a_study_stays_what_it_was(storage):
    first = settings_with(OUTSIDE, trials=2)
    searched(storage, first)
    attributes = storage.get_study_user_attrs(storage.get_study_id_from_name("s"))
    for asked in (
        settings_of(Tiny()),
        first,
        settings_of(Tiny(), space=Space(base_lr=(1e-3, 3.0), eta_ratio=(0, 0.5))),
    ):
        assert check_existing(storage, "s", asked, "here")
        assert with_kept(asked, attributes).space.to_dict() == first.space.to_dict()
    with pytest.raises(ValueError, match="exists, with space base_lr"):
        check_existing(storage, "s", settings_of(Tiny(), space=Space(base_lr=(1e-3, 2.0))), "here")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 1}, "trials=1 is less than the 2 starts take"),
        ({"trials": None, "cost": 1.5}, "cost=1.5 is less than the 2 starts take"),
    ],
)
def test_a_sweep_goes_as_far_as_its_starts(options, words):
    with pytest.raises(ArgumentError, match=words):
        settings_with(INSIDE, OUTSIDE, **options)


@pytest.mark.parametrize("stepped", [{"depth": optuna.distributions.IntDistribution(1, 5, step=2)}])
def test_a_value_that_no_range_holds_is_refused(stepped):
    with pytest.raises(ArgumentError, match="depth=2 of start is between the steps"):
        settings_with("cosine base_lr=0.1 decay=0 depth=2", workload=Decaying(), space={"hparams": stepped})


def test_a_sweep_of_the_library_takes_them_and_its_answer_says_what_is_gained(tmp_path):
    remarks: list[str] = []
    url = f"sqlite:///{tmp_path}/s.db"
    result = search.sweep(
        Tiny(),
        trials=6,
        budget=4,
        slots=2,
        storage=url,
        study="s",
        start=[Linear(3.0, 4), WarmRestarts(0.2, 1.5)],
        shapes=["restarts", "linear"],
        callback=search.Callback(on_remark=remarks.append),
    )
    assert remarks == ["the space is widened to hold what it is to start from: base_lr to 0.001:3"]
    study = result.study
    gain = study.answer.gain_over_start
    assert gain is not None and gain.number in (0, 1) and gain.low <= gain.difference <= gain.high
    assert study.answer.to_dict()["gain_over_start"]["number"] == gain.number
    assert "you started from" in str(study.answer)
    assert [row["start"] for row in study.rows] == [True, True, False, False, False, False]
    assert {best.number for best in study.top(6) if best.start} == {0, 1}
    assert {0, 1} <= {candidate.best.number for candidate in finalists(study, 1)}
    verdict = search.confirm("s", storage=url, workload=Tiny(), top=1, seeds=4, slots=2)
    seeds = {confirmed.number: len(confirmed.values) for confirmed in verdict.candidates}
    assert seeds[0] == seeds[1] == max(seeds.values())


def test_bad_starts_leave_nothing_behind(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    with pytest.raises(ArgumentError, match="has T_0=9, which does not fit the budget of 6 epochs"):
        search.sweep(Tiny(), trials=2, storage=url, start=["restarts base_lr=0.1 T_0=9"])
    assert not (tmp_path / "s.db").exists()
