"""How the texts of options are read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr.cli import options, schedules

FEW = settings(deadline=None, max_examples=30)
FLOATS = st.floats(allow_nan=False)


@FEW
@given(FLOATS, FLOATS)
def test_ranges_of_numbers_come_back_exactly(low, high):
    assert options.numbers("--base-lr", f"{low!r}:{high!r}", float) == (low, high)
    assert options.numbers("--base-lr", repr(low), float) == low


@FEW
@given(st.integers(), st.integers())
def test_ranges_of_whole_numbers_come_back_exactly(low, high):
    assert options.numbers("--T-0", f"{low}:{high}", int) == (low, high)


@FEW
@given(st.lists(st.integers(), min_size=1))
def test_lists_of_whole_numbers_come_back_exactly(numbers):
    assert options.whole_numbers("--T-mult", ",".join(map(str, numbers))) == tuple(numbers)


@FEW
@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_with_its_name(text):
    for option, read in (
        ("--base-lr", lambda: options.numbers("--base-lr", text, float)),
        ("--T-0", lambda: options.numbers("--T-0", text, int)),
        ("--T-mult", lambda: options.whole_numbers("--T-mult", text)),
        ("--slots", lambda: options.slots("--slots", text)),
        ("--steps", lambda: options.steps(text)),
        ("--timeout", lambda: options.seconds("--timeout", text)),
    ):
        try:
            read()
        except ValueError as error:
            assert str(error).startswith(f"{option} {text!r} ")


@FEW
@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(1, 50))
def test_steps_are_those_of_the_range(start, count, stride):
    stop = start + count
    assert options.steps(f"{start}:{stop}:{stride}") == range(start, stop, stride)
    assert options.steps(f"{start}:{stop}") == range(start, stop)
    assert list(options.steps(str(start))) == [start]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1.5 h", 5400),
        (" 3s ", 3),
        (None, None),
    ],
)
def test_times(text, expected):
    assert options.seconds("--timeout", text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1w", "1h30m", "h", "nan", "inf", "1e3"])
def test_times_that_cannot_be(text):
    with pytest.raises(ValueError, match=r"--timeout .* must be a time, as 90s"):
        options.seconds("--timeout", text)


@FEW
@given(st.integers(1, 10**6), st.integers(1, 9))
def test_whole_lengths_make_an_exact_schedule(T_0, T_mult):
    typed = {"base_lr": 0.1, "T_0": float(T_0), "T_mult": float(T_mult)}
    schedule = schedules.schedule(typed)
    assert type(schedule.T_0) is type(schedule.T_mult) is int
    assert schedule(T_0) == 0.1
