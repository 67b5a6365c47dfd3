"""Beginning a study, or going on with one that is there: what is allowed, and what is written first."""

from __future__ import annotations

import unicodedata

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sgdr.errors import ArgumentError
from sgdr.search.storage.connect import open_storage, shown, sqlite_file
from sgdr.search.storage.leases import refuse_if_swept
from sgdr.search.storage.schema import MARGIN, SAID_LATER, StudyAttributes, fault, made_by_sweep
from sgdr.search.sweeps.settings import Settings, differences, with_kept
from sgdr.search.sweeps.starts import enqueue

LONGEST_NAME = 200
"""Characters: a name is part of file names and of URLs."""
MAY_CHANGE = ("pruner", "sampler", "controls")
"""What a sweep that goes on with a study may have other than those before."""
BEGUN_STATES = tuple(state for state in TrialState if state != TrialState.WAITING)


def study_name(name: str) -> str:
    """The name as it is. Raises ValueError where no study can have it."""
    if not isinstance(name, str) or not name.strip() or "/" in name:
        raise ArgumentError("study", name, "must be a text that is not empty and has no '/'")
    if name in (".", "..") or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise ArgumentError(
            "study",
            name,
            "must be a name without line breaks and other control characters, and neither . nor .., which "
            "clients take out of a URL",
        )
    if len(name) > LONGEST_NAME:
        reason = f"must have at most {LONGEST_NAME} characters, not {len(name):,}"
        message = f"study={name[:LONGEST_NAME]!r}… {reason}"
        raise ArgumentError("study", name, reason, message=message)
    return name


def open_existing(url: str, name: str, settings: Settings, resume: bool) -> BaseStorage | None:
    """The storage, where there is one already; it is known then that the study can be begun or resumed.

    Raises ValueError where it can't, or the storage can't be opened.
    """
    path = sqlite_file(url)
    if path is not None and not path.exists():
        return None
    storage = open_storage(url, create=True)
    if not check_existing(storage, name, settings, shown(url)):
        return storage
    if not resume:
        raise ValueError(
            f"study {name!r} exists in {shown(url)}: go on with it by --resume, or choose another name"
        )
    refuse_if_swept(name, storage.get_study_user_attrs(storage.get_study_id_from_name(name)))
    return storage


def check_existing(storage: BaseStorage, name: str, settings: Settings, where: str) -> bool:
    """Whether there is a study of that name. Raises ValueError where these settings can't go on with it.

    `where` is what errors call the storage.
    """
    try:
        number = storage.get_study_id_from_name(name)
    except KeyError:
        return False
    study_attrs = storage.get_study_user_attrs(number)
    if not made_by_sweep(study_attrs):
        direction = [StudyDirection[settings.workload.direction.upper()]]
        begun = storage.get_n_trials(number, BEGUN_STATES)
        if storage.get_study_directions(number) != direction or begun:
            raise ValueError(f"study {name!r} in {where} was not made by sgdr; choose another name")
        return True  # its making was cut off, or somebody has enqueued the first trials of a sweep to come
    if said := fault(study_attrs):
        raise ValueError(f"study {name!r} in {where} cannot be gone on with: {said}; choose another name")
    if changes := differences(study_attrs, with_kept(settings, study_attrs).attributes()):
        raise ValueError(
            f"study {name!r} exists, with {'; '.join(changes)}: choose another name, or give the same"
        )
    return True


def going_on(storage: BaseStorage, name: str, settings: Settings) -> tuple[Settings, list[str]]:
    """The settings of a sweep that goes on with the study, if there is one, and sentences of what changes."""
    try:
        study_attrs = storage.get_study_user_attrs(storage.get_study_id_from_name(name))
    except KeyError:
        return settings, []
    if not made_by_sweep(study_attrs):
        return settings, []
    asked = settings.attributes()
    changes = [
        f"the study was begun with {key} {study_attrs[key]}; its trials from here on have {asked[key]}"
        for key in MAY_CHANGE
        if key in study_attrs and study_attrs[key] != asked[key]
    ]
    return with_kept(settings, study_attrs), changes


def create_study(storage: BaseStorage, name: str, settings: Settings, resume: bool) -> int:
    """Makes the study, or on `resume` finishes making it, and returns its seed.

    Raises ValueError where there is one and it is not to be resumed.
    """
    direction = StudyDirection[settings.workload.direction.upper()]
    try:
        number = storage.create_new_study([direction], name)
    except optuna.exceptions.DuplicatedStudyError:
        if not resume:  # it was not there a moment ago
            raise ValueError(f"study {name!r} has just been begun by another process") from None
        number = storage.get_study_id_from_name(name)
    study_attrs = storage.get_study_user_attrs(number)
    if made_by_sweep(study_attrs):
        said = settings.attributes()
        for key in SAID_LATER:
            if study_attrs.get(key) is None and said[key] is not None:
                storage.set_study_user_attr(number, key, said[key])
        if MARGIN in said:
            storage.set_study_user_attr(number, MARGIN, said[MARGIN])
        if (starts := said.get("start")) and starts != study_attrs.get("start"):
            storage.set_study_user_attr(number, "start", starts)
        seed = StudyAttributes.from_attrs(study_attrs).seed
    else:
        # The workload comes last: a study that has it has all, wherever its making was cut off.
        for key, attribute in reversed(settings.attributes().items()):
            storage.set_study_user_attr(number, key, attribute)
        seed = settings.seed
    enqueue(storage, number, settings.starts, settings.space, settings.budget, settings.arms)
    return seed
