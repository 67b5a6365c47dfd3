"""Trials that somebody has enqueued: the sweep that goes on trains them first, as trials of its own."""

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from sgdr import search
from sgdr.search.problem.space import Space
from sgdr.search.storage.claims import claims
from sgdr.search.storage.connect import open_storage
from sgdr.search.sweeps.coordinator import AloneCoordinator
from sgdr.search.sweeps.create_study import open_existing
from sgdr.search.sweeps.enqueued import placed
from sgdr.search.sweeps.extent import TrialExtent
from tests.search_loop import searched, settings_of

POINT = {"base_lr": 0.25, "T_0": 3, "T_mult": 2, "eta_ratio": 0.05}
BUDGET = 6


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path):
    """A storage that is written by Optuna's own calls, and one by statements."""
    if request.param == "memory":
        return InMemoryStorage()
    return open_storage(f"sqlite:///{tmp_path}/s.db", create=True)


def enqueue(storage, *points, **more):
    study = optuna.load_study(study_name="s", storage=storage)
    for point in points:
        study.enqueue_trial(point, **more)


def trials_of(storage):
    return optuna.load_study(study_name="s", storage=storage).trials


@pytest.mark.parametrize("slots", [1, 3])
def test_enqueued_trials_are_trained_first_and_count(storage, tiny, slots):
    assert searched(storage, settings_of(tiny.workload, trials=4, slots=slots))[0]
    other = {**POINT, "T_0": 1}
    enqueue(storage, POINT, other)
    reached, slots_used = searched(storage, settings_of(tiny.workload, trials=7, slots=slots))
    trials = trials_of(storage)
    assert reached and len(trials) == 7 and {trial.state.name for trial in trials} == {"COMPLETE"}
    assert [trials[number].params for number in (4, 5)] == [POINT, other]
    assert [schedule.T_0 for schedule in slots_used.filled[:2]] == [3, 1]
    for trial in trials:
        schedule, arm, seed = (trial.user_attrs[name] for name in ("schedule", "arm", "seed"))
        assert schedule["base_lr"] == trial.params["base_lr"] and isinstance(seed, int)
        assert arm in ("restarts", "cosine", "constant") and trial.user_attrs["epochs"] == BUDGET
        assert trial.value is not None and len(trial.user_attrs["curve"]["error"]) == BUDGET
    assert trials[4].user_attrs["arm"] == "restarts" and trials[4].user_attrs["schedule"]["eta_min"] == 0.0125
    assert len({trial.user_attrs["seed"] for trial in trials}) == 7


def test_trials_that_are_enqueued_before_there_is_a_sweep_are_its_first(storage, tiny):
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, POINT)
    assert searched(storage, settings_of(tiny.workload, trials=3))[0]
    trials = trials_of(storage)
    assert len(trials) == 3 and trials[0].params == POINT and trials[0].user_attrs["arm"] == "restarts"


def test_a_study_with_enqueued_trials_alone_may_be_begun(tmp_path, tiny):
    url = f"sqlite:///{tmp_path}/s.db"
    optuna.create_study(study_name="s", storage=url).enqueue_trial(POINT)
    settings = settings_of(tiny.workload)
    with pytest.raises(ValueError, match=r"study 's' exists in .*: go on with it by --resume"):
        open_existing(url, "s", settings, resume=False)
    assert open_existing(url, "s", settings, resume=True) is not None
    optuna.load_study(study_name="s", storage=url).add_trial(create_trial(value=1.0))
    with pytest.raises(ValueError, match="was not made by sgdr; choose another name"):
        open_existing(url, "s", settings, resume=True)


def test_the_sampler_chooses_what_is_not_given(storage, tiny):
    settings = settings_of(tiny.workload, trials=4)
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, {"T_0": 5}, {"base_lr": 0.5}, {})
    searched(storage, settings)
    given = [trial.params for trial in trials_of(storage)[:3]]
    assert given[0]["T_0"] == 5 and given[1]["base_lr"] == 0.5
    for params in given:
        space = settings.space.distributions(BUDGET)
        assert params.keys() == space.keys()
        assert all(space[name]._contains(space[name].to_internal_repr(params[name])) for name in space)


@pytest.mark.parametrize("storage", ["memory", pytest.param("sqlite", marks=pytest.mark.slow)], indirect=True)
@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({**POINT, "base_lr": 50.0}, r"base_lr=50.0 is outside of the space, which has 0.001 to 1.0"),
        ({"T_0": 7}, r"T_0=7 is outside of the space, which has 1 to 6"),
        ({"T_0": 2.5}, r"T_0=2.5 is outside"),
        ({"T_0": "three"}, r"T_0='three' is outside"),
        ({"base_lr": None}, r"base_lr=None is outside"),
        ({"base_lr": float("nan")}, r"base_lr=nan is outside"),
        ({"T_mult": 5}, r"T_mult=5 is outside of the space, which has 1, 2, 3"),
        ({"momentum": 0.9}, r"the parameters momentum are not those of an arm; give of base_lr, T_0, T_mult"),
    ],
)
def test_what_the_space_does_not_hold_is_refused_and_that_trial_alone(storage, tiny, point, said):
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, point, POINT)
    remarks: list[str] = []
    assert searched(storage, settings_of(tiny.workload, trials=3, slots=1), remarks=remarks)[0]
    first, second, *others = trials_of(storage)
    assert first.state == TrialState.FAIL and second.params == POINT
    assert [trial.state.name for trial in (second, *others)] == ["COMPLETE"] * 3
    assert [remark.startswith("trial 0 is refused: it was enqueued, and ") for remark in remarks] == [True]
    with pytest.raises(ValueError, match=said):
        raise ValueError(first.user_attrs["error"])
    # It is not tried again, by whoever goes on.
    assert searched(storage, settings_of(tiny.workload, trials=4))[0]
    assert len(trials_of(storage)) == 5


def test_a_study_of_refused_trials_alone_goes_on_to_new_ones(storage, tiny):
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, *[{"T_0": 99}] * 9)
    assert searched(storage, settings_of(tiny.workload, trials=2))[0]
    assert [trial.state.name for trial in trials_of(storage)] == ["FAIL"] * 9 + ["COMPLETE"] * 2


def test_what_is_enqueued_again_with_the_attributes_of_a_trial_is_a_trial_of_its_own(storage, tiny):
    searched(storage, settings_of(tiny.workload, trials=8))
    before = trials_of(storage)
    restarts = next(trial for trial in before if trial.user_attrs["arm"] == "restarts")
    cosine = next(trial for trial in before if trial.user_attrs["arm"] == "cosine")
    enqueue(storage, restarts.params, user_attrs=restarts.user_attrs)
    enqueue(storage, cosine.params, user_attrs={"arm": "cosine", "note": "again"})
    searched(storage, settings_of(tiny.workload, trials=10))
    first, second = trials_of(storage)[8:]
    assert first.params == restarts.params and first.user_attrs["seed"] != restarts.user_attrs["seed"]
    assert second.params == cosine.params and second.user_attrs["arm"] == "cosine"
    assert second.user_attrs["note"] == "again"
    assert first.state == second.state == TrialState.COMPLETE


@pytest.mark.parametrize("said", [None, 7])
def test_an_enqueued_trial_has_the_steps_that_it_came_with_until_it_says_others(storage, tiny, said):
    searched(storage, settings_of(tiny.workload, trials=1))
    enqueue(storage, POINT, user_attrs={"steps_per_epoch": 5})
    coordinator = AloneCoordinator(storage, "s")
    (plan,) = coordinator.claim(1, TrialExtent(2))
    trial = coordinator.log.begin(plan, {}, {}, {})
    coordinator.write()
    coordinator.log.end(trial, TrialState.FAIL, None, {} if said is None else {"steps_per_epoch": said})
    coordinator.log.close()
    assert trials_of(storage)[1].user_attrs["steps_per_epoch"] == (said or 5)


def test_more_than_are_wanted_stay_waiting(storage, tiny):
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, *[POINT] * 5)
    assert searched(storage, settings_of(tiny.workload, trials=3, slots=2))[0]
    assert [trial.state.name for trial in trials_of(storage)] == ["COMPLETE"] * 3 + ["WAITING"] * 2


def test_a_taken_trial_whose_worker_died_is_trained_by_the_next(storage, tiny):
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, POINT)
    number = storage.get_study_id_from_name("s")
    waiting = trials_of(storage)[0]._trial_id
    assert [claim.number for claim in claims(storage, number).take("dead", [waiting])] == [0]
    assert claims(storage, number).take("late", [waiting]) == []
    assert searched(storage, settings_of(tiny.workload, trials=2))[0]
    dead, again, _ = trials_of(storage)
    assert dead.state == TrialState.FAIL and again.params == POINT and again.user_attrs["retry_of"] == 0


def test_claims_take_what_waits_before_anything_new(storage):
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, POINT, POINT)
    mine = claims(storage, storage.get_study_id_from_name("s"))
    assert [(claim.number, claim.enqueued) for claim in mine.claim("w", 3, [], 9)] == [
        (0, True),
        (1, True),
        (2, False),
    ]
    assert mine.claim("w", 3, [], 3) == []


def test_new_trials_are_those_of_a_sweep_in_which_nothing_was_enqueued(storage, tiny):
    plain = InMemoryStorage()
    searched(plain, settings_of(tiny.workload, trials=8, sampler="tpe"))
    optuna.create_study(study_name="s", storage=storage)
    enqueue(storage, POINT)
    searched(storage, settings_of(tiny.workload, trials=9, sampler="tpe"))
    assert [trial.params for trial in trials_of(storage)[1:]] == [trial.params for trial in trials_of(plain)]


def test_the_first_arm_that_searches_what_is_given_is_taken(tiny):
    space = Space().resolved(tiny.workload, BUDGET)
    arms = {name: space.distributions(BUDGET, name) for name in ("restarts", "constant", "cyclic")}

    def arm(params, **attributes):
        fixed = {"fixed_params": params}
        return placed(create_trial(state=TrialState.WAITING, system_attrs=fixed, user_attrs=attributes), arms)

    assert arm({"base_lr": 1}) == ("restarts", {"base_lr": 1.0})
    assert arm({"half_cycle": 2}) == ("cyclic", {"half_cycle": 2})
    assert arm({"base_lr": 0.5}, arm="constant") == ("constant", {"base_lr": 0.5})
    with pytest.raises(ValueError, match=r"arm='cosine' is not searched; name one of restarts, constant"):
        arm({}, arm="cosine")
    with pytest.raises(ValueError, match=r"the parameters T_0 are not those of an arm; give of base_lr$"):
        arm({"T_0": 1}, arm="constant")
    with pytest.raises(ValueError, match="fixed_params=3 must be a mapping"):
        arm(3)


def test_what_waits_is_told_of(tmp_path, tiny):
    url = f"sqlite:///{tmp_path}/s.db"
    searched(open_storage(url, create=True), settings_of(tiny.workload, trials=2))
    optuna.load_study(study_name="s", storage=url).enqueue_trial(POINT, user_attrs={"schedule": "odd"})
    study = search.load("s", url)
    assert study.outcomes == {"complete": 2, "waiting": 1} and study.counts["WAITING"] == 1
    assert study.foreign == [] and study.rows[2]["state"] == "WAITING" and len(study.trials()) == 3
    coordinator = AloneCoordinator(open_storage(url), "s")
    assert coordinator.claim(1, TrialExtent(3))[0].enqueued is not None
    coordinator.log.close()
