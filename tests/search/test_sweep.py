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
from sgdr.search.objective import value


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


def storage(tmp_path: Path, name: str = "sgdr") -> str:
    return f"sqlite:///{tmp_path}/{name}.db"


def comparable(study: search.Study) -> tuple[Any, ...]:
    """All that a sweep with the same seed must repeat."""
    trials = study.trials().drop(columns=["started", "seconds"])
    attributes = [
        {name: x for name, x in trial.user_attrs.items() if name not in ("worker", "seconds")}
        for trial in study.frozen
    ]
    values = [trial.intermediate_values for trial in study.frozen]
    return trials.to_csv(), attributes, values, [trial.params for trial in study.frozen]


def test_finds_a_good_schedule_and_keeps_everything(tmp_path: Path) -> None:
    result = search.sweep(Valley(), trials=20, storage=storage(tmp_path), pruner="none", slots=4)
    assert result.reached
    best = result.best
    assert isinstance(best.schedule, WarmRestarts)
    trials = result.study.trials()
    assert len(trials) == 20
    assert best.value == trials.value.min() == trials.value[best.number]
    assert best.value < trials.value.median() / 2
    for trial in result.study.frozen:
        schedule = WarmRestarts(**trial.user_attrs["schedule"])
        curve = trial.user_attrs["curve"]
        assert schedule.eta_min == pytest.approx(trial.params["base_lr"] * trial.params["eta_ratio"])
        assert (schedule.base_lr, schedule.T_0) == (trial.params["base_lr"], trial.params["T_0"])
        assert schedule.T_mult == trial.params["T_mult"]
        assert len(curve["error"]) == len(curve["select_error"]) == 8
        expected = value("best-epoch", curve["error"], schedule, "minimize", curve["select_error"])
        assert trial.value == pytest.approx(expected)
    assert result.study.attributes["versions"]["jax"] == importlib.metadata.version("jax")


@pytest.mark.parametrize("pruner", ["median", "hyperband", "none"])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
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
        ).study
        for n in range(2)
    ]
    assert comparable(studies[0]) == comparable(studies[1])
    assert ("PRUNED" in studies[0].counts) == (pruner != "none")


def test_calls_cut_by_the_clock_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studies = []
    for seconds in (1e-9, 1e9):
        monkeypatch.setattr("sgdr.search.worker.CALL_SECONDS", seconds)
        url = storage(tmp_path, str(seconds))
        studies.append(search.sweep(Valley(), trials=24, storage=url, slots=4, seed=1).study)
    assert comparable(studies[0]) == comparable(studies[1])


def test_other_seed_other_sweep(tmp_path: Path) -> None:
    first, second = (
        search.sweep(Valley(), trials=4, storage=storage(tmp_path, str(seed)), seed=seed).study
        for seed in (0, 1)
    )
    assert (first.trials().base_lr != second.trials().base_lr).all()
    assert (first.trials().seed != second.trials().seed).all()


@pytest.mark.parametrize("trials", [1, 3, 17])
def test_any_number_of_trials_on_any_number_of_slots(tmp_path: Path, trials: int) -> None:
    for slots in (2, 8):
        result = search.sweep(Valley(), trials=trials, storage=storage(tmp_path, str(slots)), slots=slots)
        assert (
            sum(
                result.study.counts[state] for state in ("COMPLETE", "PRUNED") if state in result.study.counts
            )
            == trials
        )


def test_one_compilation_for_16_and_for_64_trials(tmp_path: Path) -> None:
    search.sweep(Valley(), trials=8, storage=storage(tmp_path, "warm"), slots=8)
    counts = [
        search.sweep(Valley(), trials=trials, storage=storage(tmp_path, str(trials)), slots=8).compilations
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


def test_closed_space_ends_every_trial_at_its_last_trough(tmp_path: Path) -> None:
    study = search.sweep(
        Valley(),
        trials=24,
        budget=11,
        storage=storage(tmp_path),
        space=search.Space(closed=True),
        objective="best-trough",
        pruner="none",
        slots=4,
    ).study
    for trial in study.frozen:
        schedule = WarmRestarts(**trial.user_attrs["schedule"])
        trained = len(trial.user_attrs["curve"]["error"])
        cycles = schedule.troughs(trained)
        assert cycles[-1] == trained
        assert 11 // sum(schedule.T_mult**i for i in range(len(cycles))) == schedule.T_0


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
    search.sweep(Valley(), trials=6, storage=url, pruner="none", slots=4, seed=5)
    first = search.load("valley", url).trials()
    result = search.sweep(Valley(), trials=10, storage=url, pruner="none", slots=4, resume=True)
    trials = result.study.trials()
    assert result.study.counts == {"COMPLETE": 10}
    assert trials.iloc[:6].equals(first)
    assert trials.seed.is_unique
    again = search.sweep(Valley(), trials=10, storage=url, pruner="none", slots=4, resume=True)
    assert again.epochs == 0
    assert again.study.trials().equals(trials)


def test_resume_of_nothing_begins(tmp_path: Path) -> None:
    assert search.sweep(Valley(), trials=3, storage=storage(tmp_path), resume=True).study.counts == {
        "COMPLETE": 3
    }


def test_timeout_stops_and_resume_finishes_with_the_same_trials(tmp_path: Path) -> None:
    url = storage(tmp_path)
    stopped = search.sweep(Valley(), trials=10_000, storage=url, pruner="none", slots=4, timeout=10.0)
    assert not stopped.reached
    counts = stopped.study.counts
    assert counts["FAIL"] == 4
    assert "RUNNING" not in counts
    wanted = counts["COMPLETE"] + 6
    finished = search.sweep(Valley(), trials=wanted, storage=url, pruner="none", slots=4, resume=True).study
    assert finished.counts == {"COMPLETE": wanted, "FAIL": 4}
    trials = finished.trials()
    dead = trials[trials.state == "FAIL"]
    again = trials[trials.retry_of.notna()].set_index("retry_of").loc[dead.index]
    for column in ("base_lr", "T_0", "T_mult", "eta_min", "seed"):
        assert again[column].tolist() == dead[column].tolist()


def test_interrupt_between_epochs_leaves_a_study_to_go_on_with(tmp_path: Path) -> None:
    url = storage(tmp_path)

    def interrupt(progress: search.Progress) -> None:
        if progress.finished >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.sweep(Valley(), trials=30, storage=url, pruner="none", slots=4, on_progress=interrupt)
    counts = search.load("valley", url).counts
    assert "RUNNING" not in counts
    assert counts["COMPLETE"] >= 5
    study = search.sweep(Valley(), trials=30, storage=url, pruner="none", slots=4, resume=True).study
    assert study.counts["COMPLETE"] == 30


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
    study = search.sweep(Damped(), trials=8, storage=storage(tmp_path), space=space, slots=4).study
    trials = study.trials()
    assert trials.damping.between(0.2, 0.4).all()
    assert set(trials.power) <= {1, 2}
    assert set(study.best.hparams) == {"damping", "power"}


def test_too_many_slots_for_the_memory_become_fewer_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Large(Valley):
        def init(self, key: jax.Array) -> jax.Array:
            return jnp.ones((100_000, 2))

        def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> jax.Array:
            return state * (1 - 0.1 * lr)

    monkeypatch.setattr("sgdr.search.fitting.free_memory", lambda device, devices: 3_000_000)
    remarks: list[str] = []
    result = search.sweep(Large(), trials=16, budget=1, storage=storage(tmp_path), on_remark=remarks.append)
    assert 0 < result.slots < 16
    assert any("memory" in remark and f"{result.slots} are used" in remark for remark in remarks)
    with pytest.raises(ValueError, match=r"slots=64 .* memory .* fewer"):
        search.sweep(Large(), trials=64, budget=1, storage=storage(tmp_path), study="other", slots=64)
