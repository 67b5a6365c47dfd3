"""Finding workloads by name, and what is refused of them before anything runs."""

import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from sgdr import search
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.lookup import find, registered


@pytest.fixture
def module(tmp_path, monkeypatch, tiny, request):
    """The name of an importable module with the tiny workloads, other than for any other test."""
    name = f"tiny_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(Path(tiny.__file__).read_text())
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_the_registered_are_known_by_name():
    assert {"digits", "digits-noisy", "mnist1d", "fashion-mnist", "fashion-mnist-cnn"} <= set(registered())
    assert list(registered()) == sorted(registered())


def test_unknown_names_list_the_known_and_paths_are_for_the_command_line_alone(module):
    with pytest.raises(ValueError, match=r"unknown workload 'nope': use one of digits, .*mnist1d-noisy$"):
        find("nope")
    with pytest.raises(ValueError, match="unknown workload"):
        find(f"{module}:workload")
    with pytest.raises(ValueError, match=r"or package\.module:object"):
        find("nope", allow_import=True)


@pytest.mark.parametrize("attribute", ["workload", "Tiny", "factory"])
def test_objects_classes_and_functions_give_a_workload(module, attribute):
    workload = find(f"{module}:{attribute}", allow_import=True)
    assert (
        not isinstance(workload, type) and workload.name == "tiny" and isinstance(workload, search.Workload)
    )


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("nope", "has no 'nope'"),
        ("Tiny.nope", "has no 'Tiny.nope'"),
        ("", "has no ''"),
        ("no_workload", "is a dict without init, update and evaluate"),
        ("broken_factory", r"calling it failed: RuntimeError: the data is missing \(.*tiny.*py, line \d+\)"),
        (
            "plain",
            r"plain\(\) takes arguments, .* decorate a training function with @search\.workload\(metric=",
        ),
        ("WrongDirection", "direction='down' must be 'minimize' or 'maximize'"),
        ("WrongBudget", "budget=2.5 must be a whole number of at least 1"),
    ],
)
def test_paths_that_lead_to_no_workload_are_refused(module, attribute, said):
    with pytest.raises(ValueError, match=said):
        find(f"{module}:{attribute}", allow_import=True)


@pytest.mark.parametrize("path", ["./odd.py", "odd.py", "/a/folder/odd.py", "../odd"])
def test_files_in_the_place_of_modules_are_refused_with_the_module(path):
    with pytest.raises(ValueError, match=rf"'{path}' is no module; give odd:const, from the folder where it"):
        find(f"{path}:const", allow_import=True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import not_installed_here", "no module named 'not_installed_here'"),
        ("def (", "cannot be imported: SyntaxError"),
        ("1 / 0", r"cannot be imported: ZeroDivisionError: division by zero \(.*line 1\)"),
    ],
)
def test_modules_that_cannot_be_imported_are_refused(tmp_path, monkeypatch, code, said):
    folder = tmp_path / "sgdr"  # of the user's own, not the library
    folder.mkdir()
    (folder / "broken_workload.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ValueError, match=rf"workload 'broken_workload:x'.*{said}"):
        find("broken_workload:x", allow_import=True)
    sys.modules.pop("broken_workload", None)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("LacksMetric", r"metric='error' is not among evaluate\(\)'s \['loss'\]"),
        ("NoScalar", r"evaluate\(\)\['error'\] has shape \(3,\); reduce it to a scalar"),
        ("ChangesShape", r"from float32\[3\] into float32\[6\]"),
        ("ChangesTree", r"update\(\) returns another tree than init\(\)"),
        ("Fails", r"update\(\) fails: KeyError: 'no such layer' \(.*tiny\.py, line \d+\)"),
    ],
)
def test_functions_that_do_not_fit_together_are_refused(tiny, kind, said):
    with pytest.raises(ValueError, match=f"workload 'tiny': .*{said}"):
        check_functions(getattr(tiny, kind)(), {})


@pytest.mark.parametrize("name", ["number", "epoch", "_finite"])
def test_values_may_not_be_called_as_the_columns_of_curves(tiny, name):
    class Named(tiny.Tiny):
        def evaluate(self, state):
            return {**super().evaluate(state), name: jnp.sum(state)}

    with pytest.raises(ValueError, match=rf"evaluate\(\)\['{name}'\] .*rename it"):
        check_functions(Named(), {})


def test_functions_are_traced_and_not_run(tiny):
    class Counting(tiny.Tiny):
        hparams = {"decay": (0.0, 1.0)}  # noqa: RUF012

        def update(self, state, lr, step, key, hparams):
            assert lr.shape == step.shape == hparams["decay"].shape == ()
            assert lr.dtype == hparams["decay"].dtype == jnp.float32 and step.dtype == jnp.int32
            return state * hparams["decay"]

        def evaluate(self, state):
            with pytest.raises(Exception, match=r"[Tt]racer|concrete"):
                float(state[0])
            return super().evaluate(state)

    check_functions(Counting(), {"decay": 0.0})


def test_the_decorator_makes_a_workload_and_refuses_what_cannot_be():
    @search.workload(metric="error", direction="minimize", budget=3, hparams={"decay": (0, 1)})
    def train(run: search.Run) -> None:
        run.report(1, 0.5)

    assert isinstance(train, search.CallableWorkload)
    assert (train.name, train.metric, train.budget, train.hparams) == ("train", "error", 3, {"decay": (0, 1)})
    for bad, said in (
        ({"direction": "down"}, "direction='down'"),
        ({"budget": 0}, "budget=0"),
        ({"metric": ""}, "metric=''"),
        ({"steps_per_epoch": 0}, "steps_per_epoch=0 must be a whole number of at least 1"),
        ({"steps_per_epoch": 2.5}, "steps_per_epoch=2.5"),
        ({"steps_per_epoch": True}, "steps_per_epoch=True"),
        ({"interval": "batch"}, "interval must be 'step' or 'epoch', got 'batch'"),
    ):
        declared = {"metric": "error", "direction": "minimize", "budget": 3, **bad}
        with pytest.raises(ValueError, match=said):
            search.workload(**declared)(lambda run: None)
