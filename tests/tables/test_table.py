"""Tables are read as they were written."""

import numpy as np
import pytest

from experiments.tables.grid import entries
from experiments.tables.table import About, names, read, write

ABOUT = About("made-up", "accuracy", "maximize", 40, (1e-3, 1.0))


def values(seed: int) -> np.ndarray:
    shape = (len(entries(ABOUT.base_lr, ABOUT.budget)), 2, ABOUT.budget)
    return np.random.default_rng(seed).random(shape).astype(np.float16)


def test_what_is_written_is_read(tmp_path):
    value, select = values(0), values(1)
    write(ABOUT, value, select, tmp_path)
    table = read("made-up", tmp_path)
    assert table.about == ABOUT and names(tmp_path) == ["made-up"]
    np.testing.assert_array_equal(table.losses, -value.astype(np.float32))
    assert len(table.entries) == len(table.losses)
    with pytest.raises(FileNotFoundError):
        read("another", tmp_path)


def test_a_schedule_is_worth_its_loss_where_select_is_best(tmp_path):
    value, select = values(0), values(1)
    value[3, 1, 20:] = select[3, 1, 20:] = np.nan
    write(ABOUT, value, select, tmp_path)
    worth = read("made-up", tmp_path).worth
    assert worth[5, 0] == -np.float32(value[5, 0, select[5, 0].argmax()])
    assert worth[3, 1] == -np.float32(value[:, :, 0].min())
