"""The models of one training at its troughs, and their mean prediction."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sgdr
from sgdr import WarmRestarts, Warmup

SCHEDULE = WarmRestarts(0.1, T_0=2, T_mult=2, eta_min=0.01)


class Training:
    """Counts what it is called with."""

    def __init__(self):
        self.rates = []

    def train(self, epoch, lr):
        assert epoch == len(self.rates)
        self.rates.append(lr)

    def keep(self):
        return len(self.rates)


@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 3), st.integers(1, 60))
def test_a_model_is_kept_when_a_cycle_is_complete(T_0, T_mult, warm_up, budget):
    schedule = Warmup(WarmRestarts(0.1, T_0, T_mult), warm_up)
    training = Training()
    troughs = schedule.troughs(budget=budget)
    if not troughs:
        with pytest.raises(ValueError, match="budget="):
            sgdr.snapshots(schedule, budget, training.train, training.keep)
        assert not training.rates
        return
    snapshots = list(sgdr.snapshots(schedule, budget, training.train, training.keep))
    assert [snapshot.epoch for snapshot in snapshots] == [snapshot.model for snapshot in snapshots] == troughs
    assert [snapshot.index for snapshot in snapshots] == list(range(len(troughs)))
    assert training.rates == [schedule(epoch) for epoch in range(budget)]


def test_training_goes_as_far_as_snapshots_are_asked_for():
    training = Training()
    first = next(iter(sgdr.snapshots(SCHEDULE, 100, training.train, training.keep)))
    assert first.epoch == len(training.rates) == 2


def test_what_goes_wrong_in_training_is_not_hidden():
    def train(epoch, lr):
        raise RuntimeError("out of data")

    with pytest.raises(RuntimeError, match="out of data"):
        list(sgdr.snapshots(SCHEDULE, 4, train, lambda: None))


@pytest.mark.parametrize("budget", [0, -3, 2.5, None, "7", True])
def test_a_bad_budget_is_named(budget):
    with pytest.raises(ValueError, match="budget"):
        sgdr.snapshots(SCHEDULE, budget, lambda epoch, lr: None, lambda: None)


def test_the_ensemble_predicts_the_mean():
    training = Training()
    snapshots = list(sgdr.snapshots(SCHEDULE, 14, training.train, training.keep))
    assert [snapshot.model for snapshot in snapshots] == [2, 6, 14]
    mean = sgdr.ensemble(snapshots, lambda model: np.array([model, 2.0 * model]))
    assert np.allclose(mean, [22 / 3, 44 / 3])
    assert np.allclose(
        sgdr.ensemble(itertools.islice(snapshots, 1, None), lambda model: np.float64(model)), 10
    )


def test_the_models_predictions_are_left_as_they_are():
    training = Training()
    snapshots = list(sgdr.snapshots(SCHEDULE, 14, training.train, training.keep))
    predictions = {snapshot.model: np.full(2, float(snapshot.model)) for snapshot in snapshots}
    sgdr.ensemble(snapshots, predictions.__getitem__)
    assert all((values == model).all() for model, values in predictions.items())


def test_predictions_may_be_whole_numbers_or_written_into_one_array():
    snapshots = [sgdr.Snapshot(epoch, epoch, model) for epoch, model in enumerate((100, 200, 240))]
    assert sgdr.ensemble(snapshots, lambda model: np.array([model], np.uint8)).tolist() == [180]
    one = np.zeros(1)

    def into_one(model):
        one[:] = model
        return one

    assert sgdr.ensemble(snapshots, into_one).tolist() == [180]
    with pytest.raises(ValueError, match="predict must return an array, got a list"):
        sgdr.ensemble(snapshots, lambda model: [model])


def test_a_schedule_without_troughs_is_refused():
    with pytest.raises(ValueError, match=r"schedule must have troughs\(\), got <function"):
        sgdr.snapshots(lambda epoch: 0.1, 6, lambda epoch, lr: None, lambda: None)


def test_no_snapshots_have_no_prediction():
    with pytest.raises(ValueError, match="no snapshots"):
        sgdr.ensemble([], lambda model: model)
