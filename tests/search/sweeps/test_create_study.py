"""Which studies can be begun, and with which one can go on."""

import dataclasses

import optuna
import pytest
from optuna.study import StudyDirection

from sgdr.search.problem.declaration import Declaration
from sgdr.search.storage.connect import open_storage
from sgdr.search.storage.leases import Lease
from sgdr.search.study.lookup import load
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.create_study import check_existing, create_study, open_existing, study_name
from sgdr.search.sweeps.settings import resolve


@pytest.fixture
def settings(tiny):
    return resolve(
        Declaration.of(tiny.workload), SweepConfig(trials=4, pruner="none", sampler="random", seed=7)
    )


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/s.db"


@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "/", None, 3, b"a", ["a"], ".", "..", "a\nb", "a\0", "\ud800"]
)
def test_names_that_no_study_can_have_are_refused(name):
    with pytest.raises(ValueError) as refused:
        study_name(name)
    assert str(refused.value).startswith(f"study={name!r} must be")


@pytest.mark.parametrize("name", ["a", "-x", "...", "größe 言葉", "a b", "'a' \"b\" <c>"])
def test_other_names_are_kept_as_they_are(name):
    assert study_name(name) == name


def test_where_there_is_nothing_nothing_is_made(tmp_path, url, settings):
    assert open_existing(url, "s", settings, resume=False) is None
    assert list(tmp_path.iterdir()) == []
    storage = open_storage(url, create=True)
    assert not check_existing(storage, "s", settings, "the storage")
    assert open_existing(url, "s", settings, resume=True).get_all_studies() == []


def test_a_study_that_is_made_is_gone_on_with_on_resume_alone(url, settings):
    storage = open_storage(url, create=True)
    assert create_study(storage, "s", settings, resume=False) == 7
    attributes = load("s", url).attributes
    assert attributes == settings.attributes()
    with pytest.raises(ValueError, match=r"exists in sqlite.*--resume"):
        open_existing(url, "s", settings, resume=False)
    with pytest.raises(ValueError, match="has just been begun by another process"):
        create_study(storage, "s", settings, resume=False)
    other_seed = dataclasses.replace(settings, seed=8)
    assert open_existing(url, "s", other_seed, resume=True) is not None
    assert create_study(storage, "s", other_seed, resume=True) == 7
    assert load("s", url).attributes == attributes


def test_the_margin_is_kept_until_another_is_given(url, settings):
    storage = open_storage(url, create=True)
    for given, kept in ((0.0, 0.0), (None, 0.0), (0.5, 0.5), (None, 0.5)):
        create_study(storage, "s", dataclasses.replace(settings, margin=given), resume=True)
        assert load("s", url).stored.margin == kept


def test_other_settings_a_worker_and_others_studies_are_refused(url, settings):
    storage = open_storage(url, create=True)
    create_study(storage, "s", settings, resume=False)
    changed = dataclasses.replace(settings, objective="final")
    with pytest.raises(ValueError, match="exists, with objective 'best-epoch', not 'final'"):
        check_existing(storage, "s", changed, "the storage")
    lease = Lease(storage, storage.get_study_id_from_name("s"))
    with pytest.raises(ValueError, match="is being swept by process"):
        open_existing(url, "s", settings, resume=True)
    lease.end()
    optuna.create_study(storage=storage, study_name="theirs").add_trial(optuna.create_trial(value=1.0))
    optuna.create_study(storage=storage, study_name="up", direction="maximize")
    for name in ("theirs", "up"):
        with pytest.raises(ValueError, match=f"'{name}' in the storage was not made by sgdr"):
            check_existing(storage, name, settings, "the storage")


def test_what_a_study_did_not_know_of_its_steps_it_can_be_told_once(url, settings):
    def stepping(steps_per_epoch, interval):
        declared = dataclasses.replace(settings.workload, steps_per_epoch=steps_per_epoch, interval=interval)
        return dataclasses.replace(settings, workload=declared)

    storage = open_storage(url, create=True)
    create_study(storage, "s", stepping(None, None), resume=False)
    told = stepping(40, "epoch")
    assert check_existing(storage, "s", told, "the storage")
    assert create_study(storage, "s", told, resume=True) == 7
    assert load("s", url).attributes == told.attributes()
    for other, said in (
        (stepping(50, "epoch"), "with steps_per_epoch 40, not 50"),
        (stepping(None, "epoch"), "with steps_per_epoch 40, not None"),
        (stepping(40, "step"), "with interval 'epoch', not 'step'"),
    ):
        with pytest.raises(ValueError, match=said):
            check_existing(storage, "s", other, "the storage")


def test_a_study_whose_making_was_cut_off_is_finished(url, settings):
    storage = open_storage(url, create=True)
    number = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    storage.set_study_user_attr(number, "versions", {})
    assert check_existing(storage, "s", settings, "the storage")
    assert create_study(storage, "s", settings, resume=True) == 7
    assert load("s", url).attributes == settings.attributes()
