"""Verdicts: kept as JSON and read back, and what they say in words."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr import WarmRestarts
from sgdr.search.study.verdict import DECISIONS, Confirmed, Verdict, in_words
from sgdr.shapes import SHAPES

numbers = st.floats(allow_nan=False, allow_infinity=False)

confirmed = st.builds(
    Confirmed,
    number=st.integers(0, 10**6),
    arm=st.sampled_from(list(SHAPES)),
    schedule=st.builds(
        WarmRestarts,
        base_lr=st.floats(0.1, 1),
        T_0=st.integers(1, 100) | st.floats(0.5, 100),
        T_mult=st.sampled_from([1, 2, 1.5]),
        eta_min=st.floats(0, 0.1),
    ),
    hparams=st.dictionaries(st.text(), numbers | st.integers() | st.text() | st.booleans()),
    searched=numbers,
    values=st.dictionaries(st.integers(0, 2**31 - 1), numbers),
    mean=st.none() | numbers,
    low=st.none() | numbers,
    high=st.none() | numbers,
    epoch=st.none() | numbers,
    failed=st.none() | st.text(),
    ensemble=st.none() | st.fixed_dictionaries({"ensemble": numbers, "single": numbers, "troughs": numbers}),
)

verdicts = st.builds(
    Verdict,
    decision=st.sampled_from(DECISIONS),
    words=st.text(),
    candidates=st.lists(confirmed, min_size=1, max_size=3).map(tuple),
    restarts=st.none() | st.integers(0, 99),
    control=st.none() | st.integers(0, 99),
    difference=st.none() | st.fixed_dictionaries(dict.fromkeys(("mean", "low", "high", "seeds"), numbers)),
    more_seeds=st.none() | st.integers(1, 10**9),
    metric=st.text(),
    direction=st.sampled_from(["minimize", "maximize"]),
    seeds=st.integers(2, 10**6),
    trials=st.integers(1, 10**6),
)


def candidate(number=3, **changed):
    confirmed = Confirmed(
        number=number,
        arm="restarts",
        schedule=WarmRestarts(0.1, 5, 2),
        hparams={},
        searched=0.1,
        values={7: 0.2, 8: 0.4},
        mean=0.3,
        low=0.2,
        high=0.4,
        epoch=4.5,
    )
    return replace(confirmed, **changed)


def verdict(*candidates):
    return Verdict("undecided", "so", candidates, None, None, None, None, "error", "minimize", 64, 20)


@given(verdicts)
def test_it_comes_back_from_json_as_it_was(reached):
    plain = json.loads(json.dumps(reached.to_dict(), allow_nan=False))
    assert plain == reached.to_dict() and Verdict.from_dict(plain) == reached


def test_its_dictionary_names_seeds_and_fields_as_a_reader_would():
    plain = verdict(candidate()).to_dict()
    (only,) = plain["candidates"]
    assert only["values"] == {"7": 0.2, "8": 0.4}
    assert only["schedule"] == {"base_lr": 0.1, "T_0": 5, "T_mult": 2, "eta_min": 0.0}
    assert plain["decision"] == "undecided" and plain["direction"] == "minimize" and plain["seeds"] == 64


def test_its_text_is_its_words():
    assert str(verdict(candidate())) == "so"


def test_the_best_is_the_first_candidate_and_none_where_that_has_no_mean():
    assert verdict(candidate(4), candidate(3)).best.number == 4
    assert verdict(candidate(mean=None, low=None, high=None, failed="diverged")).best is None


DIFFERENCE = {"mean": -0.0123, "low": -0.02, "high": -0.004, "seeds": 32}


def test_help_is_said_with_the_difference_the_interval_and_the_seeds():
    assert in_words("restarts help", "error", DIFFERENCE, "cosine", None) == (
        "restarts help: error is 0.0123 lower with restarts than with one cosine cycle "
        "(95 % interval -0.02 to -0.004, 32 paired seeds)"
    )


@pytest.mark.parametrize(
    ("decision", "mean", "word"),
    [
        ("restarts help", -0.5, "lower"),
        ("restarts help", 0.5, "higher"),  # of a metric that is maximised
        ("restarts do not help", 0.5, "higher"),
        ("restarts do not help", -0.5, "lower"),
    ],
)
def test_lower_and_higher_are_of_the_metric_itself(decision, mean, word):
    said = in_words(decision, "accuracy", {**DIFFERENCE, "mean": mean}, "constant", 9)
    assert said.startswith(
        f"{decision}: accuracy is 0.5 {word} with restarts than with a constant rate (95 %"
    )
    assert "more seeds" not in said


def test_undecided_says_how_large_the_difference_may_be_and_which_seeds_would_decide():
    difference = {"mean": 0.001, "low": -0.01, "high": 0.012, "seeds": 64}
    said = in_words("undecided", "error", difference, "cosine", 84)
    assert said.startswith("undecided: error is 0.001 higher with restarts than with one cosine cycle")
    assert "(95 % interval -0.01 to +0.012, 64 paired seeds)" in said
    assert said.endswith("within ± 0.012, and about 84 more seeds would decide, were that the true one")
    assert in_words("undecided", "error", difference, "cosine", 6271).endswith("is within ± 0.012")


def test_undecided_where_no_number_of_seeds_would_decide_says_so():
    difference = {"mean": 0.0, "low": 0.0, "high": 0.0, "seeds": 64}
    said = in_words("undecided", "error", difference, "cosine", None)
    assert "error is no different with restarts" in said
    assert said.endswith("(95 % interval +0 to +0, 64 paired seeds); any difference is within ± 0")


def test_a_difference_that_is_the_same_on_every_seed_asks_whether_seeds_are_used():
    difference = {"mean": 2e-6, "low": 2e-6, "high": 2e-6, "seeds": 4}
    said = in_words("undecided", "error", difference, "cosine", None)
    assert said.endswith("it is the same on every seed: see whether the workload uses its seed")


def test_one_more_seed_is_not_more_seeds():
    said = in_words("undecided", "error", DIFFERENCE, "cosine", 1)
    assert said.endswith("about 1 more seed would decide, were that the true one")


@pytest.mark.parametrize("decision", DECISIONS)
def test_what_is_said_begins_with_the_decision_and_is_one_line(decision):
    said = in_words(decision, "error", DIFFERENCE, "constant", 5)
    assert said.startswith(f"{decision}: ") and "\n" not in said
