"""Studies that an earlier version wrote, in `tests/data/studies`: they are read as they were, and go on.

`tiny.db` and `postgres.sql` are a search and its confirmation, without a pruner and with one; `shapes.db`
has the other shapes of schedule too. `expected.json` holds what that version said of them.
"""

import json
import shutil
from pathlib import Path

import psycopg
import pytest

from sgdr import search
from sgdr.search.study.verdict import DECISIONS

DATA = Path(__file__).parents[2] / "data" / "studies"
EXPECTED = json.loads((DATA / "expected.json").read_text())
NAMES = ("tiny", "shapes", "postgres")


@pytest.fixture
def url(name, tmp_path, request):
    """The URL of a copy of that study's storage."""
    if name != "postgres":
        shutil.copy(DATA / f"{name}.db", tmp_path)
        return f"sqlite:///{tmp_path}/{name}.db"
    server = request.getfixturevalue("postgres_database")
    with psycopg.connect(server.replace("postgresql+psycopg:", "postgresql:")) as connection:
        connection.execute((DATA / "postgres.sql").read_text())
    return server


def told(study):
    """All that a study says which is to stay, in plain JSON values."""
    best, table = study.best, study.trials()
    return {
        "best": {
            "number": best.number,
            "arm": best.arm,
            "value": best.value,
            "epoch": best.epoch,
            "budget": best.budget,
            "seed": best.seed,
            "schedule": best.schedule.to_dict(),
        },
        "counts": study.counts,
        "arms": study.arms,
        "attributes": {name: study.attributes[name] for name in ("workload", "space", "seed", "objective")},
        "verdict": study.verdict.to_dict(),
        "trials": {
            str(number): {
                "state": row["state"],
                "arm": row["arm"],
                "value": row["value"] if row["state"] == "COMPLETE" else None,
                "seed": row["seed"],
                "epochs": row["epochs"],
                "schedule": study.schedule(number).to_dict(),
                "curve": study.curve(number)["error"],
            }
            for number, row in table.iterrows()
        },
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_earlier_study_is_read_as_it_was(name, url):
    study = search.load(name, url)
    assert json.loads(json.dumps(told(study))) == EXPECTED[name]
    curves = study.curves()
    for number, trial in EXPECTED[name]["trials"].items():
        assert curves[curves["number"] == int(number)]["error"].tolist() == trial["curve"]
    assert [listed.name for listed in search.studies(url)] == [name]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_earlier_study_goes_on(name, url, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the snapshots of a study that is in no file
    before = EXPECTED[name]["trials"]
    total = len(before) + 8
    result = search.sweep(tiny.workload, storage=url, study=name, trials=total, resume=True)
    assert result.reached and result.study.finished == total
    now = told(result.study)["trials"]
    assert {number: now[number] for number in before} == before
    # What the earlier version confirmed is kept, and new seeds are added to it.
    verdict = search.confirm(name, storage=url, workload=tiny.workload, top=2, seeds=10)
    assert verdict.decision in DECISIONS and verdict.trials == total
    assert search.load(name, url).verdict == verdict
