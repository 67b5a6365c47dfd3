"""`/v1/studies`: paging, order, filters, curves, verdicts and CSV, on each kind of database."""

import csv
import io
from urllib.parse import quote

import pytest

from sgdr import search
from sgdr.search.study.columns import COLUMNS

STATES = ["COMPLETE", "PRUNED", "FAIL"]


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture(scope="module")
def digits(sqlite_url):
    return search.load("digits", sqlite_url)


def test_studies_are_listed_with_a_total_a_page_at_a_time(client, odd_name):
    names = sorted(["digits", "tiny", odd_name, "empty"])
    answer = client.get("/v1/studies").json()
    assert [row["study"] for row in answer["items"]] == names
    assert (answer["total"], answer["limit"], answer["offset"]) == (4, 100, 0)
    page = client.get("/v1/studies?limit=2&offset=1").json()
    assert (page["items"], page["total"]) == (answer["items"][1:3], 4)
    assert client.get("/v1/studies?offset=2147483647").json()["items"] == []
    backwards = client.get("/v1/studies?sort=-study").json()["items"]
    assert [row["study"] for row in backwards] == names[::-1]
    assert client.get("/v1/studies?sort=started").json()["items"][-1]["study"] == "empty"
    assert client.get("/v1/studies?sort=-started").json()["items"][-1]["study"] == "empty"
    of_digits = client.get("/v1/studies?workload=digits").json()
    assert [row["study"] for row in of_digits["items"]] == ["digits", "empty"]
    assert client.get("/v1/studies?workload=none").json()["total"] == 0


@pytest.mark.parametrize("query", ["limit=1001", "limit=0", "limit=x", "offset=-1", "offset=2147483648"])
@pytest.mark.parametrize("path", ["/v1/studies", "/v1/studies/digits/trials", "/v1/sweeps"])
def test_a_page_out_of_bounds_is_refused_not_cut(client, is_problem, path, query):
    is_problem(client.get(f"{path}?{query}"), 422, f"{query.partition('=')[0]}: ")


def test_a_study_tells_what_it_is(client, digits):
    answer = client.get("/v1/studies/digits").json()
    assert answer["trials"] == digits.counts and answer["outcomes"] == digits.outcomes
    assert answer["best"] == digits.best.to_dict() and answer["arms"] == digits.arms
    assert (answer["workload"], answer["budget"], answer["steps_per_epoch"]) == ("digits", 20, 20)
    assert answer["space"]["base_lr"] == [0.001, 1.0] and answer["verdict"] is None
    empty = client.get("/v1/studies/empty").json()
    assert (empty["trials"], empty["best"], empty["started"]) == ({}, None, None)


def test_a_name_is_one_percent_encoded_segment(client, odd_name):
    answer = client.get(f"/v1/studies/{quote(odd_name, safe='')}")
    assert answer.json()["study"] == odd_name
    assert client.get(f"/v1/studies/{quote(odd_name, safe='')}/trials").json()["total"] == 4


@pytest.mark.parametrize(
    "name",
    ["nothing", "Digits", "digits ", "%2e%2e", "%00", "di%00gits", "%FF%FE", "%ED%A0%80", "🙈", "x" * 5000],
)
def test_an_unknown_study_is_not_found(client, is_problem, name):
    for rest in (
        "",
        "/trials",
        "/trials/0",
        "/trials.csv",
        "/curves.csv",
        "/verdict",
        "/comparison",
        "/best",
    ):
        is_problem(client.get(f"/v1/studies/{name}{rest}"), 404, "there is no study")


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "a/b", "", "digits/", "a%2Fb"]
)
def test_a_name_is_never_a_path(client, is_problem, path):
    is_problem(client.get(f"{client.base_url}/v1/studies/{path}"), 404)


def test_a_study_that_is_not_ours_is_not_shown(client, is_problem):
    is_problem(client.get("/v1/studies/not%20ours"), 404, "there is no study 'not ours'")


def test_all_trials_are_reached_page_by_page(client, digits):
    pages = [
        client.get("/v1/studies/digits/trials", params={"limit": 77, "offset": at}).json()
        for at in range(0, 300, 77)
    ]
    items = [item for page in pages for item in page["items"]]
    assert [item["number"] for item in items] == list(range(300))
    assert {page["total"] for page in pages} == {300}
    table = digits.trials()
    complete = [item for item in items if item["state"] == "COMPLETE"]
    assert [item["value"] for item in complete] == table[table.state == "COMPLETE"].value.tolist()
    assert [item["T_0"] for item in items] == table.T_0.tolist()


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_sorts_both_ways_with_empty_cells_last(client, column):
    for sort, sign in ((column, 1), (f"-{column}", -1)):
        items = client.get(f"/v1/studies/digits/trials?limit=1000&sort={sort}").json()["items"]
        cells = [item[column] for item in items]
        filled = [cell for cell in cells if cell is not None]
        assert len(items) == 300 and cells == filled + [None] * (300 - len(filled))
        assert filled == sorted(filled)[::sign]


def test_filters_are_combined(client):
    everything = client.get("/v1/studies/digits/trials?limit=1000").json()["items"]
    values = sorted(item["value"] for item in everything if item["value"] is not None)
    low, high = values[3], values[-3]

    def passing(**query):
        answer = client.get("/v1/studies/digits/trials", params={"limit": 1000, **query}).json()
        assert answer["total"] == len(answer["items"])
        return answer["items"]

    for state in STATES:
        assert passing(state=state) == [item for item in everything if item["state"] == state] != []
    assert passing(state=STATES) == everything and passing(state="WAITING") == []
    for arm in ("restarts", "cosine", "constant"):
        assert passing(arm=arm) == [item for item in everything if item["arm"] == arm] != []
    within = [item for item in everything if item["value"] is not None and low <= item["value"] <= high]
    assert passing(min_value=low, max_value=high) == within and len(within) == len(values) - 5
    assert passing(min_value=low, arm="cosine") == [
        item for item in everything if item["arm"] == "cosine" and item["value"] and item["value"] >= low
    ]
    assert passing(min_value=1, max_value=0) == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=complete", "must be 'COMPLETE'"),
        ("arm=none", "must be 'restarts', 'cosine', 'linear', 'wsd', 'constant', 'power'"),
        ("min_value=nan", "min_value: must be a finite number"),
        ("max_value=1e999", "max_value: must be a finite number"),
        ("sort=loss", "sort='loss' is no column of this study; there are number, state"),
        ("sort=hparams.x", "sort='hparams.x' is no column"),
        ("sort=", "sort: "),
        ("sort=-", "sort: "),
        ("sort=--value", "sort: "),
        ("order=value", "order: is unknown"),
        ("limit=5&limit=6", "limit: is given more than once"),
    ],
)
def test_a_bad_filter_is_refused(client, is_problem, query, words):
    is_problem(client.get(f"/v1/studies/digits/trials?{query}"), 422, words)


def test_a_trial_has_its_curves_and_cycles(client, digits):
    number = digits.best.number
    answer = client.get(f"/v1/studies/digits/trials/{number}").json()
    assert answer["curve"] == digits.curve(number) and len(answer["curve"]["error"]) == answer["epochs"]
    assert answer["restarts"] == digits.best.schedule.restarts(answer["epochs"])
    assert answer["troughs"] == digits.best.schedule.troughs(answer["epochs"])


@pytest.mark.parametrize(
    ("number", "status"), [("300", 404), ("-1", 422), ("1.5", 422), ("x", 422), ("9" * 99, 422)]
)
def test_a_trial_that_is_not_there(client, is_problem, number, status):
    is_problem(client.get(f"/v1/studies/digits/trials/{number}"), status)


def test_a_verdict_or_why_there_is_none(client, is_problem, sqlite_url):
    answer = client.get("/v1/studies/tiny/verdict").json()
    verdict = search.load("tiny", sqlite_url).verdict
    assert (answer["decision"], answer["words"]) == (verdict.decision, str(verdict))
    assert client.get("/v1/studies/tiny").json()["verdict"] == verdict.decision
    is_problem(client.get("/v1/studies/digits/verdict"), 404, "`sgdr confirm` gives it")


def test_the_answer_is_that_of_the_library(client, is_problem, sqlite_url):
    study = search.load("tiny", sqlite_url)
    assert client.get("/v1/studies/tiny/answer").json() == study.answer.to_dict()
    given = client.get("/v1/studies/tiny/answer?margin=0.5").json()
    assert given == study.answer_within(0.5).to_dict() and given["margin"] == 0.5
    for margin in ("-1", "nan", "inf", "much"):
        is_problem(client.get(f"/v1/studies/tiny/answer?margin={margin}"), 422)


def test_what_is_kept_of_comparisons_or_why_there_is_none(client, is_problem, sqlite_url):
    answer = client.get("/v1/studies/tiny/comparison").json()
    assert answer == search.compare_study("tiny", storage=sqlite_url).to_dict()
    assert answer["schedules"][1]["schedule"]["base_lr"] == 0.1
    is_problem(client.get("/v1/studies/digits/comparison"), 404, "`sgdr compare` makes one")


def test_trials_as_csv_are_those_of_the_pages(client):
    query = "sort=-value&state=COMPLETE&arm=restarts"
    answer = client.get(f"/v1/studies/digits/trials.csv?{query}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    items = client.get(f"/v1/studies/digits/trials?{query}&limit=1000").json()["items"]
    table = rows(answer)
    assert [int(row["number"]) for row in table] == [item["number"] for item in items] != []
    assert [float(row["value"]) for row in table] == [item["value"] for item in items]
    assert [row["seed"] for row in table] == [str(item["seed"]) for item in items]


def test_curves_as_csv_have_a_row_an_epoch(client, digits):
    table = rows(client.get("/v1/studies/digits/curves.csv?state=COMPLETE&sort=value"))
    best = [row for row in table if row["number"] == table[0]["number"]]
    curve = digits.curve(int(table[0]["number"]))
    assert [int(row["epoch"]) for row in best] == list(range(1, 21))
    for name in ("error", "loss", "select_error", "select_loss"):
        assert [float(row[name]) for row in best] == curve[name]
    assert len(table) == 20 * digits.counts["COMPLETE"]


def test_csv_of_no_trials_is_its_heading(client, is_problem):
    assert client.get("/v1/studies/empty/trials.csv").text.startswith("number,state,arm,value,base_lr")
    assert rows(client.get("/v1/studies/empty/trials.csv")) == []
    assert client.get("/v1/studies/empty/curves.csv").text == "number,epoch\n"
    is_problem(client.get("/v1/studies/empty/curves.csv?sort=x"), 422, "sort='x' is no column")
