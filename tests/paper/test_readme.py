"""The published tables are those that the command makes today."""

from pathlib import Path

import pytest

import experiments.paper
from experiments.paper import grid, scenes

README = (Path(experiments.paper.__file__).with_name("README.md")).read_text()


@pytest.mark.parametrize("name", scenes.SCENES)
def test_they_have_a_row_for_every_schedule_and_the_command(name: str) -> None:
    scene = scenes.SCENES[name]
    told = README.split(f"### {scene.words}\n")[1].split("###")[0]
    for setting in grid.settings(scene.epochs, scene.rates, scene.peak).values():
        assert told.count(f"| {setting.name} ") >= 3
    assert f"`python -m experiments.paper --workload {name} --epochs {scene.epochs} --seeds 16`" in told
