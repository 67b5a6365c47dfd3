"""Whole sweeps in this process: what they find, that they repeat, and how they end."""

import importlib.metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optuna
import pytest

from sgdr import WarmRestarts, search
from sgdr.search.backend import population
from sgdr.search.problem.arms import arm_of
from sgdr.search.problem.objective import value
from sgdr.shapes import EARLIER as ARMS
from sgdr.shapes import SHAPES


class Valley:
    """Gradient descent in a narrow valley: its error falls faster the better the schedule."""

    name = "valley"
    metric = "error"
    select_metric = "select_error"
    direction = "minimize"
    steps_per_epoch = 4
    budget = 8
    base_lr = (0.01, 4.0)

    def init(self, key: jax.Array) -> jax.Array:
        return 1 + 0.1 * jax.random.normal(key, (2,))

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> jax.Array:
        slope = state * jnp.array([1.0, 0.1]) + 0.01 * jax.random.normal(key, (2,))
        return state - lr * slope

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        error = jnp.sum(state**2)
        return {"error": error, "select_error": error * (1 + 0.01 * jnp.sin(1e4 * error))}


def slow(*values: object) -> Any:
    """A case of `make test-all` alone."""
    return pytest.param(*values, marks=pytest.mark.slow)


def storage(tmp_path: Path, name: str = "sgdr") -> str:
    return f"sqlite:///{tmp_path}/{name}.db"


def searched(study: search.Study) -> dict[str, int]:
    """How many finished trials were asked of each arm, by what they search."""
    finished = [trial.params for trial in study.frozen if trial.state.name in ("COMPLETE", "PRUNED")]
    restarts = sum("T_mult" in params for params in finished)
    cosine = sum("eta_ratio" in params for params in finished) - restarts
    return {"restarts": restarts, "cosine": cosine, "constant": len(finished) - restarts - cosine}


def stored(study: search.Study) -> list[optuna.trial.FrozenTrial]:
    """Its trials with all that the storage has of them."""
    return optuna.load_study(study_name=study.name, storage=study.url).trials


def comparable(study: search.Study) -> tuple[Any, ...]:
    """All that a sweep with the same seed must repeat."""
    trials = study.trials().drop(columns=["started", "seconds"])
    attributes = [
        {name: x for name, x in trial.user_attrs.items() if name not in ("worker", "seconds")}
        for trial in stored(study)
    ]
    values = [trial.intermediate_values for trial in stored(study)]
    return trials.to_csv(), attributes, values, [trial.params for trial in study.frozen]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> search.Result:
    """A sweep without a pruner, only to be read."""
    url = storage(tmp_path_factory.mktemp("whole"))
    how = {"pruner": "none", "sampler": "tpe", "slots": 4, "shapes": ARMS}
    return search.sweep(Valley(), trials=32, storage=url, **how)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> search.Study:
    """The study of a sweep in a closed space of 11 epochs, only to be read."""
    return search.sweep(
        Valley(),
        trials=24,
        budget=11,
        storage=storage(tmp_path_factory.mktemp("closed")),
        space=search.Space(closed=True),
        objective="best-trough",
        pruner="none",
        slots=4,
        shapes=ARMS,
    ).study


def test_finds_a_good_schedule_and_keeps_everything(whole: search.Result) -> None:
    result = whole
    assert result.reached
    best = result.best
    assert isinstance(best.schedule, WarmRestarts)
    trials = result.study.trials()
    assert len(trials) == 32
    assert best.value == trials.value.min() == trials.value[best.number]
    assert best.value < trials.value.median() / 2
    for trial in stored(result.study):
        schedule = WarmRestarts(**trial.user_attrs["schedule"])
        curve = trial.user_attrs["curve"]
        params = {"T_0": 8, "T_mult": 1, "eta_ratio": 1.0, **trial.params}  # a control has less to search
        assert schedule.eta_min == pytest.approx(params["base_lr"] * params["eta_ratio"])
        assert (schedule.base_lr, schedule.T_0) == (params["base_lr"], params["T_0"])
        assert schedule.T_mult == params["T_mult"]
        assert len(curve["error"]) == len(curve["select_error"]) == 8
        expected = value("best-epoch", curve["error"], schedule, "minimize", curve["select_error"])
        assert trial.value == pytest.approx(expected)
    assert result.study.attributes["versions"]["jax"] == importlib.metadata.version("jax")


@pytest.fixture
def tpe_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few trials are spread evenly before TPE chooses."""
    few = {**dict.fromkeys(SHAPES, 3), "restarts": 12}
    monkeypatch.setattr("sgdr.search.sweeps.settings.EVENLY", few)


@pytest.mark.usefixtures("tpe_soon")
@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "restart-aware"),
        slow("random", "none"),
        slow("tpe", "none"),
        slow("random", "restart-aware"),
        *(slow(sampler, pruner) for sampler in ("tpe", "random") for pruner in ("median", "hyperband")),
    ],
)
def test_same_seed_same_sweep(tmp_path: Path, pruner: str, sampler: str) -> None:
    studies = [
        search.sweep(
            Valley(),
            trials=40,
            storage=storage(tmp_path, str(n)),
            pruner=pruner,
            sampler=sampler,
            slots=4,
            seed=3,
            shapes=ARMS,
        ).study
        for n in range(2)
    ]
    assert comparable(studies[0]) == comparable(studies[1])
    assert ("PRUNED" in studies[0].counts) == (pruner != "none")
    assert searched(studies[0]) == {"restarts": 30, "cosine": 5, "constant": 5}


@pytest.mark.usefixtures("tpe_soon")
def test_calls_cut_by_the_clock_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studies = []
    for seconds in (1e-9, 1e9):
        monkeypatch.setattr("sgdr.search.backend.curves.CALL_SECONDS", seconds)
        url = storage(tmp_path, str(seconds))
        studies.append(search.sweep(Valley(), trials=24, storage=url, slots=4, seed=1).study)
    assert comparable(studies[0]) == comparable(studies[1])


def test_other_seed_other_sweep(tmp_path: Path) -> None:
    first, second = (
        search.sweep(
            Valley(), trials=4, storage=storage(tmp_path, str(seed)), seed=seed, sampler="tpe", slots=4
        ).study
        for seed in (0, 1)
    )
    assert (first.trials().base_lr != second.trials().base_lr).all()
    assert (first.trials().seed != second.trials().seed).all()


@pytest.mark.parametrize(
    ("trials", "slots"), [(3, 4), *(slow(trials, slots) for trials in (1, 3, 17) for slots in (2, 8))]
)
def test_any_number_of_trials_on_any_number_of_slots(tmp_path: Path, trials: int, slots: int) -> None:
    study = search.sweep(Valley(), trials=trials, storage=storage(tmp_path), slots=slots).study
    assert sum(study.counts.get(state, 0) for state in ("COMPLETE", "PRUNED")) == trials


def test_one_compilation_for_16_and_for_64_trials(tmp_path: Path) -> None:
    search.sweep(Valley(), trials=8, storage=storage(tmp_path, "warm"), slots=4)
    counts = [
        search.sweep(Valley(), trials=trials, storage=storage(tmp_path, str(trials)), slots=4).compilations
        for trials in (16, 64)
    ]
    assert counts == [1, 1]


def test_diverging_trials_end_there_and_make_room(tmp_path: Path) -> None:
    class Cliff(Valley):
        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            error = jnp.sum(state**2)
            return {"error": error, "select_error": jnp.where(error > 1e3, jnp.nan, error)}

    space = search.Space(base_lr=(0.5, 50.0))
    study = search.sweep(
        Cliff(), trials=24, storage=storage(tmp_path), space=space, pruner="none", slots=4, sampler="random"
    ).study
    trials = study.trials()
    diverged = trials[trials.diverged_at.notna()]
    assert 0 < len(diverged) < 24
    assert (diverged.state == "PRUNED").all()
    assert (diverged.epochs == diverged.diverged_at - 1).all()
    assert (trials[trials.diverged_at.isna()].state == "COMPLETE").all()
    assert np.isfinite(study.curves()[["error", "select_error"]].to_numpy()).all()


def test_nothing_but_diverging_trials_is_a_finished_sweep_without_a_best(tmp_path: Path) -> None:
    result = search.sweep(
        Valley(), trials=5, storage=storage(tmp_path), space=search.Space(base_lr=(1e30, 1e31)), slots=4
    )
    assert result.study.counts == {"PRUNED": 5}
    with pytest.raises(ValueError, match="no completed trial"):
        _ = result.best


def test_closed_space_ends_every_trial_at_its_last_trough(closed: search.Study) -> None:
    for trial in stored(closed):
        schedule = WarmRestarts(**trial.user_attrs["schedule"])
        trained = len(trial.user_attrs["curve"]["error"])
        cycles = schedule.troughs(trained)
        assert cycles[-1] == trained
        assert 11 // sum(schedule.T_mult**i for i in range(len(cycles))) == schedule.T_0


@pytest.mark.usefixtures("tpe_soon")
def test_maximised_metric_is_maximised(tmp_path: Path) -> None:
    class Peak(Valley):
        direction = "maximize"

        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            return {name: -error for name, error in super().evaluate(state).items()}

    minimised = search.sweep(Valley(), trials=30, storage=storage(tmp_path, "min"), slots=4).study
    maximised = search.sweep(Peak(), trials=30, storage=storage(tmp_path, "max"), slots=4).study
    assert maximised.best.value == -minimised.best.value
    assert [trial.params for trial in maximised.frozen] == [trial.params for trial in minimised.frozen]
    assert [trial.state for trial in maximised.frozen] == [trial.state for trial in minimised.frozen]


def test_any_optuna_pruner_and_sampler_can_be_used(tmp_path: Path) -> None:
    study = search.sweep(
        Valley(),
        trials=20,
        storage=storage(tmp_path),
        pruner=optuna.pruners.PercentilePruner(25.0, n_startup_trials=2),
        sampler=optuna.samplers.RandomSampler(seed=1),
        slots=4,
    ).study
    assert study.counts["PRUNED"] > 0
    assert study.attributes["pruner"] == "PercentilePruner"


def test_resume_goes_on_to_exactly_the_number_asked_for(tmp_path: Path) -> None:
    url = storage(tmp_path)
    search.sweep(Valley(), trials=6, storage=url, pruner="none", sampler="tpe", slots=4, seed=5)
    first = search.load("valley", url).trials()
    how = {"storage": url, "pruner": "none", "sampler": "tpe", "slots": 4, "resume": True}
    result = search.sweep(Valley(), trials=10, **how)
    trials = result.study.trials()
    assert result.study.counts == {"COMPLETE": 10}
    assert trials.iloc[:6].equals(first)
    assert trials.seed.is_unique
    again = search.sweep(Valley(), trials=10, **how)
    assert again.epochs == 0
    assert again.study.trials().equals(trials)


def test_resume_of_nothing_begins(tmp_path: Path) -> None:
    url = storage(tmp_path)
    study = search.sweep(Valley(), trials=3, storage=url, pruner="none", slots=4, resume=True).study
    assert study.counts == {"COMPLETE": 3}


@pytest.mark.slow
def test_timeout_stops_and_resume_finishes_with_the_same_trials(tmp_path: Path) -> None:
    url = storage(tmp_path)
    stopped = search.sweep(Valley(), trials=10_000, storage=url, pruner="none", slots=4, timeout=10.0)
    assert not stopped.reached
    counts = stopped.study.counts
    assert counts["FAIL"] == 4
    assert "RUNNING" not in counts
    wanted = counts.get("COMPLETE", 0) + 6
    finished = search.sweep(Valley(), trials=wanted, storage=url, pruner="none", slots=4, resume=True).study
    assert finished.counts == {"COMPLETE": wanted, "FAIL": 4}
    trials = finished.trials()
    dead = trials[trials.state == "FAIL"]
    again = trials[trials.retry_of.notna()].set_index("retry_of").loc[dead.index]
    for column in ("arm", "base_lr", "T_0", "T_mult", "eta_min", "seed"):
        assert again[column].tolist() == dead[column].tolist()


def test_interrupt_between_epochs_leaves_a_study_to_go_on_with_that_keeps_the_shares(tmp_path: Path) -> None:
    url = storage(tmp_path)

    def interrupt(progress: search.Progress) -> None:
        if progress.finished >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.sweep(
            Valley(),
            trials=32,
            storage=url,
            pruner="none",
            sampler="tpe",
            slots=4,
            shapes=ARMS,
            callback=search.Callback(interrupt),
        )
    counts = search.load("valley", url).counts
    assert "RUNNING" not in counts
    assert counts["COMPLETE"] >= 5
    how = {"pruner": "none", "sampler": "tpe", "slots": 4, "resume": True}
    study = search.sweep(Valley(), trials=32, storage=url, **how).study
    assert study.counts["COMPLETE"] == 32 and study.counts["FAIL"] > 0
    assert searched(study) == {"restarts": 24, "cosine": 4, "constant": 4}


def test_workload_that_breaks_leaves_nothing_running(tmp_path: Path) -> None:
    class Broken(Valley):
        def evaluate(self, state: Any) -> dict[str, jax.Array]:
            return {"error": jnp.zeros(3), "select_error": jnp.zeros(3)}

    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        search.sweep(Broken(), trials=3, storage=storage(tmp_path))
    assert not list(tmp_path.iterdir())


def test_hparams_of_a_workload_are_searched_and_recorded(tmp_path: Path) -> None:
    class Damped(Valley):
        hparams = {"damping": (0.0, 0.5), "power": [1, 2]}  # noqa: RUF012

        def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> jax.Array:
            moved = super().update(state, lr, step, key, hparams)
            return moved * (1 - lr * hparams["damping"] ** hparams["power"])

    space = search.Space(hparams={"damping": (0.2, 0.4)})
    how = {"storage": storage(tmp_path), "space": space, "sampler": "tpe", "slots": 4, "shapes": ARMS}
    study = search.sweep(Damped(), trials=8, **how).study
    trials = study.trials()
    assert trials.damping.between(0.2, 0.4).all()
    assert set(trials.power) <= {1, 2}
    assert {"cosine", "constant"} <= set(trials.arm)
    assert searched(study) == {"restarts": 6, "cosine": 1, "constant": 1}
    assert set(study.best.hparams) == {"damping", "power"}


def test_too_many_slots_for_the_memory_become_fewer_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Large(Valley):
        def init(self, key: jax.Array) -> jax.Array:
            return jnp.ones((10_000, 2))

        def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> jax.Array:
            return state * (1 - 0.1 * lr)

    monkeypatch.setattr("sgdr.search.backend.allocation.free_memory", lambda device, devices: 300_000)
    remarks: list[str] = []
    result = search.sweep(
        Large(),
        trials=16,
        budget=1,
        storage=storage(tmp_path),
        sampler="tpe",
        callback=search.Callback(on_remark=remarks.append),
    )
    assert 0 < result.slots < 16
    assert any("memory" in remark and f"{result.slots} are used" in remark for remark in remarks)
    with pytest.raises(ValueError, match=r"slots=16 .* memory .* fewer"):
        search.sweep(Large(), trials=16, budget=1, storage=storage(tmp_path), study="other", slots=16)


def test_a_quarter_of_the_trials_are_controls_and_each_trial_names_its_arm(tmp_path: Path) -> None:
    space = search.Space(T_0=(1, 4))  # of 8 epochs, so that all of the first arm restart
    how = {"storage": storage(tmp_path), "space": space, "sampler": "tpe", "slots": 4, "shapes": ARMS}
    study = search.sweep(Valley(), trials=64, **how).study
    expected = {"restarts": 48, "cosine": 8, "constant": 8}
    assert searched(study) == study.arms == study.trials().arm.value_counts().to_dict() == expected
    assert [trial.user_attrs["arm"] for trial in study.frozen] == study.trials().arm.tolist()


def test_a_control_does_what_its_arm_says(whole: search.Result) -> None:
    for trial in stored(whole.study):
        schedule = WarmRestarts(**trial.user_attrs["schedule"])
        arm = trial.user_attrs["arm"]
        assert arm == arm_of(schedule, 8)
        if "T_0" in trial.params:
            continue
        rates = [schedule(epoch) for epoch in range(9)]
        assert rates[0] == trial.params["base_lr"]
        assert len(trial.user_attrs["curve"]["error"]) == 8
        if arm == "constant":
            assert trial.params.keys() == {"base_lr"} and len(set(rates)) == 1
        else:
            assert trial.params.keys() == {"base_lr", "eta_ratio"}
            assert rates[:8] == sorted(rates[:8], reverse=True) and schedule.troughs(8) == [8]
            assert schedule.eta_min == rates[0] * trial.params["eta_ratio"] < rates[7]
    assert searched(whole.study) == {"restarts": 24, "cosine": 4, "constant": 4}


def test_a_schedule_that_is_too_long_to_restart_is_named_one_cosine(tmp_path: Path) -> None:
    space = search.Space(T_0=8)
    how = {"storage": storage(tmp_path), "space": space, "sampler": "tpe", "slots": 4, "shapes": ARMS}
    study = search.sweep(Valley(), trials=8, **how).study
    assert searched(study) == {"restarts": 6, "cosine": 1, "constant": 1}
    assert study.arms == {"cosine": 7, "constant": 1}


def test_without_controls_there_are_restarts_alone(tmp_path: Path) -> None:
    how = {"storage": storage(tmp_path), "sampler": "tpe", "slots": 4}
    study = search.sweep(Valley(), trials=16, controls=0, **how).study
    assert searched(study) == {"restarts": 16, "cosine": 0, "constant": 0}
    assert all("T_0" in trial.params for trial in study.frozen)


def test_any_share_may_go_to_controls(tmp_path: Path) -> None:
    how = {"storage": storage(tmp_path), "sampler": "tpe", "slots": 4, "shapes": ARMS}
    study = search.sweep(Valley(), trials=20, controls=0.9, **how).study
    assert searched(study) == {"restarts": 2, "cosine": 9, "constant": 9}
    assert study.attributes["controls"] == 0.9


@pytest.mark.parametrize("controls", [-0.1, 1, 1.5, float("nan"), "0.25", None, True])
def test_a_share_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path, controls: Any) -> None:
    with pytest.raises(ValueError, match=f"controls={controls!r} must be a share"):
        search.sweep(Valley(), trials=4, storage=storage(tmp_path), controls=controls)
    assert not list(tmp_path.iterdir())


def test_controls_of_a_closed_space_train_the_whole_budget(closed: search.Study) -> None:
    epochs = {arm: set() for arm in ARMS}
    for trial in stored(closed):
        arm = "restarts" if "cycles" in trial.params else trial.user_attrs["arm"]
        epochs[arm].add(len(trial.user_attrs["curve"]["error"]))
    assert epochs["cosine"] == epochs["constant"] == {11} and min(epochs["restarts"]) < 11


@pytest.mark.slow
def test_a_resumed_sweep_keeps_the_shares(tmp_path: Path) -> None:
    url = storage(tmp_path)
    for trials in (3, 8, 21, 32):
        how = {"storage": url, "sampler": "tpe", "slots": 4, "resume": True, "shapes": ARMS}
        study = search.sweep(Valley(), trials=trials, **how).study
    assert searched(study) == {"restarts": 24, "cosine": 4, "constant": 4}


@pytest.mark.slow
def test_a_resumed_sweep_goes_on_from_the_even_points_of_its_own_seed(tmp_path: Path) -> None:
    settings = {"pruner": "none", "sampler": "tpe", "slots": 4}
    whole = search.sweep(Valley(), trials=16, storage=storage(tmp_path, "whole"), seed=5, **settings).study
    url = storage(tmp_path)
    search.sweep(Valley(), trials=8, storage=url, seed=5, **settings)
    study = search.sweep(Valley(), trials=16, storage=url, resume=True, seed=0, **settings).study

    def rates(study: search.Study) -> list[float]:
        return sorted(trial.params["base_lr"] for trial in study.frozen)

    assert rates(study) == rates(whole)


class Asked(optuna.samplers.RandomSampler):
    """Keeps the names of the studies that it has sampled for."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.studies: list[str] = []

    def sample_independent(self, study: Any, *rest: Any) -> Any:
        self.studies.append(study.study_name)
        return super().sample_independent(study, *rest)


def test_a_sampler_of_the_users_own_is_asked_for_restarts_alone(tmp_path: Path) -> None:
    sampler = Asked()
    how = {"storage": storage(tmp_path), "slots": 4, "shapes": ARMS}
    study = search.sweep(Valley(), trials=32, sampler=sampler, **how).study
    assert sampler.studies == 24 * 4 * ["restarts"]  # four parameters each
    assert searched(study) == {"restarts": 24, "cosine": 4, "constant": 4}


class Watching(optuna.pruners.BasePruner):
    """Prunes every other trial, and keeps what it has been shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, dict[str, Any], list[Any]]] = []

    def prune(self, study: Any, trial: Any) -> bool:
        others = study.get_trials(deepcopy=False)
        self.shown.append((study.study_name, trial, others))
        return bool(trial.number % 2)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Watching, search.Study]:
    """Such a pruner after its sweep, only to be read."""
    pruner, url = Watching(), storage(tmp_path_factory.mktemp("watched"))
    how = {"storage": url, "pruner": pruner, "sampler": "tpe", "slots": 4, "shapes": ARMS}
    return pruner, search.sweep(Valley(), trials=32, **how).study


def test_a_pruner_compares_trials_of_one_arm_alone(watched: tuple[Watching, search.Study]) -> None:
    pruner, study = watched
    assert study.counts["PRUNED"] > 0
    assert {name for name, _, _ in pruner.shown} == set(ARMS)
    names = {"restarts": ["base_lr", "T_0", "T_mult", "eta_ratio"], "cosine": ["base_lr", "eta_ratio"]}
    for name, trial, others in pruner.shown:
        assert list(trial.params) == names.get(name, ["base_lr"])
        assert all(other.params.keys() == trial.params.keys() for other in others)


def test_a_pruner_sees_every_epoch_and_the_schedule(watched: tuple[Watching, search.Study]) -> None:
    pruner, study = watched
    kept = {trial.params["base_lr"]: trial.user_attrs for trial in stored(study)}
    for _, trial, _ in pruner.shown:
        attributes = kept[trial.params["base_lr"]]
        values = trial.intermediate_values
        assert trial.user_attrs["schedule"] == attributes["schedule"]
        assert list(values) == list(range(1, len(values) + 1))
        assert list(values.values()) == pytest.approx(attributes["curve"]["error"][: len(values)], rel=1e-6)


def test_a_pruner_of_a_resumed_sweep_knows_the_curves_of_before(tmp_path: Path) -> None:
    url, pruner = storage(tmp_path), Watching()
    how = {"storage": url, "sampler": "tpe", "slots": 4}
    before = search.sweep(Valley(), trials=8, pruner="none", shapes=ARMS, **how).study
    search.sweep(Valley(), trials=16, pruner=pruner, resume=True, **how)
    curves = {trial.params["base_lr"]: trial.user_attrs["curve"]["error"] for trial in stored(before)[:8]}
    known = {other.params["base_lr"]: other for _, _, others in pruner.shown for other in others}
    assert curves.keys() <= known.keys()
    for rate, curve in curves.items():
        assert known[rate].intermediate_values == dict(enumerate(curve, 1))


def test_a_resumed_sweep_finds_what_a_sampler_has_noted(tmp_path: Path) -> None:
    grid = {"base_lr": [0.1, 0.2, 0.3, 0.4], "T_0": [1, 2, 4, 8], "T_mult": [1], "eta_ratio": [0.0]}
    for trials in (6, 15):
        sampler = optuna.samplers.GridSampler(grid, seed=0)  # knows by its notes where it has been
        study = search.sweep(
            Valley(),
            trials=trials,
            storage=storage(tmp_path),
            sampler=sampler,
            pruner="none",
            controls=0,
            slots=4,
            resume=True,
        ).study
    assert len({(trial.params["base_lr"], trial.params["T_0"]) for trial in study.frozen}) == 15


@pytest.mark.parametrize(("moment", "at"), [slow("fill", 1), ("fill", 6), ("end", 1), slow("end", 6)])
def test_an_interrupt_between_two_notes_leaves_nothing_running(tmp_path, monkeypatch, moment, at):
    """The slot is filled after the trial is noted, and emptied before its end is."""
    url, calls = f"sqlite:///{tmp_path}/s.db", 0
    how = {"trials": 12, "pruner": "restart-aware", "sampler": "tpe", "slots": 4}
    how |= {"storage": url, "study": "s"}
    call = getattr(population.Population, moment)

    def interrupted(*arguments):
        nonlocal calls
        calls += 1
        if calls == at:
            raise KeyboardInterrupt
        return call(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(population.Population, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.sweep(Valley(), **how)
    stopped = search.load("s", url).trials()
    assert set(stopped.state) <= {"COMPLETE", "PRUNED", "FAIL"} and (stopped.state == "FAIL").any()
    table = search.sweep(Valley(), **how, resume=True).study.trials()
    assert table.state.isin(["COMPLETE", "PRUNED"]).sum() == 12
    assert set(table.retry_of.dropna()) == set(table.index[table.state == "FAIL"])


def test_what_changes_by_going_on_is_said(tmp_path, tiny):
    heard: list[str] = []
    asked = {
        "storage": f"sqlite:///{tmp_path}/s.db",
        "slots": 4,
        "callback": search.Callback(on_remark=heard.append),
    }
    search.sweep(tiny.workload, trials=4, **asked)
    search.sweep(tiny.workload, trials=8, resume=True, **asked)
    assert not heard
    search.sweep(tiny.workload, trials=12, resume=True, pruner="median", controls=0.5, **asked)
    assert heard == [
        "the study was begun with pruner NopPruner; its trials from here on have MedianPruner",
        "the study was begun with controls 0.25; its trials from here on have 0.5",
    ]


def test_names_of_studies_have_a_limit(tmp_path, tiny):
    with pytest.raises(ValueError, match="must have at most 200 characters, not 600"):
        search.sweep(tiny.workload, study="z" * 600, storage=f"sqlite:///{tmp_path}/s.db")
    assert not (tmp_path / "s.db").exists()


def test_a_space_is_a_space(tiny):
    with pytest.raises(ValueError, match=r"space=\{'base_lr': \(1, 2\)\} must be a search.Space"):
        search.sweep(tiny.workload, space={"base_lr": (1, 2)})
