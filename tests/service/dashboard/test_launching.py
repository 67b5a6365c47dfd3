"""A sweep from the form: the same request as over HTTP, the same refusals, and an honest estimate."""

import json
import shlex
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner, PercentilePruner
from pydantic import ValidationError
from sgdr_service.dashboard.launching.commands import command_line, curl
from sgdr_service.dashboard.launching.estimate import Earlier, Estimate, Measured, estimate, speed
from sgdr_service.dashboard.launching.form import as_json, empty, placeholders, short_form, values_of
from sgdr_service.dashboard.launching.prefill import free_name, to_resume
from sgdr_service.dashboard.launching.refusals import REFUSALS, told
from sgdr_service.dashboard.launching.words import UNMEASURED, duration, summary
from sgdr_service.sweeps.declarations import WorkloadUnavailable
from sgdr_service.sweeps.refusals import Conflict, Full, Invalid
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.sweeps import Sweeps

from sgdr.cli import app, options
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.starts import all_said
from sgdr.search.storage.connect import StorageError
from sgdr.search.sweeps.cluster import Cluster
from sgdr.search.sweeps.config import OPTIONS, SweepConfig
from sgdr.search.sweeps.create_study import create_study
from sgdr.search.sweeps.settings import resolve
from sgdr.shapes import SHAPES

HPARAMS = {"decay": FloatDistribution(1e-6, 0.1, log=True), "depth": IntDistribution(1, 4)}
ARRAYS = Declaration("arrays", "error", "minimize", 20, "arrays", 5, (0.01, 2.0), None, HPARAMS, "step")
FUNCTION = Declaration("function", "error", "minimize", 6, "callable", None, None, None, {}, None)
LIMITS = {
    "max_running": 1,
    "max_queued": 2,
    "max_trials": 1000,
    "max_budget": 50,
    "max_seconds": 60.0,
    "max_workers": 4,
}
KNOWN = {"arrays": ARRAYS, "function": FUNCTION}

STARTS = [
    "cosine base_lr=0.03",
    "step-decay base_lr=0.1 gamma=0.5 milestones=3,",
    {"shape": "restarts", "base_lr": 0.1, "T_0": 2.5, "decay": 1e-4},
]

numbers = st.floats(-1e30, 1e30) | st.integers(-(10**9), 10**9)
rates, lengths, ratios = st.floats(1e-30, 1e30), st.integers(1, 10**6), st.floats(0, 1)
hparams = st.one_of(
    numbers,
    st.lists(numbers, min_size=2, max_size=2),
    st.tuples(numbers, numbers, st.just("log")).map(list),
    st.fixed_dictionaries(
        {"choices": st.lists(numbers | st.text() | st.booleans() | st.none(), min_size=1, max_size=3)}
    ),
)
requests = st.fixed_dictionaries(
    {"workload": st.just("arrays")},
    optional={
        "trials": lengths,
        "budget": lengths,
        "study": st.text(min_size=1, max_size=20).filter(lambda name: name.strip(" ")),
        **{
            name: ends | st.lists(ends, min_size=2, max_size=2)
            for name, ends in {"base_lr": rates, "T_0": lengths, "eta_ratio": ratios}.items()
        },
        "T_mult": lengths | st.lists(lengths, min_size=1, max_size=4),
        "objective": st.sampled_from(["best-epoch", "best-trough", "final", "anytime"]),
        "pruner": st.sampled_from(["auto", "restart-aware", "hyperband", "median", "none"]),
        "sampler": st.sampled_from(["tpe", "random"]),
        "slots": st.just("auto") | lengths,
        "engine": st.sampled_from(["local", "ray"]),
        "workers": lengths,
        "cpus_per_worker": st.floats(1e-9, 1e9) | lengths,
        "gpus_per_worker": st.floats(0, 1e9) | lengths,
        "controls": st.floats(0, 1, exclude_max=True),
        "shapes": st.lists(st.sampled_from([*SHAPES]), min_size=1, unique=True),
        "start": st.lists(st.sampled_from(STARTS), min_size=1, max_size=3),
        "seed": st.integers(0, 2**32 - 1),
        "timeout": st.floats(1e-9, 1e9),
        **dict.fromkeys(("closed", "confirm", "resume"), st.booleans()),
        "hparams": st.dictionaries(st.text(min_size=1, max_size=5), hparams, max_size=3),
    },
)


class Told:
    """Declarations that are known."""

    def get(self, name):
        if name == "broken":
            raise WorkloadUnavailable("workload 'broken' cannot be loaded: the data is missing")
        if name not in KNOWN:
            raise ValueError(f"workload={name!r} is not registered: use one of {', '.join(KNOWN)}")
        return KNOWN[name]


@pytest.fixture
def sweeps(tmp_path):
    own = Sweeps(f"sqlite:///{tmp_path}/s.db", Told(), **LIMITS)
    yield own
    own.close()


def valid(asked):
    try:
        return SweepRequest.model_validate(asked)
    except ValidationError:
        return None


def meant(request):
    """As JSON, in one form: a number stands for the range that is that number alone."""
    fields = request.model_dump()
    for name in ("base_lr", "T_0", "eta_ratio"):
        if fields[name] is not None and not isinstance(fields[name], list):
            fields[name] = [fields[name]] * 2
    fields["T_mult"] = fields["T_mult"] if isinstance(fields["T_mult"], list) else [fields["T_mult"]]
    fields["start"] = all_said(fields["start"])
    return json.dumps(fields, sort_keys=True)


def filled(**values):
    """A form, with `base_lr_0` for the field base_lr.0."""
    known = {name.replace(".", "_"): name for name in empty()}
    return {
        **empty(),
        "workload": "arrays",
        **{known.get(name, name): value for name, value in values.items()},
    }


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(requests)
def test_what_a_request_asks_for_the_form_asks_for_again(asked):
    request = valid(asked)
    if request is None:
        return
    for stored in (json.loads(json.dumps(asked)), json.loads(request.model_dump_json())):
        values = values_of(stored)
        again = as_json(values, ARRAYS)
        assert meant(SweepRequest.model_validate(again)) == meant(request)
        assert values_of(json.loads(json.dumps(again))) == values_of(again)
        assert as_json(values_of(again), ARRAYS) == again


def test_what_is_left_out_is_the_default():
    assert as_json(filled(), ARRAYS) == {"workload": "arrays"}
    assert as_json(filled(base_lr_0=" 0.1 "), ARRAYS)["base_lr"] == [0.1, 2.0]
    assert as_json(filled(T_0_0="3", budget="10"), ARRAYS)["T_0"] == [3, 10]
    assert as_json(filled(T_0_1="9"), FUNCTION)["T_0"] == [1, 9]
    assert as_json(filled(eta_ratio_1="0.5"), ARRAYS)["eta_ratio"] == [0.0, 0.5]
    assert as_json(filled(base_lr_1="0.5"), FUNCTION)["base_lr"] == [1e-3, 0.5]


def test_a_resumed_sweep_is_told_everything_since_it_would_keep_the_rest(sweeps):
    asked = as_json(filled(budget="5", confirm=True), ARRAYS)
    sweeps.submit(SweepRequest.model_validate(asked))
    sweeps.cancel("arrays")
    again = SweepRequest.model_validate(as_json(filled(resume=True, budget="5"), ARRAYS))
    assert again.model_fields_set == set(SweepRequest.model_fields)
    assert sweeps.check(again).request.confirm is False
    with pytest.raises(Conflict, match="with budget 5, not 20"):
        sweeps.check(SweepRequest.model_validate(as_json(filled(resume=True), ARRAYS)))


def test_the_defaults_that_are_shown_are_those_that_are_meant(sweeps):
    shown = placeholders(ARRAYS, "")
    assert (shown["budget"], shown["base_lr.1"], shown["T_0.1"]) == ("20", "2.0", "20")
    assert placeholders(ARRAYS, "7")["T_0.1"] == "7" and placeholders(ARRAYS, "x")["T_0.1"] == "20"
    assert shown["hparams.decay"] == '[1e-06, 0.1, "log"]' and shown["hparams.depth"] == "[1, 4]"
    typed = {name: value for name, value in shown.items() if value != "none"}
    asked = as_json({**filled(), **typed}, ARRAYS)
    one, other = (
        sweeps.check(SweepRequest.model_validate(request)) for request in (asked, {"workload": "arrays"})
    )
    assert one.settings.attributes() == other.settings.attributes()
    assert (one.study, one.settings.cost, one.settings.slots) == ("arrays", 16, None)


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("trials", "abc", "trials='abc' must be a whole number"),
        ("trials", "0", "trials=0 must be greater than or equal to 1"),
        ("trials", "1.5", "trials=1.5 must be a whole number"),
        ("trials", "9" * 5000, "trials='999"),
        ("trials", "1001", "trials=1001 must be at most 1000, the limit of this service"),
        ("budget", "nan", "budget='nan' must be a whole number"),
        ("study", "a/b", "study='a/b' must be a text"),
        ("study", " ", "study=' ' must be a text"),
        ("base_lr.0", "x", "base_lr='x' must be a number"),
        ("base_lr.1", "x", "base_lr='x' must be a number"),
        ("base_lr.0", "5", "base_lr=(5.0, 2.0) is inverted"),
        ("base_lr.0", "0", "base_lr=(0.0, 2.0) must begin above 0"),
        ("T_0.1", "2.5", "T_0=2.5 must be a whole number"),
        ("T_0.0", "30", "T_0=(30, 20) is inverted"),
        ("T_mult", "1, 2.5, x", "T_mult=2.5 must be a whole number"),
        ("T_mult", ",", "T_mult=() must be whole numbers"),
        ("eta_ratio.1", "inf", "eta_ratio='inf' must be a number"),
        ("slots", "many", "slots='many' must be a whole number or 'auto'"),
        ("slots", "0", "slots"),
        ("engine", "steam", "engine='steam' must be one of local, ray"),
        ("workers", "two", "workers='two' must be a whole number"),
        ("workers", "0", "workers=0 must be greater than or equal to 1"),
        ("workers", "2", "workers=2 is for engine='ray'"),
        ("cpus_per_worker", "0", "cpus_per_worker=0 must be greater than 0"),
        ("cpus_per_worker", "all", "cpus_per_worker='all' must be a number"),
        ("gpus_per_worker", "0.5", "gpus_per_worker=0.5 is for engine='ray'"),
        ("controls", "1", "controls=1 must be less than 1"),
        (
            "shapes",
            "cyclic, sine",
            f"shapes='sine' must be {', '.join(map(repr, [*SHAPES][:-1]))} or {[*SHAPES][-1]!r}",
        ),
        ("seed", "-1", "seed=-1 must be greater than or equal to 0"),
        ("timeout", "30m", "timeout='30m' must be a number"),
        ("timeout", "61", "timeout=61.0 must be at most 60.0"),
        ("hparams.decay", "much", "decay='much' must be a range"),
        ("hparams.decay", "[1,", "decay='[1,' must be a range"),
        ("hparams.decay", "NaN", "hparams=nan must be a finite number"),
        ("hparams.depth", '{"choices": []}', "hparams 'depth': {'choices': []} must be"),
        ("hparams.depth", "[" * 100_000, "hparams 'depth'"),
        ("workload", "broken", "the data is missing"),
        ("workload", "nope", "is not registered: use one of arrays"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(sweeps, field, text, said):
    with pytest.raises(REFUSALS) as refused:
        sweeps.check(SweepRequest.model_validate(as_json({**filled(), field: text}, ARRAYS)))
    faults = told(refused.value, ARRAYS.hparams)
    assert list(faults) == [field] or (field.startswith("hparams") and len(text) > 1000), faults
    assert all(len(words) < 600 for words in faults.values())
    assert len(text) > 1000 or said in faults[field], faults


def test_all_faults_are_told_at_once_and_others_on_top():
    with pytest.raises(ValidationError) as refused:
        SweepRequest.model_validate(as_json(filled(trials="x", base_lr_1="y", seed="z"), ARRAYS))
    assert told(refused.value, ()).keys() == {"trials", "base_lr.1", "seed"}
    assert told(Conflict("it exists"), ()) == {"study": "it exists"}
    assert told(Full("wait"), ()) == {"": "wait"}
    assert told(Invalid("odd"), ()) == {"": "odd"}
    assert "postgresql://" not in told(StorageError("postgresql://me@host"), ())[""]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_typed_is_either_possible_or_refused_at_a_field(sweeps, data):
    values = filled()
    texts = [name for name, value in values.items() if value == ""] + ["hparams.decay"]
    typed = st.text() | numbers.map(str) | st.sampled_from(["1e5", "-1", "[1, 2]", '{"choices": [1]}', "1,2"])
    for name in data.draw(st.lists(st.sampled_from(texts), max_size=4)):
        values[name] = data.draw(typed)
    asked = as_json(values, ARRAYS)
    outcomes = []
    for ask in (sweeps.check, sweeps.submit):
        try:
            outcomes.append(ask(SweepRequest.model_validate(asked)).study)
        except REFUSALS as refusal:
            faults = told(refusal, ARRAYS.hparams)
            assert faults and faults.keys() <= {*values, ""}
            outcomes.append(faults)
    one, other = outcomes
    assert one == other
    if isinstance(one, str):  # so that the next may have its name, and its place in the queue
        sweeps.cancel(one)
        with sweeps.storage() as storage:
            storage.delete_study(storage.get_study_id_from_name(one))


def test_a_check_is_a_launch_that_writes_nothing(sweeps, tmp_path):
    request = SweepRequest(workload="arrays", trials=8)
    with pytest.raises(Invalid):
        sweeps.check(SweepRequest(workload="arrays", budget=51))
    assert list(tmp_path.iterdir()) == []
    queued = sweeps.check(request)
    assert sweeps.all() == [] and not sweeps.changed.is_set()
    assert sweeps.submit(request).request == queued.request.model_dump()
    assert (queued.study, queued.request.timeout, queued.settings.budget) == ("arrays", 60.0, 20)
    for ask in (sweeps.check, sweeps.submit):
        with pytest.raises(Conflict, match="has a sweep that is queued"):
            ask(request)
    sweeps.submit(SweepRequest(workload="arrays", study="other"))
    for ask in (sweeps.check, sweeps.submit):
        with pytest.raises(Full, match="2 sweeps are queued already"):
            ask(SweepRequest(workload="function"))
    assert [status.study for status in sweeps.all()] == ["arrays", "other"]


def test_a_study_of_the_service_is_gone_on_with_as_it_was_asked_for(sweeps):
    asked = {"workload": "arrays", "study": "mine", "trials": 9, "base_lr": 0.5, "hparams": {"depth": [1, 2]}}
    sweeps.submit(SweepRequest.model_validate(asked))
    sweeps.cancel("mine")
    values, remarks = to_resume("mine", attributes_of(sweeps, "mine"), 4, KNOWN)
    assert remarks == [] and values["resume"] and values["trials"] == "9"
    assert values["hparams.depth"] == "[1, 2]"
    assert sweeps.check(SweepRequest.model_validate(as_json(values, ARRAYS))).study == "mine"
    values, remarks = to_resume("mine", attributes_of(sweeps, "mine"), 4, {"function"})
    assert values["workload"] == "" and "'arrays' of study 'mine' is not registered here" in remarks[0]


def test_a_study_that_was_swept_on_ray_goes_on_there_or_where_it_can(sweeps, monkeypatch):
    asked = {"workload": "arrays", "engine": "ray", "workers": 2, "cpus_per_worker": 0.5}
    sweeps.submit(SweepRequest.model_validate(asked))
    sweeps.cancel("arrays")
    values, remarks = to_resume("arrays", attributes_of(sweeps, "arrays"), 4, KNOWN)
    assert remarks == [] and (values["engine"], values["workers"]) == ("ray", "2")
    checked = sweeps.check(SweepRequest.model_validate(as_json(values, ARRAYS)))
    assert checked.cluster == Cluster(2, 0.5, 0.0, None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Invalid) as refused:
        sweeps.check(SweepRequest.model_validate(as_json(values, ARRAYS)))
    assert told(refused.value, ()).keys() == {"engine"}
    values, (remark,) = to_resume("arrays", attributes_of(sweeps, "arrays"), 4, KNOWN)
    assert "Ray, which is not installed here" in remark
    assert sweeps.check(SweepRequest.model_validate(as_json(values, ARRAYS))).cluster is None


@pytest.mark.parametrize(
    ("pruner", "given", "remarks"),
    [
        ("hyperband", {}, 1),
        (MedianPruner(), {"depth": [1, 3]}, 1),
        (PercentilePruner(25.0), {"depth": IntDistribution(1, 3, step=2)}, 3),
    ],
)
def test_a_study_of_the_command_line_is_gone_on_with_as_its_attributes_say(sweeps, pruner, given, remarks):
    from sgdr.search.problem.space import Space

    config = SweepConfig(
        trials=8,
        budget=7,
        space=Space(T_0=(2, 5), T_mult=2, eta_ratio=0.01, hparams=given),
        objective="final",
        pruner=pruner,
        sampler="random",
        controls=0.5,
        shapes=["restarts", "cyclic"],
        seed=3,
    )
    resolved = resolve(ARRAYS, config)
    with sweeps.storage() as storage:
        create_study(storage, "theirs", resolved, resume=False)
    values, said = to_resume("theirs", attributes_of(sweeps, "theirs"), 8, KNOWN)
    assert len(said) == remarks and values["trials"] == "72"
    request = SweepRequest.model_validate(as_json(values, ARRAYS))
    if "step" not in repr(given.get("depth", "")) or given["depth"] == [1, 3]:
        again = sweeps.check(request).settings.attributes()
        attributes = resolved.attributes()
        assert all(
            again[name] == attributes[name]
            for name in attributes
            if name != "pruner" or pruner == "hyperband"
        )
    else:  # the form has no steps
        with pytest.raises(Conflict, match="space hparams"):
            sweeps.check(request)


def attributes_of(sweeps, study):
    with sweeps.storage() as storage:
        return storage.get_study_user_attrs(storage.get_study_id_from_name(study))


def test_a_name_is_suggested_that_is_free():
    assert free_name("digits", {"other"}) == ""
    assert free_name("digits", {"digits", "digits-2", "digits-4"}) == "digits-3"


@pytest.mark.parametrize(
    ("searched", "form"),
    [
        (FloatDistribution(0.0, 1.0), [0.0, 1.0]),
        (FloatDistribution(1e-3, 1.0, log=True), [1e-3, 1.0, "log"]),
        (IntDistribution(1, 9), [1, 9]),
        (CategoricalDistribution([1, "a", None]), {"choices": [1, "a", None]}),
        (CategoricalDistribution([1.0, float("inf")]), None),
        (FloatDistribution(0.0, 1.0, step=0.5), None),
        (IntDistribution(0, 4, step=2), None),
    ],
)
def test_distributions_have_their_short_form(searched, form):
    assert short_form(searched) == form
    if form is not None:
        request = SweepRequest.model_validate({"workload": "arrays", "hparams": {"x": form}})
        known = Declaration("x", "error", "minimize", 9, "callable", None, None, None, {"x": searched}, None)
        assert request.space().resolved(known, 9).hparams["x"] == searched


# What it will cost


BEGAN = datetime.fromisoformat("2026-01-01T10:00:00+01:00")


def row(start, seconds, epochs, state="COMPLETE"):
    started = None if start is None else (BEGAN + timedelta(seconds=start)).isoformat()
    return {"state": state, "started": started, "seconds": seconds, "epochs": epochs}


def earlier(name, rows, steps=5, pruner="RestartAwarePruner", budget=20):
    attributes = {"steps_per_epoch": steps, "pruner": pruner, "budget": budget}
    return Earlier(name, attributes, rows)


def possible(sweeps, **arguments):
    return sweeps.check(SweepRequest.model_validate({"workload": "arrays", **arguments}))


def test_the_speed_is_that_of_the_time_in_which_any_trial_was_trained():
    # Two that overlap, one within another, a pause, one that is running, and one that never began.
    rows = [
        row(0, 4.0, 20),
        row(2, 4.0, 20),
        row(3, 1.0, 5, "PRUNED"),
        row(100, 2.0, 20),
        row(101, None, 0, "RUNNING"),
        row(None, None, 0, "WAITING"),
        row(50, None, 0, "FAIL"),
    ]
    assert speed([earlier("a", rows)], 5) == Measured(65 / 8, "a")
    assert speed([earlier("a", rows[4:])], 5) is None and speed([], 5) is None


def test_the_latest_study_tells_that_was_long_enough_and_has_as_many_steps():
    old, new = earlier("old", [row(0, 10.0, 20)]), earlier("new", [row(900, 5.0, 20)])
    brief, other = earlier("brief", [row(2000, 1.0, 2)]), earlier("other", [row(3000, 5.0, 50)], steps=7)
    assert speed([other, brief, new, old], 5).study == "new"
    assert speed([other, brief], 5).study == "other" and speed([brief], 5).study == "brief"
    assert speed([other, new], None).study == "other"


def test_an_estimate_is_what_is_left_at_the_speed_and_the_share_that_were_measured(sweeps):
    settings = possible(sweeps, trials=12, sampler="tpe").settings
    rows = [row(0, 10.0, 20), row(0, 10.0, 5, "PRUNED"), row(0, 10.0, 5, "PRUNED"), row(5, None, 3, "FAIL")]
    estimated = estimate(settings, "mine", [earlier("mine", rows)])
    assert (estimated.finished, estimated.trials, estimated.epochs) == (3, 9, 180)
    assert estimated.speed == Measured(3.0, "mine") and estimated.left == Measured(0.5, "mine")
    assert estimated.seconds == pytest.approx(180 * 0.5 / 3.0)
    assert sum(estimated.arms.values()) == 12 and estimated.arms["cosine"] == estimated.arms["constant"]
    other = estimate(settings, "mine", [earlier("theirs", rows, pruner="NopPruner")])
    assert (other.finished, other.left) == (0, None) and other.seconds == pytest.approx(240 / 3.0)
    nothing = estimate(settings, "mine", [])
    assert (nothing.speed, nothing.left, nothing.seconds) == (None, None, None)
    assert estimate(possible(sweeps, trials=2).settings, "mine", [earlier("mine", rows)]).trials == 0


def test_an_estimate_of_a_cost_is_what_is_left_of_it_and_no_pruner_leaves_any(sweeps):
    rows = [row(0, 10.0, 20), row(0, 10.0, 5, "PRUNED")]
    asked = possible(sweeps, cost=8.5, sampler="tpe")
    estimated = estimate(asked.settings, "mine", [earlier("mine", rows)])
    assert (estimated.finished, estimated.trials, estimated.epochs, estimated.left) == (2, 7, 145, None)
    assert estimated.seconds == pytest.approx(145 / 2.5) and sum(estimated.arms.values()) == 8
    words = " ".join(summary(asked, estimated, 0))
    assert "trains 7 trials of 20 epochs each beside 2 that are finished, or more where some are" in words
    assert "at most 145 epochs" in words and "takes at most about 58 s, at 2.5 epochs a second" in words
    assert "25 % of the first 8 trials are controls" in words
    done = possible(sweeps, cost=2)
    nothing = estimate(done.settings, "mine", [earlier("mine", rows)])
    assert nothing.trials == 0 and summary(done, nothing, 0)[0].startswith(
        "The study has spent its cost of 2:"
    )


def test_the_summary_tells_all_of_it(sweeps):
    how = {"confirm": True, "timeout": 30, "slots": 4, "hparams": {"depth": 3}}
    asked = possible(sweeps, trials=64, sampler="tpe", **how)
    arms = {"restarts": 48, "cosine": 8, "constant": 8}
    estimated = Estimate(arms, 4, 60, 1200, Measured(10.0, "a b"), Measured(0.25, "c"))
    words = " ".join(summary(asked, estimated, 2))
    for part in (
        "trains 60 trials beside 4 that are finished of 20 epochs each: at most 1,200 epochs, 6,000 ",
        "25 % of all 64 trials are controls without restarts: 8 of one cosine cycle, 8 at a constant rate",
        "base_lr from 0.01 to 2, T_0 from 1 to 20 epochs, T_mult among 1, 2 and 3, eta_min / base_lr from 0",
        "decay from 1e-06 to 0.1, depth at 3",
        "Slots: 4",
        "takes about 30 s, at 10 epochs a second, as in study 'a b', where pruning left 25 % of the epochs "
        "in study 'c'",
        "stops after about 30 s",
        "trained again on new seeds",
        "2 sweeps came before it",
    ):
        assert part in words
    alone = possible(sweeps, sampler="tpe", controls=0.0)
    first = summary(alone, Estimate({"restarts": 1}, 0, 1, 20, None, None), 0)
    assert UNMEASURED in first and any("not tell whether restarts help" in line for line in first)
    done = summary(asked, Estimate(arms, 64, 0, 0, None, None), 0)
    assert done[0].startswith("The study has its 64 trials") and UNMEASURED not in done
    on_ray = " ".join(summary(possible(sweeps, engine="ray", workers=2, gpus_per_worker=0.5), estimated, 0))
    assert "side by side as suit the devices of each worker" in on_ray
    assert "Workers on Ray: 2, each with 1 CPU and 0.5 GPU." in on_ray and "Ray" not in words
    assert "shares the trials out among restarts, one cosine cycle, linear decay" in on_ray
    closed = summary(possible(sweeps, closed=True, T_mult=2), estimated, 0)
    assert any("cycles from 1 to 4 cycles, T_mult at 2" in line for line in closed)


def test_the_form_says_what_is_started_from_and_that_the_space_is_widened(sweeps):
    start = "cosine base_lr=3 decay=1e-3 depth=2; linear base_lr=0.1 decay=1e-3 depth=2"
    asked = as_json(filled(start=start, budget="20"), ARRAYS)
    assert asked["start"] == start.split("; ")
    possible = sweeps.check(SweepRequest.model_validate(asked))
    words = summary(possible, estimate(possible.settings, possible.study, []), 0)
    assert words[2] == (
        "It trains first, and to the end, the 2 schedules that you start from; "
        "the space is widened to hold what it is to start from: base_lr to 0.01:3."
    )
    with pytest.raises(Invalid, match="which does not fit the budget of 2 epochs") as refused:
        short = as_json(filled(start="restarts base_lr=0.1 T_0=3 decay=1e-3 depth=2", budget="2"), ARRAYS)
        sweeps.check(SweepRequest.model_validate(short))
    assert told(refused.value, ()).keys() == {"start"}


def test_times_are_in_units_that_suit_them():
    assert [duration(seconds) for seconds in (0.2, 1.25, 99, 150, 5 * 3600.0, 1e7)] == [
        "less than 1 s",
        "about 1.2 s",
        "about 99 s",
        "about 2.5 min",
        "about 5 h",
        "about 116 days",
    ]


# The same elsewhere


@settings(max_examples=40, deadline=None)
@given(requests)
def test_the_commands_ask_for_the_same(asked):
    request = valid(asked)
    if request is None:
        return
    values = as_json(values_of(asked), ARRAYS)
    words = shlex.split(curl(values, "http://host:8000"))
    assert words[:4] == ["curl", "-H", "Authorization: Bearer $SGDR_TOKEN", "http://host:8000/v1/sweeps"]
    assert words[4] == "--json" and meant(SweepRequest.model_validate(json.loads(words[5]))) == meant(request)
    line = command_line(values, "sqlite:///its own.db")
    if request.hparams:
        assert line is None
        return
    parsed = parse(shlex.split(line))
    assert parsed.pop("storage") == "sqlite:///its own.db"
    assert meant(SweepRequest.model_validate(parsed)) == meant(request)


def test_a_command_says_what_is_not_the_default_and_no_password():
    assert command_line({"workload": "arrays"}, "sqlite:///sgdr.db") == "sgdr sweep --workload arrays"
    line = command_line({"workload": "arrays", "study": "-x"}, "postgresql://me:secret@host/db")
    assert "secret" not in line and "--study=-x" in line
    own = ("sqlite:///sgdr.db", "10.0.0.1:6379", Path("/kept"))
    assert command_line({"workload": "arrays"}, *own) == "sgdr sweep --workload arrays --checkpoints /kept"
    line = command_line({"workload": "arrays", "engine": "ray", "workers": 2, "gpus_per_worker": 0.5}, *own)
    assert line == (
        "sgdr sweep --workload arrays --engine ray --workers 2 --gpus-per-worker 0.5 "
        "--address 10.0.0.1:6379 --checkpoints /kept"
    )


def parse(words):
    """What `sgdr sweep` understands, as the arguments of a request."""
    command = typer.main.get_command(app).commands["sweep"]
    assert words[:2] == ["sgdr", "sweep"]
    params = command.make_context("sweep", words[2:]).params
    ranges = {
        name: options.numbers(name, params.pop(name), kind)
        for name, kind in (("base_lr", float), ("T_0", int), ("eta_ratio", float), ("warmup", int))
    }
    for name in ("json", "address", "checkpoints"):
        assert not params.pop(name)
    return {
        **params,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in ranges.items()},
        "T_mult": list(options.whole_numbers("T_mult", params["T_mult"])),
        **{name: params[name] and params[name].split(",") for name in ("shapes", "relatives")},
        "start": [*options.read(OPTIONS["start"], params["start"])] or None,
        "slots": options.slots("--slots", params["slots"]),
        "timeout": options.seconds("--timeout", params["timeout"]),
    }
