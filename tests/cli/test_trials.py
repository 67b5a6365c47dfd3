"""`sgdr trials`: what is listed, in which order, and where trials failed."""

import json

import pytest

FAILING = """
from sgdr import search

@search.workload(metric="error", direction="minimize", budget=2, base_lr=(0.01, 1.0))
def sometimes(run):
    run.report(1, run.schedule(0))
    if run.seed % 2:
        raise RuntimeError("no such data")
    run.report(2, run.schedule(1))
"""


def test_all_are_listed_with_what_has_become_of_them(swept):
    rows = json.loads(swept("trials", "tiny", "--json").stdout)
    assert [row["number"] for row in rows] == list(range(8))
    assert {row["outcome"] for row in rows} == {"complete"}
    done = swept("trials", "tiny")
    assert done.returncode == 0 and done.stderr == ""
    assert "outcome" in done.stdout and done.stdout.count("complete") == 8 and "failed" not in done.stdout


def test_they_come_in_the_order_of_a_column_and_as_many_as_asked_for(swept):
    values = [row["value"] for row in json.loads(swept("trials", "tiny", "--sort", "value", "--json").stdout)]
    assert values == sorted(values)
    shown = swept("trials", "tiny", "--sort=-value", "-k", "3")
    assert shown.stderr == "sgdr: 3 of 8 trials; -k 8 shows all\n"
    first = json.loads(swept("trials", "tiny", "--sort=-value", "-k", "3", "--json").stdout)
    assert [row["value"] for row in first] == values[::-1][:3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tiny", "--sort", "loss"), "sort='loss' is no column of this study; there are number, state"),
        (("tiny", "--sort", "-"), "is no column"),
        (("tiny", "-k", "0"), "-k"),
        (("nobody",), "nobody"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(swept, words, said):
    refused = swept("trials", *words)
    assert refused.returncode == 2 and refused.stdout == "" and said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_of_those_that_failed_the_place_and_the_last_lines_are_shown(sgdr, tmp_path):
    (tmp_path / "my_sometimes.py").write_text(FAILING)
    sweep = ("sweep", "--workload", "my_sometimes:sometimes", "--trials", "6", "--slots", "2", "--study", "s")
    assert sgdr(*sweep).returncode in (0, 1)
    rows = json.loads(sgdr("trials", "s", "--json").stdout)
    failed = [row["number"] for row in rows if row["outcome"] == "failed"]
    assert failed == [row["number"] for row in rows if row["seed"] % 2] and failed
    shown = sgdr("trials", "s", "--failed")
    assert shown.stdout.count('raise RuntimeError("no such data")') == len(failed)
    assert "complete" not in shown.stdout and "my_sometimes.py, line 8" in shown.stdout
    assert "No running trial" in sgdr("trials", "s", "--running").stdout
