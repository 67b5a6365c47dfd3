"""The best schedules of a study and of a workload, with code that runs, and the best one's rate."""

import pytest

import sgdr
from sgdr import export, search
from sgdr.search.storage.connect import close_storage, open_storage


@pytest.fixture(scope="module")
def digits(sqlite_url):
    return search.load("digits", sqlite_url)


def test_the_best_come_in_order_with_code_for_every_framework(client, digits):
    answer = client.get("/v1/studies/digits/best?k=3").json()
    assert answer["total"] == digits.counts["COMPLETE"]
    assert [item["number"] for item in answer["items"]] == [best.number for best in digits.top(3)]
    best = answer["items"][0]
    assert best["value"] == digits.best.value and best["schedule"] == digits.best.schedule.to_dict()
    assert set(best["code"]) == {"torch", "optax", "keras", "braintools", "transformers"}
    for code in best["code"].values():
        compile(code, "code", "exec")
    assert best["steps_per_epoch"] == 20
    other = client.get("/v1/studies/digits/best?steps_per_epoch=391").json()["items"][0]
    assert other["steps_per_epoch"] == 391 and other["code"]["optax"] != best["code"]["optax"]


def test_code_is_refused_where_nobody_knows_how_many_steps_an_epoch_has(open_client, copied, digits):
    url = f"sqlite:///{copied}"
    storage = open_storage(url)
    storage.set_study_user_attr(storage.get_study_id_from_name("digits"), "steps_per_epoch", None)
    close_storage(storage)
    schedule, budget = digits.best.schedule, digits.best.budget
    with open_client(url) as client:
        for path in ("/v1/studies/digits/best?", "/v1/best?workload=digits&"):
            (best,) = client.get(path).json()["items"]
            assert best["steps_per_epoch"] is None
            for target, code in best["code"].items():
                assert code.startswith(f"# steps_per_epoch must be known for {target}")
                assert code.count("\n") == 1 and best["parity"][target] == {"cannot": [], "nearest": None}
            (best,) = client.get(f"{path}steps_per_epoch=7").json()["items"]
            for target, code in best["code"].items():
                assert code == export.code(schedule, target, steps_per_epoch=7, budget=budget)
            (best,) = client.get(f"{path}interval=epoch").json()["items"]
            assert best["code"]["torch"] == export.code(schedule, "torch", budget=budget, interval="epoch")
            assert best["code"]["keras"].startswith("# steps_per_epoch must be known for keras")
            (best,) = client.get(f"{path}interval=epoch&steps_per_epoch=7").json()["items"]
            assert best["interval"] == "epoch" and "step % self.steps_per_epoch" in best["code"]["keras"]
            assert client.get(f"{path}interval=batch").status_code == 422
        rate = client.get("/v1/studies/digits/best/lr?step=17&steps_per_epoch=7&interval=epoch").json()
        assert rate["lr"] == schedule(2)


def test_code_comes_with_what_the_frameworks_cannot_do(client, digits):
    (best,) = client.get("/v1/studies/digits/best").json()["items"]
    assert best["parity"].keys() == best["code"].keys()
    for target, parity in best["parity"].items():
        known = export.parity.report(
            digits.best.schedule, target, steps_per_epoch=20, budget=digits.best.budget
        )
        assert parity == known.to_dict() and parity.keys() == {"cannot", "nearest"} and parity["nearest"]
    (overall,) = client.get("/v1/best?workload=digits").json()["items"]
    assert {**overall, **best} == overall


def test_confirmed_trials_come_first(client):
    items = client.get("/v1/studies/tiny/best?k=100").json()["items"]
    confirmed = [item["confirmed"] is not None for item in items]
    assert confirmed == sorted(confirmed, reverse=True) and any(confirmed)
    means = [item["confirmed"]["mean"] for item in items if item["confirmed"]]
    assert means == sorted(means)


@pytest.mark.parametrize("k", ["0", "-1", "101", "1.5", "nan", "x", ""])
@pytest.mark.parametrize("path", ["/v1/studies/digits/best?", "/v1/best?workload=digits&"])
def test_k_out_of_bounds_is_refused(client, is_problem, path, k):
    is_problem(client.get(f"{path}k={k}"), 422, "k: ")


def test_no_trial_gives_no_best(client, is_problem):
    assert client.get("/v1/studies/empty/best").json() == {"items": [], "total": 0}
    is_problem(client.get("/v1/studies/empty/best/lr?step=0"), 404, "has no completed trial yet")


@pytest.mark.parametrize("step", [0, 1, 19, 20, 399.5, 2**63 - 1024])
def test_the_rate_of_the_best_schedule(client, digits, step):
    schedule = digits.best.schedule.scaled(20)
    answer = client.get("/v1/studies/digits/best/lr", params={"step": step}).json()
    assert answer["lr"] == schedule(step) and answer["cycle"]["index"] == schedule.cycle(step).index
    assert (answer["study"], answer["number"], answer["unit"]) == ("digits", digits.best.number, "batch")
    other = client.get("/v1/studies/digits/best/lr", params={"step": step, "steps_per_epoch": 7}).json()
    assert other["lr"] == digits.best.schedule.scaled(7)(step)


@pytest.mark.parametrize("query", ["", "step=-1", "step=nan", "step=1e308", "step=1&steps_per_epoch=0"])
def test_a_bad_step_is_refused(client, is_problem, query):
    is_problem(client.get(f"/v1/studies/digits/best/lr?{query}"), 422)


def test_what_depends_on_the_study_is_not_kept(client):
    for path in ("best", "best/lr?step=0", "trials", "verdict"):
        assert client.get(f"/v1/studies/tiny/{path}").headers["cache-control"] == "no-store"


def test_the_best_over_all_studies_of_a_workload(client, is_problem, digits):
    answer = client.get("/v1/best?workload=digits&k=5").json()["items"]
    assert [(item["study"], item["number"]) for item in answer] == [
        ("digits", b.number) for b in digits.top(5)
    ]
    assert (answer[0]["metric"], answer[0]["direction"]) == ("error", "minimize")
    assert len(client.get("/v1/best?workload=digits").json()["items"]) == 1
    assert client.get("/v1/best?workload=digits&budget=20").status_code == 200
    is_problem(client.get("/v1/best?workload=digits&budget=21"), 404, "with a budget of 21")
    is_problem(client.get("/v1/best?workload=%00"), 404, "there is no study of workload")
    is_problem(client.get("/v1/best"), 422, "workload: is missing")
    is_problem(client.get("/v1/best?workload="), 422, "workload: ")


def test_of_a_maximized_metric_the_largest_is_best(client, odd_name):
    items = client.get("/v1/best?workload=maximized&k=4").json()["items"]
    values = [item["value"] for item in items]
    assert values == sorted(values, reverse=True) and len(set(values)) > 1
    assert {item["study"] for item in items} == {odd_name}
    assert sgdr.WarmRestarts.from_dict(items[0]["schedule"])(0) == items[0]["schedule"]["base_lr"]
