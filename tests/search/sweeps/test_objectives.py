"""Sweeps by objectives that are more than the metric of one model, and their confirmation."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sgdr import ArgumentError, WarmRestarts, search
from sgdr.search.problem.ensembles import Independent
from sgdr.search.problem.objective import members, value

SHAPES = ("restarts", "cosine", "constant")


def swept(tiny: ModuleType, folder: Path, objective: str, **options: Any) -> search.Study:
    space = search.Space(base_lr=(0.05, 0.5), T_0=(1, 3))
    asked = {
        "trials": 6,
        "slots": 2,
        "sampler": "tpe",
        "shapes": SHAPES,
        "space": space,
        "budget": 8,
        **options,
    }
    url = f"sqlite:///{folder}/s.db"
    return search.sweep(tiny.predicting, study="s", storage=url, objective=objective, **asked).study


def test_a_trial_is_worth_its_ensemble(tiny: ModuleType, tmp_path: Path) -> None:
    study = swept(tiny, tmp_path, "ensemble")
    assert study.counts == {"COMPLETE": 6}  # on the way nothing tells what an ensemble will be worth
    for best in study.ranked():
        assert best.value == pytest.approx(best.curves["ensemble"][-1], rel=1e-6)  # curves are shortened
        assert best.epoch == members(best.schedule, 8)[-1]
    schedules = {
        str(best.number): best.schedule
        for best in study.ranked()
        if len(best.schedule.troughs(budget=8)) in range(1, 6)
    }
    options: dict[str, Any] = {"budget": 8, "seeds": 1, "ensembles": [None], "slots": 2}
    for run in search.compare(tiny.predicting, schedules, objective="ensemble", **options).runs:
        assert run.value == pytest.approx(run.ensembles["ensemble of all"], rel=1e-5)
    answer = study.answer
    assert answer.objective == "ensemble" and answer.models == len(members(answer.schedule, 8))
    assert "Its ensemble error, that of " in str(answer)
    with pytest.raises(ValueError, match="objective 'ensemble', not 'final'"):
        swept(tiny, tmp_path, "final", resume=True)


@pytest.mark.parametrize("objective", ["anytime", "ensemble"])
def test_a_confirmation_reads_new_seeds_by_the_same_objective(
    tiny: ModuleType, tmp_path: Path, objective: str
) -> None:
    study = swept(tiny, tmp_path, objective)
    verdict = search.confirm("s", storage=study.url, workload=tiny.predicting, top=1, seeds=4, slots=2)
    assert f": {objective} error is " in verdict.words
    for candidate in verdict.candidates:
        seeds = list(candidate.values)
        assert len(seeds) == len(set(seeds)) and candidate.mean is not None
        if objective == "ensemble" and candidate.ensemble:
            assert candidate.ensemble["ensemble"] == pytest.approx(candidate.values[seeds[0]], rel=1e-5)


def test_a_trial_is_worth_the_mean_of_what_it_had_at_any_time(tiny: ModuleType, tmp_path: Path) -> None:
    study = swept(tiny, tmp_path, "anytime")
    for best in study.ranked():
        curve, select = best.curves["error"], best.curves["select_error"]
        assert best.value == pytest.approx(
            value("anytime", curve, best.schedule, "minimize", select), rel=1e-6
        )
    assert "Its anytime error" in str(study.answer)


def test_a_comparison_has_the_control_of_models_trained_apart(tiny: ModuleType) -> None:
    short = WarmRestarts(0.3, 2)
    schedules = {"snapshots": short, "apart": Independent(short), "one": WarmRestarts(0.3, 8)}
    result = search.compare(tiny.predicting, schedules, budget=8, seeds=3, objective="ensemble", slots=2)
    assert (
        result.values["apart"].notna().all() and (result.values["apart"] != result.values["snapshots"]).all()
    )
    for run in result.runs:
        assert run.value == run.curves["ensemble"][-1]
        if run.name == "one":
            assert run.value == pytest.approx(run.curves["error"][-1], rel=1e-5)


@pytest.mark.parametrize(
    ("objective", "T_0", "said"),
    [
        ("final", 2, "objective='final' does not suit 'apart', whose models begin anew at each restart"),
        ("ensemble", 1, "has 8 cycles in 8 epochs, and an ensemble 1 to 5 models; change T_0"),
        ("ensemble", 9, "has 0 cycles in 8 epochs"),
    ],
)
def test_models_trained_apart_are_refused_where_they_are_no_ensemble(
    tiny: ModuleType, objective: str, T_0: int, said: str
) -> None:
    schedules = {"apart": Independent(WarmRestarts(0.3, T_0))}
    with pytest.raises(ArgumentError, match=said):
        search.compare(tiny.predicting, schedules, budget=8, seeds=1, objective=objective, slots=2)


def test_what_does_not_predict_is_refused_before_anything_is_written(
    tiny: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="objective='ensemble' needs a workload with predict"):
        search.sweep(tiny.workload, storage=f"sqlite:///{tmp_path}/s.db", objective="ensemble")
    with pytest.raises(ArgumentError, match="objective='ensemble' needs a workload with predict"):
        search.compare(tiny.workload, {"a": WarmRestarts(0.1, 2)}, seeds=1, objective="ensemble")
    assert not list(tmp_path.iterdir())
