"""A plain Optuna loop that compiles each trial around `optax.sgdr_schedule`.

Nothing is pruned, so a trial reports nothing before it returns its value: a report an epoch would cost the
storage far more than the training.
"""

from __future__ import annotations

import argparse
import json
import time

import optuna
from optuna.study import StudyDirection

from experiments.bench.peers.space import suggest
from experiments.bench.peers.training import Outcome, Trainer
from sgdr.search.problem.lookup import find
from sgdr.search.problem.workload import Workload


def main() -> None:
    """Searches, and prints one JSON object: the best value, seconds by purpose, compilations.

    `imported_at`, in seconds since 1970, tells whoever started the process how long the imports took.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--storage", required=True, help="for example sqlite:///bench.db")
    parser.add_argument("--workload", default="digits")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    imported_at = time.time()

    start = time.perf_counter()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    workload = find(args.workload)
    assert isinstance(workload, Workload)
    trainer = Trainer(workload, args.epochs)
    study = optuna.create_study(
        storage=args.storage,
        study_name="bench",
        sampler=optuna.samplers.TPESampler(seed=args.seed),
        direction=StudyDirection[workload.direction.upper()],
    )
    ready = time.perf_counter()
    outcomes: list[Outcome] = []

    def objective(trial: optuna.Trial) -> float:
        outcomes.append(trainer.train(suggest(trial, args.epochs), args.seed))
        return outcomes[-1].value

    study.optimize(objective, n_trials=args.trials)
    searched = time.perf_counter() - ready
    compiled = sum(outcome.compile_seconds for outcome in outcomes)
    trained = sum(outcome.train_seconds for outcome in outcomes)
    timing = {
        "setup": ready - start,
        "compile": compiled,
        "train": trained,
        "search": searched - compiled - trained,
    }
    report = {
        "trials": len(study.trials),
        "best": study.best_value,
        "compilations": sum(outcome.compilations for outcome in outcomes),
        "timing": timing,
        "imported_at": imported_at,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
