"""The workers of a launch as trials of one run of Ray Tune, which goes on in a thread."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from typing import Any, Self

from sgdr.search.sweeps.cluster import Cluster
from sgdr.search.sweeps.ray.worker import ENDINGS, WorkerSpec, train

STOP_SECONDS = 10.0
"""Seconds that Ray Tune is given to end a run."""
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "5",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""What Ray Tune reads from the environment: no tables and logs of its own, and no long wait for a worker that
hangs when all is done."""


class TuneRun:
    """A run of Ray Tune with a trial for each worker; Tune starts anew what died."""

    def __init__(self, spec: WorkerSpec, cluster: Cluster) -> None:
        self._spec, self._cluster = spec, cluster
        self._over, self._stopping = threading.Event(), threading.Event()
        self.deaths: list[str] = []
        """What each worker said last that ended with an error of no kind that is known."""
        self._results: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ray-tune", daemon=True)

    def __enter__(self) -> Self:
        """Starts the workers."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the run, whatever the workers do."""
        self._stopping.set()
        self._over.wait(STOP_SECONDS)

    def ended(self, timeout: float) -> bool:
        """Whether all workers have ended, waiting for that so many seconds at most."""
        return self._over.wait(timeout)

    def wait(self, seconds: float) -> None:
        """Lets the workers end by themselves, and ends those that do not."""
        if not self._over.wait(seconds):
            self.__exit__()

    def check(self) -> None:
        """Raises what workers have ended with, where that was an error."""
        if self._error is not None:
            raise RuntimeError(f"Ray Tune failed: {self._error}") from self._error
        for result in self._results or ():
            metrics = result.metrics or {}
            if kind := metrics.get("kind"):
                raise ENDINGS[kind](metrics["error"])

    def _run(self) -> None:
        os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
        try:
            with tempfile.TemporaryDirectory(prefix="sgdr-ray-", ignore_cleanup_errors=True) as folder:
                self._results = self._fit(folder)
        except BaseException as error:
            self._error = error
        finally:
            self._over.set()

    def _fit(self, folder: str) -> Any:
        from ray import tune

        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        resources = tune.PlacementGroupFactory(
            [{"CPU": self._cluster.cpus_per_worker, "GPU": self._cluster.gpus_per_worker}]
        )
        trainable = tune.with_resources(tune.with_parameters(train, spec=self._spec), resources)
        return tune.Tuner(
            trainable,
            param_space={"worker": tune.grid_search(list(range(self._cluster.workers)))},
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=folder,
                verbose=0,
                stop=_stopper(self._stopping),
                callbacks=[_reaper(self.deaths)],
                failure_config=tune.FailureConfig(max_failures=-1),
            ),
        ).fit()


def _reaper(deaths: list[str]) -> Any:
    """Notes every worker that dies, whether or not it is started again."""
    from ray.tune import Callback

    class Reaper(Callback):
        def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **more: Any) -> None:
            said = (trial.get_error() or "nothing").strip().splitlines()
            deaths.append(said[-1].strip())

        on_trial_error = on_trial_recover

        def __reduce__(self) -> Any:
            return Callback, ()

    return Reaper()


def _stopper(stopping: threading.Event) -> Any:
    """Ends the run at that event, whether or not a worker reports anything."""
    from ray.tune import Stopper
    from ray.tune.stopper import NoopStopper

    class Stopping(Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return stopping.is_set()

        def __reduce__(self) -> Any:  # Tune saves it with the run, which nobody restores
            return NoopStopper, ()

    return Stopping()
