"""What a workload declares, as it travels to where its code is not loaded."""

import json
import math

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sgdr import search
from sgdr.search.problem.declaration import Declaration


@search.workload(
    metric="error",
    direction="minimize",
    budget=7,
    name="words — 言葉",
    base_lr=(1e-3, 1),
    steps_per_epoch=40,
    interval="epoch",
    hparams={
        "decay": (1e-6, 1e-2, "log"),
        "depth": (1, 4),
        "kind": ["relu", "tanh", None, 2, True],
        "width": 64,
    },
)
def words(run: search.Run) -> None: ...


def test_declarations_say_what_the_workload_says(tiny):
    assert Declaration.of(tiny.workload) == Declaration(
        name="tiny",
        metric="error",
        direction="minimize",
        budget=6,
        kind="arrays",
        steps_per_epoch=2,
        base_lr=None,
        select_metric="select_error",
        hparams={},
        interval="step",
    )
    declared = Declaration.of(words)
    assert (declared.kind, declared.steps_per_epoch, declared.select_metric) == ("callable", 40, None)
    assert declared.interval == "epoch"
    assert declared.base_lr == (1e-3, 1.0)
    assert declared.hparams == {
        "decay": FloatDistribution(1e-6, 1e-2, log=True),
        "depth": IntDistribution(1, 4),
        "kind": CategoricalDistribution(["relu", "tanh", None, 2, True]),
        "width": IntDistribution(64, 64),
    }


@pytest.mark.parametrize("kind", ["Tiny", "Maximized", "words"])
def test_declarations_survive_as_json(tiny, kind):
    declared = Declaration.of(words if kind == "words" else getattr(tiny, kind)())
    assert Declaration.from_dict(json.loads(json.dumps(declared.to_dict(), allow_nan=False))) == declared


@pytest.mark.parametrize("workload", [3, "digits", None, object()], ids=["number", "text", "none", "object"])
def test_objects_that_are_no_workload_are_refused(workload):
    with pytest.raises(ValueError, match="has no init, update and evaluate"):
        Declaration.of(workload)


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("direction", "down", "direction='down' must be"),
        ("budget", 2.5, "budget=2.5 must be a whole number"),
        ("base_lr", (1.0, 0.1), r"base_lr=\(1.0, 0.1\) is inverted"),
        ("base_lr", (0.0, 1.0), "must begin above 0"),
        ("base_lr", math.nan, "base_lr=nan must be finite"),
        ("hparams", {"decay": (0.0, math.inf)}, r"decay=\(0.0, inf\) must be finite"),
        ("hparams", {"decay": "much"}, "decay='much' must be a range"),
    ],
)
def test_what_cannot_be_declared_is_refused(tiny, attribute, value, said):
    workload = tiny.Tiny()
    setattr(workload, attribute, value)
    with pytest.raises(ValueError, match=said):
        Declaration.of(workload)


def test_one_rate_is_a_range(tiny):
    workload = tiny.Tiny()
    workload.base_lr = 1
    assert Declaration.of(workload).base_lr == (1.0, 1.0)
