"""What an error of an argument says, and that it comes whole through a pickle."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

import sgdr
from sgdr import ArgumentError, WarmRestarts, relatives
from sgdr.search import Space
from sgdr.search.problem import hparams
from sgdr.search.problem.arguments import one_of, whole

FIELDS = ("name", "value", "reason", "fix", "within")


def fields(error: ArgumentError) -> tuple[object, ...]:
    return (str(error), *(getattr(error, name) for name in FIELDS))


def test_the_usual_text_is_one_line_of_name_value_reason_and_fix():
    error = ArgumentError("slots", 0, "must be at least 1", "give e.g. slots=4")
    assert fields(error) == (
        "slots=0 must be at least 1; give e.g. slots=4",
        "slots",
        0,
        "must be at least 1",
        "give e.g. slots=4",
        None,
    )
    assert str(ArgumentError("slots", 0, "must be at least 1")) == "slots=0 must be at least 1"
    assert str(ArgumentError("slots", 0, "is none", message="no slots")) == "no slots"
    assert isinstance(error, ValueError) and sgdr.ArgumentError is ArgumentError


@pytest.mark.parametrize(
    ("refused", "named", "value", "within"),
    [
        (lambda: whole("slots", 0, 1, " or 'auto'"), "slots", 0, None),
        (lambda: one_of("engine", "slurm", ("local", "ray")), "engine", "slurm", None),
        (lambda: WarmRestarts(0.1, T_0=0), "T_0", 0, None),
        (lambda: WarmRestarts(0.1, 10, eta_min=0.2), "eta_min", 0.2, None),
        (lambda: WarmRestarts(0.1, 10)(-1), "step", -1, None),
        (lambda: WarmRestarts.closing(3, 4, base_lr=0.1), "budget", 3, None),
        (lambda: relatives.StepDecay(0.1, (30, 20), 0.5), "milestones", (30, 20), None),
        (lambda: Space(base_lr=(1, 0.1)), "base_lr", (1, 0.1), None),
        (lambda: Space(hparams={"decay": (1, 0)}), "decay", (1, 0), "hparams"),
        (lambda: Space(hparams={"T_0": (1, 2)}), "hparams", "T_0", None),
        (lambda: hparams.fixed("decay", "high"), "decay", "high", "hparams"),
    ],
)
def test_an_error_names_its_argument(refused, named, value, within):
    with pytest.raises(ArgumentError) as caught:
        refused()
    error = caught.value
    assert (error.name, error.value, error.within) == (named, value, within)
    assert named in str(error) and error.reason in str(error) and error.fix in str(error)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_an_error_is_as_it_was(protocol):
    error = ArgumentError("decay", (1, 0), "is inverted", "turn it", within="hparams", message="decay: no")
    error.add_note("at the second try")
    read = pickle.loads(pickle.dumps(error, protocol))
    assert type(read) is ArgumentError and read.args == error.args and read.__notes__ == error.__notes__
    assert fields(read) == fields(error)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_an_error_is_as_it_was(copied):
    error = ArgumentError("decay", [1, 0], "is inverted", "turn it", within="hparams")
    assert fields(copied(error)) == fields(error) and copied(error).args == error.args


def test_a_value_that_cannot_be_pickled_goes_as_its_text():
    error = ArgumentError("workload", lambda: None, "is no workload")
    read = pickle.loads(pickle.dumps(error))
    assert str(read) == str(error) and read.value == repr(error.value)


def test_an_error_comes_whole_out_of_another_process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        error = pool.submit(whole, "slots", 0, 1, " or 'auto'").exception()
    assert isinstance(error, ArgumentError)
    assert (error.name, error.value) == ("slots", 0)
    assert str(error) == "slots=0 must be a whole number of at least 1 or 'auto'"
