"""Which sweeps can be asked for: all is refused before anything is written."""

import json
import math
import subprocess
import sys
from dataclasses import asdict

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError
from sgdr_service.sweeps.refusals import Conflict, Invalid, NotFound
from sgdr_service.sweeps.request import LARGEST_REQUEST, OF_RAY, SweepRequest
from sgdr_service.sweeps.sweeps import Sweeps, engines

from sgdr.search.backend.devices import cores
from sgdr.search.problem.declaration import Declaration
from sgdr.search.storage.connect import StorageError
from sgdr.search.sweeps.cluster import Cluster

HPARAMS = {"decay": FloatDistribution(0.0, 1.0), "depth": IntDistribution(1, 4)}
ALIKE = {"controls": FloatDistribution(0.0, 1.0)}
KNOWN = {
    "arrays": Declaration("arrays", "error", "minimize", 6, "arrays", 2, None, None, HPARAMS, "step"),
    "function": Declaration("function", "error", "minimize", 6, "callable", None, None, None, HPARAMS, None),
    "long": Declaration("long", "error", "minimize", 600, "callable", None, None, None, {}, None),
    "alike": Declaration("alike", "error", "minimize", 6, "callable", None, None, None, ALIKE, None),
    "odd": Declaration("a/b", "error", "minimize", 6, "callable", None, None, None, {}, None),
}
LIMITS = {
    "max_running": 1,
    "max_queued": 3,
    "max_trials": 100,
    "max_budget": 50,
    "max_seconds": 60.0,
    "max_workers": 8,
}


class Told:
    def get(self, name):
        if name not in KNOWN:
            raise ValueError(f"workload={name!r} is not registered: use one of {', '.join(KNOWN)}")
        return KNOWN[name]


@pytest.fixture
def sweeps(tmp_path):
    return Sweeps(f"sqlite:///{tmp_path}/s.db", Told(), **LIMITS)


def asked(**arguments):
    return SweepRequest.model_validate({"workload": "arrays", **arguments})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("workload", [None, 3, ["arrays"], {}]),
        ("trials", [0, -1, 1.5, "4", True, math.nan, math.inf]),
        ("cost", [0, 0.99, -1, "4", True, math.nan, math.inf]),
        ("budget", [0, -1, 1.5, "4", True, math.nan]),
        ("study", [3, "", " ", "a/b", "..", ".", "a\0", "x" * 201, "\ud800", ["a"]]),
        ("base_lr", [math.nan, math.inf, "0.1", True, [math.nan, 1.0], [0.1, math.inf], {"low": 1}]),
        ("T_0", [1.5, "3", True, [1, 2.5], [1, "2"]]),
        ("T_mult", [None, 1.5, "2", True, [1, 2.5], [True]]),
        ("eta_ratio", [None, math.nan, "0", [0.0, math.inf]]),
        ("closed", [1, "yes", None]),
        (
            "hparams",
            [[], None, "decay", {3: 4}, {"decay": object()}, {"decay": math.nan}, {"decay": [0, math.inf]}],
        ),
        ("objective", [None, 3]),
        ("start", [3, "cosine base_lr=0.1", [3], [{"base_lr": math.nan}], {"shape": "cosine"}]),
        ("slots", [1.5, None, True, "many", "4"]),
        ("controls", [-0.1, 1, 1.0, "0.5", None, True, math.nan, math.inf]),
        ("seed", [-1, 1.5, "0", None, True, 2**32, 10**30]),
        ("timeout", [0, -1.0, "30m", math.nan, math.inf, True]),
        ("resume", [1, "true", None]),
        ("confirm", [1, "true", None]),
        ("storage", ["sqlite:///x.db", None]),
        ("engine", [None, 3, ["ray"]]),
        ("workers", [0, -1, 1.5, "2", None, True, math.nan]),
        ("cpus_per_worker", [0, -1.0, "1", None, True, math.nan, math.inf]),
        ("gpus_per_worker", [-1, "1", None, True, math.nan, math.inf]),
        ("address", ["auto"]),
        ("checkpoints", ["/tmp"]),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused_by_name(field, values):
    for value in values:
        with pytest.raises(ValidationError) as refused:
            asked(**{field: value})
        faults = refused.value.errors()
        assert {fault["loc"][0] for fault in faults if fault["loc"]} <= {field}, (field, value, faults)


def test_a_request_that_is_too_large_is_refused():
    choices = ["x" * 100] * (LARGEST_REQUEST // 100)
    with pytest.raises(ValidationError, match="at most 16,384 bytes"):
        asked(hparams={"decay": {"choices": choices}})


@pytest.mark.parametrize(
    ("arguments", "field", "said"),
    [
        ({"workload": "nope"}, "workload", "'nope' is not registered: use one of arrays, function"),
        ({"workload": "package.module:object"}, "workload", "is not registered"),
        ({"workload": ""}, "workload", "is not registered"),
        ({"trials": 101}, "trials", "trials=101 must be at most 100, the limit"),
        ({"trials": 10**30}, "trials", "must be at most 100"),
        ({"cost": 100.5}, "cost", "cost=100.5 must be at most 100, the limit"),
        ({"cost": 16, "trials": 4}, "cost", "cost=16.0 cannot be beside trials=4, .*; give one of them"),
        ({"budget": 51}, "budget", "budget=51 must be at most 50, the limit"),
        ({"workload": "long"}, "budget", "budget=600 must be at most 50"),
        ({"timeout": 61}, "timeout", r"timeout=61.0 must be at most 60.0"),
        (
            {"workload": "function", "slots": 2**16 + 1},
            "slots",
            f"at most {cores()}, the limit of this service",
        ),
        ({"workload": "function", "slots": cores() + 1}, "slots", "slots=.* must be at most"),
        ({"engine": "steam"}, "engine", "engine='steam' must be one of local, ray"),
        ({"workers": 2}, "workers", "workers=2 is for engine='ray'"),
        ({"cpus_per_worker": 0.5}, "cpus_per_worker", "cpus_per_worker=0.5 is for engine='ray'"),
        ({"gpus_per_worker": 1}, "gpus_per_worker", "gpus_per_worker=1.0 is for engine='ray'"),
        ({"slots": 0}, "slots", "slots=0 must be a whole number of at least 1"),
        ({"slots": 2**16 + 1}, "slots", "must be at most 65536"),
        ({"workload": "odd"}, "study", "study='a/b' must be a text"),
        ({"base_lr": [1.0, 0.1]}, "base_lr", r"base_lr=\(1.0, 0.1\) is inverted"),
        ({"base_lr": 0}, "base_lr", "must begin above 0"),
        ({"base_lr": [0.1, 0.2, 0.3]}, "base_lr", "must be a range of two numbers"),
        ({"base_lr": []}, "base_lr", "must be a range of two numbers"),
        ({"base_lr": 1e300}, "base_lr", "must lie from 1e-36 to 1e"),
        ({"T_0": [7, 9]}, "T_0", r"T_0=\(7, 9\) begins above the budget of 6"),
        ({"T_0": 0}, "T_0", "must be whole epochs from 1"),
        ({"start": ["cosine base_lr=fast decay=0 depth=1"]}, "start", "base_lr must be a number"),
        ({"start": [{"shape": "cosine", "base_lr": 0.1}]}, "start", "lacks decay, depth"),
        ({"start": [{"shape": "zigzag"}]}, "start", "has shape 'zigzag'"),
        ({"T_mult": []}, "T_mult", "must be whole numbers of at least 1"),
        ({"T_mult": [0]}, "T_mult", "must be whole numbers of at least 1"),
        ({"T_mult": 10**20}, "T_mult", "must be below 2"),
        ({"T_0": 5, "T_mult": 2, "closed": True, "budget": 3}, "T_0", "begins above the budget"),
        ({"eta_ratio": [0.0, 2.0]}, "eta_ratio", "must lie from 0 to 1"),
        ({"objective": "best"}, "objective", "objective='best' must be one of"),
        ({"objective": "ensemble"}, "objective", r"needs a workload with predict\(\) and score\(\)"),
        ({"pruner": "sharp"}, "pruner", "pruner='sharp' must be one of"),
        ({"sampler": "oracle"}, "sampler", "sampler='oracle' must be one of"),
        ({"hparams": {"nope": 1}}, "hparams", "hparams nope: workload 'arrays' takes decay, depth"),
        ({"hparams": {"base_lr": 1}}, "hparams", "names a part of the schedule"),
        ({"hparams": {"decay": "much"}}, "hparams", "decay='much' must be a range"),
        ({"hparams": {"decay": None}}, "hparams", "decay=None must be a range"),
        ({"hparams": {"decay": True}}, "hparams", "decay=.* must be a range"),
        ({"hparams": {"decay": [1, 0]}}, "hparams", r"decay=\(1, 0\) is inverted"),
        ({"hparams": {"decay": [0, 1, "log"]}}, "hparams", "must begin above 0"),
        ({"hparams": {"decay": [0, 1, "lin"]}}, "hparams", "must be a range"),
        ({"hparams": {"depth": 10**400}}, "hparams", "numbers must lie within"),
        ({"hparams": {"decay": [0.0, 1e300]}}, "hparams", "numbers must lie within"),
        ({"hparams": {"decay": {"choices": []}}}, "hparams", "with one at least"),
        ({"hparams": {"decay": {"choices": [[1]]}}}, "hparams", "choices must be numbers, texts"),
        ({"hparams": {"decay": {"low": 1}}}, "hparams", "must be"),
        ({"hparams": {"decay": {"choices": ["a", "b"]}}}, "hparams", "the engine takes numbers only"),
    ],
)
def test_sweeps_that_cannot_be_are_refused_and_nothing_is_written(sweeps, tmp_path, arguments, field, said):
    with pytest.raises(Invalid, match=said) as refused:
        sweeps.submit(asked(**arguments))
    assert refused.value.field == field and "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_cost_takes_the_place_of_the_trials_of_a_sweep_that_is_resumed_and_they_its(sweeps):
    def extent(**arguments):
        request = sweeps.submit(asked(**arguments)).request
        sweeps.cancel("arrays")
        return request["trials"], request["cost"]

    assert extent() == (None, 16)
    assert extent(resume=True, cost=8) == (None, 8)
    assert extent(resume=True) == (None, 8)
    assert extent(resume=True, trials=9) == (9, None)
    assert extent(resume=True, trials=None, cost=None) == (None, 16)


def test_what_is_started_from_waits_in_the_queue_once(sweeps):
    start = ["cosine base_lr=3 decay=2 depth=1", {"kind": "linear", "base_lr": 0.1, "decay": 0, "depth": 4}]
    sweeps.submit(asked(start=start))
    sweeps.cancel("arrays")
    sweeps.submit(asked(resume=True, trials=9))
    with sweeps.storage() as storage:
        (study,) = storage.get_all_studies()
        trials = storage.get_all_trials(study._study_id)
    assert [trial.state.name for trial in trials] == ["WAITING"] * 2
    assert [trial.system_attrs["fixed_params"]["base_lr"] for trial in trials] == [3.0, 0.1]
    assert study.user_attrs["space"]["base_lr"] == [0.001, 3.0]
    assert study.user_attrs["unwidened"]["base_lr"] == [0.001, 1.0]
    assert [stated["hparams"] for stated in study.user_attrs["start"]] == [
        {"decay": 2.0, "depth": 1},
        {"decay": 0.0, "depth": 4},
    ]


def test_an_option_and_a_value_of_the_workload_may_have_one_name(sweeps):
    told = {"shapes": ["restarts", "cyclic"], "sampler": "tpe", "controls": 0.0}
    for arguments, named in ((told, ("controls", None)), ({}, ("hparams", "controls"))):
        with pytest.raises(Invalid, match=r"^controls=") as refused:
            hparams = {"controls": 0.5 if arguments else [1, 0]}
            sweeps.check(asked(workload="alike", hparams=hparams, **arguments))
        assert (refused.value.field, refused.value.hparam) == named


ON_RAY = [
    ({"workers": 9, "cpus_per_worker": 0.01}, "workers", "workers=9 must be at most 8, the limit"),
    ({"workers": 10**30}, "workers", "must be at most 1000"),
    (
        {"cpus_per_worker": cores() + 1},
        "workers",
        rf"workers=1 with cpus_per_worker={cores() + 1}.0 are more than the {cores()} cores",
    ),
    ({"workers": 2, "cpus_per_worker": cores()}, "workers", "are more than"),
    ({"cpus_per_worker": 1e300}, "workers", "are more than"),
    ({"cpus_per_worker": 1.5}, "cpus_per_worker", "must be a whole number, or a fraction below 1"),
    ({"gpus_per_worker": 1.5}, "gpus_per_worker", "must be a whole number, or a fraction below 1"),
    ({"workload": "function", "slots": 2}, "slots", "slots=2 must be at most 1"),
    ({"trials": 101}, "trials", "trials=101 must be at most 100"),
]


@pytest.mark.parametrize(("arguments", "field", "said"), ON_RAY)
def test_on_ray_too_and_without_a_cluster_this_host_is_the_limit(sweeps, tmp_path, arguments, field, said):
    with pytest.raises(Invalid, match=said) as refused:
        sweeps.check(asked(engine="ray", **arguments))
    assert refused.value.field == field and list(tmp_path.iterdir()) == []


def test_workers_are_those_that_are_asked_for_on_the_services_own_cluster(tmp_path):
    sweeps = Sweeps(f"sqlite:///{tmp_path}/s.db", Told(), **LIMITS, ray_address="10.0.0.1:6379")
    share = {"engine": "ray", "workers": 8, "cpus_per_worker": 64, "gpus_per_worker": 0.5}
    possible = sweeps.check(asked(**share))
    assert possible.cluster == Cluster(8, 64.0, 0.5, "10.0.0.1:6379")
    assert share.items() <= possible.request.model_dump().items() and sweeps.check(asked()).cluster is None
    assert sweeps.check(asked(workload="function", slots=64, **share)).settings.slots == 64
    with pytest.raises(Invalid, match="slots=65 must be at most 64"):
        sweeps.check(asked(workload="function", slots=65, **share))
    status = sweeps.submit(asked(**share))
    assert (status.request["workers"], status.workers) == (8, 0) and "10.0.0.1" not in str(status)


def test_without_ray_only_the_local_engine_is_there(sweeps, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert engines() == ("local",)
    with pytest.raises(
        Invalid, match=r"not installed where this service runs; pip install '\.\[ray\]'"
    ) as no:
        sweeps.check(asked(engine="ray", workers=2))
    assert no.value.field == "engine" and sweeps.check(asked()).cluster is None


def test_resume_keeps_the_workers_unless_another_engine_is_to_go_on(sweeps):
    sweeps.submit(asked(engine="ray", workers=2, cpus_per_worker=0.5))
    sweeps.cancel("arrays")
    resumed, fewer, local = (
        sweeps.check(SweepRequest(workload="arrays", resume=True, **said))
        for said in ({"trials": 70}, {"workers": 1}, {"engine": "local"})
    )
    assert resumed.cluster == Cluster(2, 0.5, 0.0, None) and resumed.settings.trials == 70
    assert fewer.cluster == Cluster(1, 0.5, 0.0, None)
    assert local.cluster is None
    assert all(getattr(local.request, name) == getattr(asked(), name) for name in ("engine", *OF_RAY))
    with pytest.raises(Invalid, match="workers=3 is for engine='ray'"):
        sweeps.check(SweepRequest(workload="arrays", resume=True, engine="local", workers=3))


@pytest.mark.parametrize(
    ("given", "searched"),
    [
        (0.5, FloatDistribution(0.5, 0.5)),
        (2, IntDistribution(2, 2)),
        ([1, 3], IntDistribution(1, 3)),
        ([1e-4, 0.1, "log"], FloatDistribution(1e-4, 0.1, log=True)),
        ({"choices": [1, 0.5, True]}, CategoricalDistribution([1, 0.5, True])),
    ],
)
def test_the_json_forms_of_values_are_those_of_a_space(given, searched):
    request = asked(hparams={"decay": given})
    assert request.space().resolved(KNOWN["arrays"], 6).hparams["decay"] == searched
    assert SweepRequest.model_validate(json.loads(request.model_dump_json())) == request


@pytest.mark.parametrize("name", ["--help", "größe 言葉 🎉 \u202e", " a b", "x" * 200, "...%2e%2e'; --"])
def test_any_name_will_do(sweeps, name):
    status = sweeps.submit(asked(study=name))
    assert (status.id, status.state, status.request["timeout"]) == (name, "queued", 60.0)
    assert sweeps.get(name) == status and sweeps.all() == [status]
    assert json.loads(json.dumps(asdict(status), allow_nan=False)) == asdict(status)
    assert sweeps.cancel(name).state == "cancelled"


def test_what_is_there_stands_in_the_way(sweeps):
    assert sweeps.submit(asked()).id == "arrays"
    with pytest.raises(Conflict, match="has a sweep that is queued"):
        sweeps.submit(asked(resume=True))
    sweeps.cancel("arrays")
    with pytest.raises(Conflict, match="resume=true"):
        sweeps.submit(asked())
    with pytest.raises(Conflict, match="exists, with budget 6, not 5"):
        sweeps.submit(asked(budget=5, resume=True))
    with sweeps.storage() as storage:
        optuna.create_study(storage=storage, study_name="theirs").add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(Conflict, match="'theirs' in the service's storage was not made by sgdr"):
        sweeps.submit(asked(study="theirs", resume=True))
    with pytest.raises(NotFound, match="was not made by sgdr"):
        sweeps.cancel("theirs")
    assert sweeps.submit(asked(resume=True, seed=5)).state == "queued"
    assert sweeps.changed.is_set()


def test_unknown_names_are_not_found(sweeps):
    for name in ("nope", "", "..", "a\nb", "'; --", "x" * 1000):
        for ask in (sweeps.get, sweeps.cancel):
            with pytest.raises(NotFound):
                ask(name)
    assert sweeps.all() == []


def test_a_storage_that_fails_is_no_fault_of_the_request(tmp_path):
    sweeps = Sweeps(f"sqlite:///{tmp_path}/no/s.db", Told(), **LIMITS)
    for ask in (lambda: sweeps.submit(asked()), sweeps.all, sweeps.records, lambda: sweeps.get("a")):
        with pytest.raises(StorageError):
            ask()
    (tmp_path / "no").mkdir()
    assert sweeps.all() == []  # it is there now


@pytest.mark.slow
def test_the_service_loads_neither_jax_nor_a_workload(registered_workloads):
    code = f"""
import sys
from dataclasses import asdict
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.dispatcher import Dispatcher
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.sweeps import Sweeps
sweeps = Sweeps("sqlite:///s.db", Declarations(), **{LIMITS!r})
sweeps.submit(SweepRequest(workload="tiny", study="s", hparams={{}}))
assert sweeps.all()[0].workload == "tiny"
Dispatcher(sweeps)
print(*{{name.split(".")[0] for name in sys.modules}})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "optuna" in loaded
    assert not loaded & {
        "jax",
        "jaxlib",
        "ray",
        "sklearn",
        "optax",
        "tiny_workload",
        "sweep_workloads",
        "pandas",
    }


def test_resume_takes_what_it_does_not_say_from_the_last_request(sweeps):
    sweeps.submit(asked(trials=50, budget=5, confirm=True))
    sweeps.cancel("arrays")
    again = sweeps.submit(SweepRequest(workload="arrays", resume=True, trials=70)).request
    assert (again["trials"], again["budget"], again["confirm"], again["resume"]) == (70, 5, True, True)


def test_a_file_that_was_deleted_is_made_again(tmp_path):
    sweeps = Sweeps(f"sqlite:///{tmp_path}/s.db", Told(), **LIMITS)
    sweeps.submit(asked())
    for path in tmp_path.glob("s.db*"):
        path.unlink()
    assert sweeps.all() == [] and sweeps.submit(asked()).state == "queued"
    sweeps.close()
