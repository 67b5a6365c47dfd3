"""Figures: what they show of rows and schedules, and that nothing a study may hold breaks them."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.arms import arms_figure
from sgdr_service.dashboard.figures.curves import Drawn, curves
from sgdr_service.dashboard.figures.history import SPARKS, best_so_far, compared, history, sparkline
from sgdr_service.dashboard.figures.importance import importance_figure, importances
from sgdr_service.dashboard.figures.parallel import MOST_LINES, parallel
from sgdr_service.dashboard.figures.rows import arm
from sgdr_service.dashboard.figures.schedules import MOST_RESTARTS, POINTS, schedules
from sgdr_service.dashboard.figures.space import MOST_BINS, heat_map, scatter
from sgdr_service.dashboard.figures.trial import best_figure

from experiments.bench.filled import fill
from sgdr import WarmRestarts, Warmup
from sgdr.search.study.listing import row_outcome
from sgdr.search.study.lookup import load
from sgdr.search.study.verdict import Confirmed, Verdict
from sgdr.shapes import SHAPES

EVIL = '<b>größe</b> <a href="javascript:x()">言葉</a> %{meta.summary} &amp;'
FIGURES = {
    "history": lambda rows, direction: history(rows, direction, EVIL, log=True),
    "compared": lambda rows, direction: compared({EVIL: rows, "": []}, direction, EVIL, by="epochs"),
    "heat map": lambda rows, direction: heat_map(rows, direction, EVIL),
    "median": lambda rows, direction: heat_map(rows, direction, EVIL, statistic="median"),
    "scatter": lambda rows, direction: scatter(rows, EVIL, log=True),
    "parallel": lambda rows, direction: parallel(rows, [EVIL, "decay"], direction, EVIL, top_percent=50),
    "importance": lambda rows, direction: importance_figure(importances(rows, [EVIL, "decay"], direction)),
    "arms": lambda rows, direction: arms_figure(None, rows, EVIL),
}


def row(number, value=0.1, **changed):
    columns = {"number": number, "state": "COMPLETE", "arm": "restarts", "value": value}
    columns |= {"base_lr": 0.1, "T_0": 10, "T_mult": 2, "eta_min": 0.001, "seed": 7, "epochs": 40}
    columns |= dict.fromkeys(("diverged_at", "retry_of", "seconds", "started", "error"))
    own = {EVIL: "<i>a</i>", "decay": 1e-4}
    hparams = {name: changed.pop(name, value) for name, value in own.items()}
    return {**columns, "hparams": hparams, **changed}


def unknown(number):
    blank = dict.fromkeys(("arm", "value", "base_lr", "T_0", "T_mult", "eta_min", "epochs", EVIL, "decay"))
    return row(number, **{**blank, "value": 0.3})


RUNNING = row(0, None, state="RUNNING", epochs=0)
ROWS = {
    "none": [],
    "running": [RUNNING],
    "waiting": [{**RUNNING, "state": "WAITING", "arm": None, "base_lr": None}],
    "pruned": [row(0, None, state="PRUNED"), row(1, None, state="PRUNED", diverged_at=3)],
    "one": [row(0)],
    "unknown": [unknown(0), row(1), unknown(2)],
    "not finite": [row(0, math.nan), row(1, math.inf), row(2, -math.inf), row(3, 1e308), row(4, -1e308)],
    "no numbers": [row(place, base_lr=math.nan, eta_min=math.inf, decay=math.nan) for place in range(9)],
    "equal": [row(place, 0.5) for place in range(20)],
    "one good": [row(place, 0.5 - (place == 3), T_0=1 + place) for place in range(20)],
    "controls": [row(0, arm="constant", eta_min=0.1, T_mult=1), row(1, arm="cosine", T_0=40, T_mult=1)],
    "unnamed": [row(0, arm=None), row(1, arm=None, T_0=40), row(2, arm=None, eta_min=0.1)],
    "mixed": [row(place, place + 1, **{EVIL: [None, True, 3, "<i>"][place % 4]}) for place in range(40)],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('figures')}/studies.db"
    fill(url, "filled", 300, epochs=40)
    return load("filled", url)


@pytest.fixture(scope="module")
def many(study):
    """10,000 rows, all complete."""
    rng = np.random.default_rng(0)
    done = [row for row in study.rows if row["state"] == "COMPLETE"]
    return [
        {**done[place % len(done)], "number": place, "value": value, "base_lr": rate}
        for place, (value, rate) in enumerate(
            zip(rng.random(10_000).tolist(), rng.random(10_000).tolist(), strict=True)
        )
    ]


def is_plotted(figure):
    """Asserts that it can be sent and drawn, without markup of the user's; gives its JSON."""
    assert figure.keys() == {"data", "layout", "config"} and figure["layout"]["meta"]["summary"]
    shown = {"data": figure["data"], "layout": {**figure["layout"], "meta": None}}
    for dimension in figure["data"][0].get("dimensions", []) if figure["data"] else []:
        dimension.pop("ticktext", None)  # the one text in which Plotly looks for no markup
    axes = [axis.pop("uirevision", "") for name, axis in shown["layout"].items() if "axis" in name]
    assert all(axis.count(" ") for axis in axes if axis)
    assert not re.search(r"<(?!br>|extra>|/extra>)|%\{meta", json.dumps(shown, allow_nan=False))
    return json.dumps(figure, allow_nan=False)


def named(figure):
    return {trace.get("name"): trace for trace in figure["data"]}


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_every_figure_survives_whatever_rows_hold(make, rows, direction):
    is_plotted(make(rows, direction))


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_figures_of_a_study_have_data_and_without_trials_words(make, study):
    assert make(study.rows, "minimize")["data"]
    words = make([RUNNING], "minimize")["layout"]["annotations"][0]["text"]
    assert "let the sweep run" in words


def test_a_history_has_all_trials_once_and_the_best_so_far(study):
    rows = study.rows
    figure = history(rows, "minimize", "error")
    counts = study.outcomes
    drawn = {name.split(" (")[0]: trace for name, trace in named(figure).items()}
    assert len(drawn["pruned"]["x"]) == counts["pruned"] and drawn["pruned"]["yaxis"] == "y2"
    assert len(drawn["diverged"]["x"]) == counts["diverged"]
    arms = ("restarts", "one cosine cycle", "a constant rate")
    assert sum(len(drawn[name]["x"]) for name in arms) == counts["complete"]
    assert drawn["restarts"]["customdata"] == drawn["restarts"]["x"]
    best = drawn["best so far"]
    assert best["y"][-1] == pytest.approx(study.ranked()[0].value, rel=1e-5) and best["x"][-1] == 299
    assert f"at trial {study.ranked()[0].number}" in figure["layout"]["meta"]["summary"]
    assert figure["layout"]["meta"]["summary"].startswith("300 trials; best error 0.0")


def test_the_best_so_far_follows_the_direction():
    rows = [row(0, 3.0), row(1, None, state="PRUNED"), row(2, 1.0), row(3, 2.0)]
    assert best_so_far(rows, "minimize") == ([0, 2, 3], [3.0, 1.0, 1.0])
    assert best_so_far(rows, "maximize") == ([0, 2, 3], [3.0, 3.0, 3.0])
    assert best_so_far([RUNNING], "minimize") == ([], [])


def test_studies_are_compared_by_trials_or_by_all_epochs_trained():
    rows = [row(0, 3.0), row(1, None, state="PRUNED", epochs=5), row(2, 1.0), row(3, 2.0, epochs=None)]
    for by, x in (("trials", [1, 3, 4]), ("epochs", [40, 85, 85])):
        trace = named(compared({"a": rows, "b": rows}, "minimize", "error", by=by))["a"]
        assert (trace["x"], trace["y"]) == (x, [3.0, 1.0, 1.0])


def test_a_logarithmic_axis_is_drawn_only_where_all_values_are_positive():
    assert history([row(0), row(1, 2.0)], "minimize", "a", log=True)["layout"]["yaxis"]["type"] == "log"
    assert history([row(0), row(1, 0.0)], "minimize", "a", log=True)["layout"]["yaxis"]["type"] == "linear"


def test_a_sparkline_is_an_image_of_numbers_with_a_label():
    drawn = sparkline([3.0, None, math.nan, 1.0], 100, 20, 'a "<b>" & c')
    assert drawn.startswith("<svg") and 'role="img" aria-label="a &quot;&lt;b&gt;&quot; &amp; c"' in drawn
    assert 'points="2.0,2.0 98.0,18.0"' in drawn
    assert len(re.findall(r"[\d.]+,[\d.]+", sparkline(list(range(1000)), 100, 20, "a"))) == SPARKS
    for values in ([], [1.0], [2.0, 2.0], [1e308, -1e308]):
        assert "nan" not in sparkline(values, 100, 20, "a") and "inf" not in sparkline(values, 100, 20, "a")


def test_outcomes_are_those_of_the_study(study):
    counted = [row_outcome(row) for row in study.rows]
    assert {name: counted.count(name) for name in set(counted)} == study.outcomes


def test_rows_that_name_no_arm_have_that_of_their_schedule():
    assert [arm(row) for row in ROWS["unnamed"]] == ["restarts", "cosine", "constant"]


def drawn(number=1, state="COMPLETE", T_0=10, T_mult=2, epochs=40, **changed):
    made = Drawn(
        number, state, "restarts", WarmRestarts(0.1, T_0, T_mult), [1 / n for n in range(1, epochs + 1)]
    )
    return replace(made, **changed)


def test_curves_mark_restarts_and_line_them_up_by_cycle():
    figure = curves([drawn(1), drawn(2, T_0=20, T_mult=1)], metric=EVIL)
    is_plotted(figure)
    assert figure["data"][0]["x"] == list(range(1, 41)) and not figure["layout"].get("shapes")
    assert figure["data"][1]["x"] == [10, None, 30, None, 40, None] and figure["data"][1]["y"][0] == 0.1
    aligned = curves([drawn(1), drawn(2, T_0=20, T_mult=1)], metric="error", aligned=True)["data"]
    assert aligned[1]["x"] == [1, None, 2, None, 2.25, None] and aligned[3]["x"] == [1, None, 2, None]
    assert aligned[0]["x"][4] == 0.5


def test_a_single_curve_has_upright_lines_at_its_restarts_and_a_constant_rate_none():
    assert curves([drawn()], metric="error")["layout"]["shapes"][0]["path"] == "M10,0V1M30,0V1"
    assert curves([drawn(arm="constant")], metric="error")["layout"]["shapes"] == []


def test_curves_dim_what_was_pruned_and_survive_holes():
    pruned = [drawn(n, "PRUNED", curve=[0.5, None, math.nan, math.inf]) for n in (3, 4)]
    figure = curves(
        [drawn(), *pruned, drawn(5, curve=[]), drawn(6, curve=[None])], metric="error", log_y=True
    )
    is_plotted(figure)
    assert len(figure["data"]) == 6 and figure["data"][2]["y"] == [0.5, None, None, None]
    assert [trace["name"] for trace in figure["data"] if trace["showlegend"]] == [
        "trial 1, restarts",
        "pruned",
    ]
    assert figure["data"][2]["opacity"] < 1 and figure["layout"]["yaxis"]["type"] == "log"
    long = curves([drawn(T_0=7777, T_mult=1, epochs=20_000)], metric="error")["data"]
    assert len(long[0]["x"]) < 2100 and {7777, 15554, 20_000} <= set(long[0]["x"])
    assert "annotations" in curves([], metric="error")["layout"]


def test_the_best_trial_has_its_rate_above_its_curve(study):
    best = next(best for best in study.ranked() if best.arm == "restarts")
    figure = best_figure(best, "error", "select_error")
    is_plotted(figure)
    rate, curve, select, chosen = figure["data"]
    assert max(rate["y"]) == pytest.approx(best.schedule.base_lr, rel=1e-5)
    assert curve["y"] == pytest.approx(best.curves["error"], rel=1e-5)
    assert select["name"] == "select_error"
    assert chosen["x"] == [best.epoch] and chosen["y"] == [pytest.approx(best.value, rel=1e-5)]
    assert len(best_figure(best, "error", None)["data"]) == 3


def test_the_heat_map_bins_T_0_and_leaves_cells_without_trials_empty():
    rows = [
        row(0, 0.3, T_0=1),
        row(1, 0.1, T_0=1),
        row(2, 0.2, T_0=5000, T_mult=3),
        row(3, 0.0, arm="cosine"),
    ]
    (trace,) = heat_map(rows, "minimize", "error")["data"]
    assert trace["x"][0] == "1" and trace["x"][-1].endswith("–5000") and len(trace["x"]) <= MOST_BINS
    assert trace["y"] == ["2", "3"] and trace["z"][0][0] == 0.1 and trace["z"][1][-1] == 0.2
    assert sum(value is not None for line in trace["z"] for value in line) == 2
    assert trace["hovertext"][0][0] == "best error 0.1 of 2<br>T_0 1, T_mult 2"
    assert heat_map(rows, "maximize", "error")["data"][0]["z"][0][0] == 0.3
    assert heat_map(rows, "minimize", "error", statistic="median")["data"][0]["z"][0][0] == 0.2


def test_a_constant_rate_has_no_eta_ratio_to_be_drawn():
    rows = [row(0), row(1, arm="constant", eta_min=0.1)]
    assert [(trace["xaxis"], trace["x"]) for trace in scatter(rows, "error")["data"]] == [
        ("x", [0.1]),
        ("x2", [0.01]),
        ("x", [0.1]),
    ]


def test_parallel_coordinates_have_the_best_trials_on_fitting_axes(many):
    rows = [row(n, n / 10, T_0=10**n, decay=10.0**-n, **{EVIL: "yx"[n % 2]}) for n in range(4)]
    (trace,) = parallel(rows, [EVIL, "decay"], "maximize", "error", top_percent=50)["data"]
    axes = {dimension["label"]: dimension for dimension in trace["dimensions"]}
    assert axes["T_0"]["values"] == [3, 2] and axes["T_0"]["ticktext"] == ["100", "1000"]
    assert axes[style.text(EVIL, style.LONGEST_TICK)]["ticktext"] == ["x", "y"]
    assert axes["decay"]["values"] == [0.001, 0.01]
    assert trace["line"]["color"] == [0.3, 0.2] and trace["line"]["reversescale"]
    (trace,) = parallel(many, [], "minimize", "error")["data"]
    assert len(trace["line"]["color"]) == MOST_LINES
    assert trace["line"]["color"][0] == pytest.approx(math.log10(min(row["value"] for row in many)), rel=1e-5)
    with pytest.raises(ValueError, match="top_percent=101"):
        parallel(many, [], "minimize", "error", top_percent=101)


def test_what_decides_is_the_most_important(caplog):
    rng = np.random.default_rng(0)
    rows = [
        row(
            n,
            abs(math.log10(rate) + 1),
            base_lr=rate,
            eta_min=rate * 0.07,
            T_0=int(rng.integers(1, 90)),
            decay=float(rng.random()),
        )
        for n, rate in enumerate((10 ** rng.uniform(-3, 0, 200)).tolist())
    ]
    shares = importances(rows, [EVIL, "decay"], "minimize")
    assert max(shares, key=shares.get) == "base_lr" and shares["base_lr"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert shares.keys() == {"base_lr", "T_0", "decay"} and not caplog.records
    assert importances(rows[:7], ["decay"], "minimize") == {}
    assert importances([{**one, "arm": "cosine"} for one in rows], ["decay"], "minimize") == {}
    bars = importance_figure(shares)["data"][0]
    assert bars["x"] == sorted(bars["x"], reverse=True) and bars["text"][0].endswith("%")


def confirmed(number, arm, mean, failed=None):
    low, high = (None, None) if mean is None else (mean - 0.1, mean + 0.2)
    return Confirmed(number, arm, WarmRestarts(0.1, 5), {}, 0.1, {}, mean, low, high, None, failed)


def test_a_verdict_is_drawn_as_means_with_intervals_and_values_without_one():
    candidates = (
        confirmed(38, "restarts", 0.5),
        confirmed(2, "constant", 0.6),
        confirmed(4, "restarts", None, EVIL),
    )
    verdict = Verdict("undecided", "undecided: so", candidates, 38, 2, None, None, EVIL, "minimize", 3, 64)
    figure = arms_figure(verdict, [], EVIL)
    is_plotted(figure)
    restarts = named(figure)["restarts"]
    assert restarts["y"] == ["restarts: trial 38", "restarts: trial 4 (failed)"] and restarts["x"] == [
        0.5,
        None,
    ]
    assert restarts["error_x"]["array"] == [0.2, None] and restarts["error_x"]["arrayminus"] == [0.1, None]
    assert figure["layout"]["yaxis"]["categoryarray"][1] == "a constant rate: trial 2"
    assert "95 % intervals" in figure["layout"]["meta"]["summary"]
    assert "distributed" in arms_figure(None, [row(0)], "error")["layout"]["meta"]["summary"]


def test_schedules_are_drawn_as_they_are_and_jump_upright():
    first = WarmRestarts(0.1, 10, 2, 0.001)
    figure = schedules([(EVIL, first), ("warm", Warmup(WarmRestarts(0.2, 2.5), 5))], 100, "epoch")
    is_plotted(figure)
    x, y = (np.array(figure["data"][0][name]) for name in "xy")
    assert len(x) <= POINTS and x[0] == 0 and x[-1] == 100
    assert sorted(y[x == 30]) == [0.001, 0.1]
    between = (x != 10) & (x != 30) & (x != 70)
    assert y[between] == pytest.approx(first(x[between]), rel=1e-3)
    assert figure["layout"]["shapes"][0]["path"] == "M10,0V1M30,0V1M70,0V1"
    x, y = (np.array(figure["data"][1][name]) for name in "xy")
    assert sorted(y[x == 7.5]) == [pytest.approx(0, abs=1e-9), 0.2] and y[0] == 0


@pytest.mark.parametrize(
    ("schedule", "stop"),
    [
        (WarmRestarts(0.1, 1e-9), 100),
        (WarmRestarts(0.1, 1, 1.0000001), 1e6),
        (WarmRestarts(0.1, 1), 2 * POINTS),
        (WarmRestarts(0.1, 1), 1e300),
        (Warmup(WarmRestarts(0.1, 0.01), 3), 90),
    ],
)
def test_more_restarts_than_can_be_seen_fill_the_space_between_trough_and_peak(schedule, stop):
    figure = schedules([("dense", schedule)], stop, "step")  # listing the restarts would take hours
    rates = np.array(figure["data"][0]["y"])
    assert len(rates) <= POINTS and not figure["layout"]["shapes"]
    if stop < 1e300:  # from there on floats are whole cycles apart
        for part in np.array_split(rates, 10)[1:]:
            assert part.min() < 0.005 and part.max() > 0.095
    assert f"more than {MOST_RESTARTS}" in figure["layout"]["meta"]["summary"]


def test_a_logarithmic_rate_shows_some_decades_where_it_falls_to_nothing():
    axis = schedules([("a", WarmRestarts(0.1, 10))], 100, "epoch", log_y=True)["layout"]["yaxis"]
    assert axis["type"] == "log" and axis["range"] == pytest.approx([-7.1, -0.9])
    assert "annotations" in schedules([], 100, "epoch")["layout"]
    with pytest.raises(ValueError, match="stop=inf"):
        schedules([], math.inf, "epoch")


def test_colours_can_be_seen_on_white_and_on_dark():
    def luminance(color):
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    for color in (*style.COLORS.values(), *(colour for _, colour in style.SCALE)):
        assert (
            1.05 / (luminance(color) + 0.05) >= 3 <= (luminance(color) + 0.05) / (luminance("#121212") + 0.05)
        )
    assert all(1.05 / (luminance(color) + 0.05) >= 4.5 for _, color in style.SCALE)
    assert len({style.COLORS[shape.color] for shape in SHAPES.values()}) == len(SHAPES)
    assert len({shape.marker for shape in SHAPES.values()}) == len(SHAPES)


def test_ten_thousand_rows_are_drawn_small(many):
    figure = history(many, "minimize", "error")
    assert len(is_plotted(figure)) < 400_000 and figure["data"][0]["type"] == "scattergl"
    assert importances(many, [], "minimize")
