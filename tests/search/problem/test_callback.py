"""Who hears how it goes: a class of one's own, functions, or, with a warning, the functions of before."""

import pytest

from sgdr import search
from sgdr.search.problem.callback import SILENT, Callback, takes_functions


class Listener(Callback):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def on_remark(self, text: str) -> None:
        self.remarks.append(text)


@takes_functions
def remarking(callback: Callback = SILENT) -> str:
    callback.on_progress(1)
    callback.on_remark("so")
    return "done"


def test_what_is_not_overridden_is_silence():
    listener = Listener()
    assert remarking() == remarking(callback=listener) == "done"
    assert listener.remarks == ["so"]


def test_functions_take_the_place_of_methods():
    heard: list[object] = []
    remarking(callback=search.Callback(heard.append))
    remarking(callback=search.Callback(on_remark=heard.append))
    assert heard == [1, "so"]


def test_the_functions_of_before_are_heard_with_a_warning_that_names_callback():
    heard: list[object] = []
    with pytest.warns(DeprecationWarning, match=r"callback=search\.Callback\(on_progress=\.\.\., on_remark="):
        assert remarking(on_progress=heard.append, on_remark=heard.append) == "done"  # type: ignore[call-arg]
    assert heard == [1, "so"]


@pytest.mark.parametrize("name", ["sweep", "confirm", "compare"])
def test_all_three_take_them_still(name):
    with pytest.warns(DeprecationWarning, match="callback"), pytest.raises((TypeError, ValueError)):
        getattr(search, name)("no such thing", seeds=0, schedules={}, on_remark=print)


def test_what_is_no_callback_is_refused():
    with pytest.raises(ValueError, match=r"callback=None must be a search\.Callback"):
        remarking(callback=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="on_remark=3 must be a function"):
        Callback(on_remark=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="and on_remark are two"):
        remarking(callback=SILENT, on_remark=print)  # type: ignore[call-arg]
