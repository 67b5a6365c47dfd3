"""Ray Tune itself drives the trainable: searchers, schedulers, actors that are kept, killed and perturbed."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining
from ray.tune.search.optuna import OptunaSearch

from sgdr import search
from sgdr.search.backend.compilations import compilations
from sgdr.search.strategy.restart_aware import rungs

CONFIG = {"base_lr": 0.3, "T_0": 2, "T_mult": 2, "eta_ratio": 0.1, "seed": 3}
Fit = Callable[..., Any]

WALKING = """
from sgdr import search

@search.workload(metric="error", direction="minimize", budget=3)
def walking(run):
    for epoch in range(1, run.budget + 1):
        run.report(epoch, run.schedule.base_lr / epoch)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray on this machine, for the tests of this module; its workers can import `walking`."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "walking.py").write_text(WALKING)
    with pytest.MonkeyPatch.context() as environment:
        environment.syspath_prepend(str(folder))
        environment.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_AIR_NEW_OUTPUT", "0")
        environment.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home folder
        # This module is no package's, which the workers could import.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        with warnings.catch_warnings():
            # Ray forks to start its processes; where tests before have used JAX, that says so.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            # "local", since other tests may run a cluster of their own at the same time.
            ray.init(
                "local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False
            )
        yield
        ray.shutdown()
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


class Heard(tune.Callback):
    """All results by trial, in the order of the trials. Tune's own files lose some of a paused trial."""

    def __init__(self) -> None:
        self.results: dict[str, list[dict[str, Any]]] = {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        self.results.setdefault(trial.trial_id, []).append(dict(result))

    def column(self, name: str) -> list[list[Any]]:
        """The value of that name in all results of each trial."""
        return [[result[name] for result in self.results[trial]] for trial in sorted(self.results)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def fit(cluster: None, tmp_path: Path, heard: Heard) -> Fit:
    """Runs a Tuner, and returns its results."""

    def fitted(trainable: Any, space: Any, failures: int = 0, metric: str = "error", **options: Any) -> Any:
        tuner = tune.Tuner(
            trainable,
            param_space=space,
            tune_config=tune.TuneConfig(metric=metric, mode="min", **options),
            run_config=tune.RunConfig(
                storage_path=str(tmp_path),
                verbose=0,
                callbacks=[heard],
                failure_config=tune.FailureConfig(max_failures=failures),
            ),
        )
        return tuner.fit()

    return fitted


def watched(workload: Any, **options: Any) -> Any:
    """A trainable that also reports what was compiled in its process."""

    class Watched(search.trainable(workload, **options)):  # type: ignore[misc]
        def setup(self, config: Any) -> None:
            compilations()
            super().setup(config)

        def step(self) -> Any:
            return {**super().step(), "compiled": compilations()}

    return Watched


@pytest.mark.slow
def test_optuna_and_the_restart_aware_scheduler_on_actors_that_are_kept(tiny: ModuleType, fit: Fit) -> None:
    budget = 12
    results = fit(
        watched(tiny.Tiny(), budget=budget),
        search.tune_space(workload=tiny.workload, budget=budget),
        metric="objective",
        num_samples=16,
        search_alg=OptunaSearch(seed=1),
        scheduler=search.RestartAwareScheduler(budget, metric="error"),
        reuse_actors=True,
    )
    table = results.get_dataframe()
    assert not results.errors and len(table) == 16
    ended = set(table.training_iteration)
    assert (
        budget in ended and ended <= {*rungs(budget), budget} and sum(table.training_iteration < budget) > 3
    )
    # Once an actor has its program, no trial compiles again.
    for _, of_actor in table.groupby("pid"):
        assert of_actor.compiled.nunique() == 1
    assert table.pid.nunique() <= 3
    best = results.get_best_result()
    assert best.metrics["objective"] == table.objective.min()
    assert best.checkpoint is not None  # of its last trough


@pytest.mark.slow
def test_tunes_own_asha(tiny: ModuleType, fit: Fit) -> None:
    results = fit(
        search.trainable(tiny.Tiny()),
        search.tune_space(workload=tiny.workload),
        num_samples=8,
        scheduler=ASHAScheduler(max_t=6, grace_period=1, reduction_factor=2),
        reuse_actors=True,
    )
    table = results.get_dataframe()
    assert not results.errors and 6 in set(table.training_iteration) and min(table.training_iteration) < 6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Consider boosting PBT performance")  # said where it is not
def test_a_trial_is_perturbed_by_population_based_training_in_the_middle(
    tiny: ModuleType, fit: Fit, heard: Heard
) -> None:
    results = fit(
        search.trainable(tiny.Tiny(), budget=5),
        {"base_lr": tune.grid_search([1e-9, 0.1]), "T_0": 3, "eta_ratio": 0.5},
        scheduler=PopulationBasedTraining(
            time_attr="training_iteration",
            perturbation_interval=2,
            quantile_fraction=0.5,
            hyperparam_mutations={"eta_ratio": tune.uniform(0, 1)},
            custom_explore_fn=lambda config: {**config, "base_lr": 1e-9},
            synch=True,
        ),
        reuse_actors=True,
    )
    assert not results.errors
    for epochs in heard.column("epoch"):
        assert epochs == [1, 2, 3, 4, 5]
    learns_nothing, learns = heard.column("error")
    assert learns[3] < learns[1] < learns_nothing[1]
    # Every two epochs it is given the state of the other, which at its own rate stays as it is.
    assert learns_nothing[2:] == pytest.approx([learns[1], learns[1], learns[3]], rel=1e-5)
    assert max(heard.column("lr")[0]) <= 1e-9
    assert len({config["eta_ratio"] for config in heard.column("config")[0]}) > 1


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_goes_on_from_its_last_trough(
    tiny: ModuleType, fit: Fit, heard: Heard, tmp_path: Path
) -> None:
    marker = tmp_path / "killed"

    class Killed(search.trainable(tiny.Tiny(), budget=9)):  # type: ignore[misc]
        def step(self) -> Any:
            if self.config["dies"] and self._curves.epochs == 4 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().step()

    class Forgiving(Killed):
        def setup(self, config: Any) -> None:
            super().setup({name: value for name, value in config.items() if name != "dies"})

    results = fit(Forgiving, {**CONFIG, "dies": tune.grid_search([False, True])}, failures=1)
    assert marker.exists() and not results.errors
    whole, killed = heard.column("epoch")
    assert whole == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert killed == [1, 2, 3, 4, 3, 4, 5, 6, 7, 8, 9]  # again from the trough at 2
    expected, errors = heard.column("error")
    assert errors == [expected[epoch - 1] for epoch in killed]


@pytest.mark.slow
def test_a_registered_name_is_looked_up_on_the_workers(fit: Fit) -> None:
    cls = search.trainable("digits", budget=2)
    results = fit(cls, {**CONFIG, "base_lr": tune.grid_search([0.1, 0.2])}, reuse_actors=True)
    assert not results.errors and all(result.metrics["epoch"] == 2 for result in results)
    assert "digits" in Path(results[0].path).name


@pytest.mark.slow
def test_a_callable_workload(fit: Fit) -> None:
    from walking import walking  # type: ignore[import-not-found]

    results = fit(search.trainable(walking), {"base_lr": tune.grid_search([0.3, 0.6]), "T_0": 2})
    assert not results.errors
    assert sorted(result.metrics["error"] for result in results) == pytest.approx([0.1, 0.2])
