"""Trains the paper's schedules on the same seeds and tells what they are worth, as tables in Markdown.

python -m experiments.paper --out out/paper
python -m experiments.paper --workload cifar10 --data DIR --seeds 5 --out out/cifar10
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from experiments.bench.report import machine
from experiments.paper import grid, published, scenes, tables
from experiments.paper.grid import Setting
from experiments.paper.reading import Runs
from experiments.paper.scenes import Scene
from experiments.paper.training import Training

KEYS = tuple(grid.settings(published.EPOCHS))
Planned = dict[str, tuple[Training, list[Setting]]]
"""What is trained of each workload, by its name."""


def main(arguments: list[str] | None = None) -> None:
    """Parses, trains what is missing, and prints the tables."""
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        chosen = {name: scenes.scene(name, args.data, args.depth, args.width) for name in args.workload}
        planned = {name: _planned(scene, args, args.out / name) for name, scene in chosen.items()}
        _refuse(planned, args.resume)
        text = "\n\n".join(_told(planned, chosen))
    except (ValueError, RuntimeError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        parser.exit(130, f"stopped; what is done is in {args.out}: go on with --resume\n")
    (args.out / "tables.md").write_text(f"{text}\n")
    print(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.paper", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = ", ".join(scenes.NAMES)
    small = list(scenes.SCENES)
    parser.add_argument(
        "--workload", nargs="+", metavar="NAME", choices=scenes.NAMES, default=small, help=f"of {names}"
    )
    parser.add_argument(
        "--schedules",
        nargs="+",
        metavar="NAME",
        choices=KEYS,
        default=list(KEYS),
        help=f"all by default: {', '.join(KEYS)}",
    )
    parser.add_argument("--seeds", type=_count, default=16, help="of each schedule")
    parser.add_argument("--epochs", type=_count, help="the budget, to which the schedules are scaled")
    parser.add_argument("--out", type=Path, default=Path("out/paper"), help="a folder for the runs")
    parser.add_argument("--resume", action="store_true", help="keep what is done there")
    parser.add_argument("--data", type=Path, help="the directory of CIFAR's files, python or binary")
    parser.add_argument("--depth", type=int, default=28, help="of the wide residual network on CIFAR")
    parser.add_argument("--width", type=int, default=10)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _planned(scene: Scene, args: argparse.Namespace, folder: Path) -> tuple[Training, list[Setting]]:
    epochs = args.epochs or scene.epochs
    settings = grid.settings(epochs, scene.rates, scene.peak)
    training = Training(scene.make(), folder, epochs, args.seeds, scene.slots)
    return training, [settings[key] for key in KEYS if key in args.schedules]


def _refuse(planned: Planned, resume: bool) -> None:
    """Raises ValueError where runs would be lost, and for kept ones that are of another kind."""
    for training, settings in planned.values():
        for setting in settings:
            if training.saved(setting) is not None and not resume:
                raise ValueError(
                    f"{training.path(setting)} exists; give --resume to keep it, or another --out"
                )


def _told(planned: Planned, chosen: dict[str, Scene]) -> list[str]:
    """Trains what is missing, with a bar on stderr; returns the tables of each workload."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    texts = []
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(
            "", total=sum(_left(training, settings) for training, settings in planned.values())
        )
        for name, (training, settings) in planned.items():
            runs = {setting.key: _trained(name, training, setting, progress, task) for setting in settings}
            some = f" --schedules {' '.join(runs)}" if len(runs) < len(KEYS) else ""
            options, about = f"--workload {name}{some}", machine("jax", "numpy")
            head = tables.heading(chosen[name].words, training.epochs, training.seeds, about, options)
            texts.append(f"{head}\n\n{tables.tables(runs)}")
    return texts


def _left(training: Training, settings: list[Setting]) -> int:
    """Epochs that are to be trained."""
    return training.seeds * training.epochs * sum(training.saved(setting) is None for setting in settings)


def _trained(name: str, training: Training, setting: Setting, progress: Progress, task: TaskID) -> Runs:
    """The runs of one schedule, trained now where they are not kept."""
    if (runs := training.saved(setting)) is not None:
        return runs
    began, before = time.perf_counter(), progress.tasks[task].completed
    progress.update(task, description=f"{name}: {setting.name}")
    runs = training.train(setting, lambda done: progress.update(task, completed=before + done))
    # Diverged runs end before their budget.
    progress.update(task, completed=before + training.seeds * training.epochs)
    progress.console.print(f"{name}: {setting.name}: {time.perf_counter() - began:.0f} s")
    return runs


if __name__ == "__main__":
    main()
