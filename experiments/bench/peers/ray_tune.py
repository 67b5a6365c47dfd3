"""Ray Tune with OptunaSearch: one trial per CPU core at a time, each in an actor of its own.

By default each trial starts a new actor, which imports JAX and reads the data; with `--reuse-actors` an actor
takes the next trial over and compiles around its schedule. A trial is one `step()` that evaluates every epoch
and reports once, since every report is a message to the driver and a line in three log files.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import tempfile
import time
from functools import partial
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray leaves one in the home folder
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # actors share a GPU, if there is one

import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from experiments.bench.peers.space import suggest
from sgdr.search.backend.devices import cores

METRIC = "value"


class Trial(tune.Trainable):
    """Trains one trial in one step."""

    def setup(
        self, config: dict[str, Any], workload: str = "digits", epochs: int = 100, seed: int = 0
    ) -> None:
        """Imports JAX and the workload, in the actor only."""
        start = time.perf_counter()
        from experiments.bench.peers.training import Trainer
        from sgdr.search.problem.lookup import find
        from sgdr.search.problem.workload import Workload

        registered = find(workload)
        assert isinstance(registered, Workload)
        self._trainer = Trainer(registered, epochs)
        self._seed = seed
        self._params = config
        self._setup_seconds = time.perf_counter() - start

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Keeps process, data and what does not depend on the schedule."""
        self._params = new_config
        self._setup_seconds = 0.0
        return True

    def step(self) -> dict[str, Any]:
        """All epochs."""
        outcome = self._trainer.train(self._params, self._seed)
        return {
            METRIC: outcome.value,
            "setup": self._setup_seconds,
            "compile": outcome.compile_seconds,
            "train": outcome.train_seconds,
            "compilations": outcome.compilations,
            tune.result.DONE: True,
        }


def main() -> None:
    """Searches, and prints one JSON object: the best value, seconds by purpose, compilations.

    What the actors spend at the same time is summed and divided by how many there are. `fixed` are the
    seconds that do not grow with the trials, but for the imports; `imported_at`, in seconds since 1970, tells
    whoever started the process how long these took.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--reuse-actors", action="store_true")
    parser.add_argument("--workload", default="digits")
    parser.add_argument("--direction", default="minimize", choices=["minimize", "maximize"])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    imported_at = time.time()

    start = time.perf_counter()
    at_once = min(cores(), args.trials)
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        ray.init("local", num_cpus=cores(), include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        gpus = ray.cluster_resources().get("GPU", 0.0)
        started = time.perf_counter() - start
        try:
            results = search(args, {"cpu": 1, "gpu": gpus / cores()}, folder)
            searched = time.perf_counter()
        finally:
            ray.shutdown()
    stopped = time.perf_counter() - searched

    spent = {key: sum(row[key] for row in results) / at_once for key in ("setup", "compile", "train")}
    pick = min if args.direction == "minimize" else max
    report = {
        "trials": len(results),
        "best": pick(row[METRIC] for row in results),
        "compilations": sum(row["compilations"] for row in results),
        "timing": {**spent, "setup": started + stopped + spent["setup"]},
        "fixed": started + stopped,
        "imported_at": imported_at,
    }
    print(json.dumps(report))


def search(args: argparse.Namespace, resources: dict[str, float], folder: str) -> list[dict[str, Any]]:
    """The last report of every trial. Raises RuntimeError where a trial failed."""
    trainable = tune.with_parameters(Trial, workload=args.workload, epochs=args.epochs, seed=args.seed)
    mode = {"minimize": "min", "maximize": "max"}[args.direction]
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                partial(suggest, epochs=args.epochs), metric=METRIC, mode=mode, seed=args.seed
            ),
            num_samples=args.trials,
            reuse_actors=args.reuse_actors,
        ),
        run_config=tune.RunConfig(
            name="bench",
            storage_path=folder,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )
    results = tuner.fit()
    if results.num_errors:
        raise RuntimeError(f"{results.num_errors} of {len(results)} trials failed: {results.errors[0]}")
    return [results[i].metrics or {} for i in range(len(results))]


if __name__ == "__main__":
    main()
