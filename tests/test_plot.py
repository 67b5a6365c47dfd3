"""Figures: what is drawn, and that files are written whole or not at all."""

from types import SimpleNamespace

import numpy as np
import pytest

from sgdr import WarmRestarts
from sgdr.plot import MOST_RESTARTS, best_figure, save, schedule_figure
from sgdr.search.study.study import Best
from tests.storages import stored

SCHEDULE = WarmRestarts(0.1, 10, 2, 0.001)


def line(figure):
    return figure.axes[0].lines[0].get_xydata()


def test_the_drawn_rate_is_the_schedule_and_jumps_upright_at_restarts():
    points = line(schedule_figure(SCHEDULE, 0, 100))
    assert points[:, 1] == pytest.approx(SCHEDULE(points[:, 0]))
    assert (points[0, 0], points[0, 1]) == (0, 0.1) and points[-1, 0] > 99.9
    for restart in (10, 30, 70):
        at = np.flatnonzero(points[:, 0] == restart)[0]
        assert points[at, 1] == 0.1 and points[at - 1, 1] < 0.0011
        assert restart - points[at - 1, 0] < 1e-9


def test_restarts_are_marked_where_they_are_shown():
    axes = schedule_figure(SCHEDULE, 20, 75).axes[0]
    assert [mark.get_xdata()[0] for mark in axes.lines[1:]] == [30, 70]
    assert axes.get_xlim() == (20, 75)


def test_more_restarts_than_can_be_seen_are_refused():
    assert len(schedule_figure(WarmRestarts(0.1, 1), 0, MOST_RESTARTS).axes[0].lines) == MOST_RESTARTS
    schedule_figure(WarmRestarts(0.1, 1), 10**5, 10**5 + 50)
    for T_0, stop in ((1, 2 * MOST_RESTARTS), (1e-9, 10)):
        with pytest.raises(ValueError, match=r"restarts from 0 to .*: plot fewer steps"):
            schedule_figure(WarmRestarts(0.1, T_0), 0, stop)


def study_of(curves, **attributes):
    best = Best(3, 0.25, WarmRestarts(0.1, 2, 1), 2, 4, {}, 0, curves, "restarts", None)
    return SimpleNamespace(name="a$b$ \\frac {", best=best, stored=stored(**attributes))


def test_the_curve_of_the_best_trial_stands_under_its_schedule(tmp_path):
    study = study_of({"error": [0.5, 0.25, 0.4, 0.3], "select": [0.4, 0.2, 0.3, 0.3]}, select_metric="select")
    figure = best_figure(study)
    above, below = figure.axes
    assert above.get_title() == f"{study.name}: trial 3"
    assert below.lines[0].get_ydata().tolist() == [0.5, 0.25, 0.4, 0.3]
    assert [text.get_text() for text in below.get_legend().get_texts()] == [
        "error",
        "select",
        "0.25 at epoch 2",
    ]
    save(figure, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("low", "scale"), [(0.01, "log"), (0.1, "linear"), (-0.1, "linear"), (0.0, "linear")]
)
def test_curves_over_several_magnitudes_are_logarithmic(low, scale):
    assert best_figure(study_of({"error": [0.5, low, 0.4, 0.3]})).axes[1].get_yscale() == scale


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_files_are_replaced_whole(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    save(schedule_figure(SCHEDULE, 0, 100), path)
    assert path.stat().st_size > 1000 and list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_be_written_are_refused_and_leave_nothing(tmp_path):
    figure = schedule_figure(SCHEDULE, 0, 10)
    (tmp_path / "folder.png").mkdir()
    for name, said in (
        ("a.txt", "must end in"),
        ("a", "must end in"),
        ("no/a.png", "no folder"),
        ("folder.png", "cannot be written"),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            save(figure, tmp_path / name)
        assert name in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]
