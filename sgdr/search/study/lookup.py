"""Studies of a storage, by name: loading one or all, and deleting one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sgdr.search.artifacts import snapshots
from sgdr.search.storage.connect import close_storage, default_url, open_storage, shown
from sgdr.search.storage.schema import fault, is_readable, made_by_sweep
from sgdr.search.study.study import Study, study_id


def load(name: str, storage: str | None = None) -> Study:
    """The study called `name` in the storage at that URL (None: see `default_url`).

    Raises ValueError when there is no such storage or study, naming those that there are, or the study is
    none of a sweep that can be read.
    """
    url = default_url() if storage is None else storage
    opened = open_storage(url)
    try:
        number = study_id(opened, name, url)
        attributes = opened.get_study_user_attrs(number)
        if not made_by_sweep(attributes):
            raise ValueError(f"study {name!r} in {shown(url)} was not made by sgdr; read it with Optuna")
        if said := fault(attributes):
            raise ValueError(unreadable(name, url, said))
        return Study(name, url, opened, number)
    except Exception:
        close_storage(opened)  # who tries again and again would use up the connections of a server
        raise


def unreadable(name: str, url: str, said: str) -> str:
    """What is said of a study that has that fault."""
    return f"study {name!r} in {shown(url)} cannot be read: {said}; read it with Optuna"


def studies(
    storage: str | None = None, on_remark: Callable[[str], None] = lambda remark: None
) -> list[Study]:
    """All studies of a storage that were made by sweeps, by name.

    `on_remark` is called with a sentence for each that cannot be read, and is left out.
    """
    url = default_url() if storage is None else storage
    opened = open_storage(url)
    readable = []
    for summary in sorted(opened.get_all_studies(), key=lambda study: study.study_name):
        if is_readable(summary.user_attrs):
            with suppress(ValueError):  # deleted since they were listed
                readable.append(Study(summary.study_name, url, opened, summary._study_id))
        elif made_by_sweep(summary.user_attrs):
            on_remark(unreadable(summary.study_name, url, str(fault(summary.user_attrs))))
    return readable


def delete(name: str, storage: str | None = None) -> None:
    """Deletes a study with all its trials. Raises ValueError when there is none, or a worker is at it."""
    import time

    from sgdr.search.storage.leases import living

    url = default_url() if storage is None else storage
    opened = open_storage(url, create=True)
    number = study_id(opened, name, url)
    if living(opened.get_study_user_attrs(number), time.time()):
        raise ValueError(f"study {name!r} is being swept right now; stop that first")
    opened.delete_study(number)
    snapshots.Snapshots(snapshots.folder(url, name)).delete()
