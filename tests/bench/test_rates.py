import numpy as np
import pytest

from experiments.bench import rates
from experiments.bench.rates import Way


@pytest.mark.parametrize("T_mult", rates.FIRST)
def test_all_ways_compute_the_same_rates(T_mult):
    python, *arrays = rates.ours(T_mult)
    arrays.append(rates.optax_ways(T_mult)[0])
    expected = arrays[0].call()
    assert len(expected) == rates.STEPS
    np.testing.assert_allclose(python.call(), expected[:: rates.STEPS // python.values], rtol=1e-14)
    for way in arrays[1:]:
        np.testing.assert_allclose(way.call(), expected, atol=1e-6, err_msg=way.title)


def test_measures_every_way():
    calls = []
    ways = [Way("a", 1, 10, lambda: calls.append("a")), Way("b", None, 1, lambda: calls.append("b"))]
    assert all(value >= 0 for value in rates.measure(ways, repeats=2))
    assert calls == ["a", "b"] * 3


def test_table_has_ratios_to_the_last_way():
    ways = [
        Way("ours", 1, 1, lambda: None),
        Way("ours", 2, 1, lambda: None),
        Way("bare", None, 1, lambda: None),
    ]
    text = rates.markdown(ways, [6.0, 8.0, 2.0])
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert cells[2] == ["ours", "6.00", "3.00", "8.00", "4.00"]
    assert cells[3] == ["bare", "2.00", "1.00", "2.00", "1.00"]
    assert cells[4] == [rates.TORCH, "not installed", "–", "not installed", "–"]
