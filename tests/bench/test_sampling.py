"""The benchmark of sampling at tiny sizes: every way is asked and told alike, and what it prints."""

from experiments.bench import sampling
from experiments.bench.replay import tpe
from sgdr.search.strategy.restart_aware import rungs


def test_every_way_is_asked_and_told_of_as_many_trials():
    ways = [sampling.product("sgdr"), sampling.product("all", tpe(0)), sampling.plain("Optuna")]
    medians = sampling.measure(ways, [20, 30], timed=2)
    assert list(medians) == [20, 30]
    assert all(len(taken) == len(ways) and min(taken) > 0 for taken in medians.values())


def test_finished_trials_are_as_the_pruner_would_leave_them():
    trials = [sampling.Trials().finished() for _ in range(2)]
    assert trials[0].params == trials[1].params and trials[0].value == trials[1].value
    many = sampling.Trials()
    ends = {len(many.finished().intermediate_values) for _ in range(200)}
    assert ends == {*rungs(sampling.BUDGET), sampling.BUDGET}


def test_the_table_has_a_row_for_each_number_of_trials_and_a_sentence():
    ways = [sampling.plain("a"), sampling.plain("b")]
    text = sampling.markdown(ways, {100: [1.0, 2.0], 1000: [10.0, 20.0], 5000: [11.0, 90.0]})
    assert "| 5,000             | 11.0 | 90.0 |" in text
    assert text.endswith(
        "a 10.0 ms after 1,000 and 11.0 ms after 5,000; b 20.0 ms after 1,000 and 90.0 ms after 5,000."
    )
