"""The model against the textbook's formulas, and what has to hold of it whatever the losses are."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr.schedule import WarmRestarts
from sgdr.search.model.candidates import Candidates
from sgdr.search.model.policy import best_row, gradients, next_row
from sgdr.search.model.prior import PRIOR
from sgdr.search.model.surrogate import OFFSET, Surrogate
from sgdr.search.model.traits import traits

ROWS = 40


@pytest.fixture(scope="module")
def candidates():
    random = np.random.default_rng(0)
    places = random.random(ROWS)
    return Candidates(np.log(1e-3) + 6.9 * places, places, random.normal(size=(ROWS, 6)), np.empty((ROWS, 0)))


@pytest.fixture(scope="module")
def model(candidates):
    return Surrogate(candidates, PRIOR)


SEEN, LOSSES = [3, 7, 7, 20], [0.31, 0.30, 0.32, 0.9]


def test_it_is_the_textbooks_posterior(model, candidates):
    posterior = model.posterior(SEEN, LOSSES)
    warped = np.arcsinh((np.array(LOSSES) - posterior.lowest) / posterior.unit)
    slope = 1 / np.sqrt(1 + ((np.array(LOSSES) - posterior.lowest) / posterior.unit) ** 2)
    kernel = PRIOR.covariance(candidates, candidates) + OFFSET**2
    noisy = kernel[np.ix_(SEEN, SEEN)] + np.diag((posterior.noise * np.maximum(slope, 0.15)) ** 2)
    prior = PRIOR.mean(candidates)
    mean = prior + kernel[:, SEEN] @ np.linalg.solve(noisy, warped - prior[SEEN])
    left = kernel - kernel[:, SEEN] @ np.linalg.solve(noisy, kernel[SEEN])
    every = np.arange(ROWS)
    assert posterior.mean == pytest.approx(mean, abs=1e-6)
    assert posterior.covariance(every) == pytest.approx(left, abs=1e-6)
    assert posterior.deviation == pytest.approx(np.sqrt(np.diag(left)), abs=1e-6)


@given(st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_the_unit_of_the_losses_does_not_matter(model, factor, shift):
    posterior = model.posterior(SEEN, LOSSES)
    other = model.posterior(SEEN, [factor * loss + shift for loss in LOSSES])
    assert other.mean == pytest.approx(posterior.mean, abs=1e-4)
    loss, scaled = (known.lowest + known.unit * np.sinh(1.0) for known in (posterior, other))
    assert scaled == pytest.approx(factor * loss + shift, rel=1e-4, abs=1e-4)


def test_the_best_peak_is_known_though_the_next_one_is_far_too_high():
    peaks = np.geomspace(1e-4, 1e-1, 13)
    cosine = [traits(WarmRestarts(peak, 60), 60) for peak in peaks]
    candidates = Candidates.of(peaks.tolist(), np.linspace(0, 1, 13).tolist(), cosine, [()] * 13)
    seen = [5, 8, 10, 12]
    for last in (0.1, 0.3, 1.0):
        posterior = Surrogate(candidates, PRIOR).posterior(seen, [0.0735, 0.0733, 0.0432, last])
        assert best_row(posterior, seen) == 10


def test_what_is_running_is_known_better_and_expected_no_different(model):
    before, while_running = model.posterior(SEEN, LOSSES), model.posterior(SEEN, LOSSES, [11, 11])
    assert while_running.mean == pytest.approx(before.mean)
    assert while_running.deviation[11] < before.deviation[11]
    assert (while_running.deviation <= before.deviation + 1e-9).all()


@pytest.mark.parametrize("losses", [[0.3], [0.3, 0.3], [0.0, 0.0, 0.0], [1e-30, 1e30], [-1e300, 1e300]])
def test_losses_that_are_alike_or_far_apart(model, losses):
    posterior = model.posterior(list(range(len(losses))), losses)
    assert np.isfinite(posterior.mean).all() and np.isfinite(posterior.deviation).all()
    assert 0 <= next_row(posterior, np.arange(ROWS)) < ROWS


def test_nothing_seen_is_the_prior(model, candidates):
    posterior = model.posterior([], [])
    assert posterior.mean == pytest.approx(PRIOR.mean(candidates))
    assert posterior.deviation == pytest.approx(
        np.sqrt(np.diag(PRIOR.covariance(candidates, candidates)) + OFFSET**2)
    )


def test_gradients_are_what_one_more_trial_would_give(model):
    posterior = model.posterior(SEEN, LOSSES)
    rows, gains = gradients(posterior, np.arange(ROWS))
    assert (gains > -1e-9).all()
    random, place = np.random.default_rng(1), int(np.argmax(gains))
    covariance = posterior.covariance(rows)[:, place]
    deviation = np.sqrt(covariance[place] + posterior.noise**2)
    drawn = random.normal(size=(20_000, 1))
    after = (posterior.mean[rows] + covariance / deviation * drawn).min(1)
    assert gains[place] == pytest.approx(posterior.mean[rows].min() - after.mean(), rel=0.1)


def test_the_best_is_of_those_that_were_trained(model):
    posterior = model.posterior(SEEN, LOSSES)
    assert best_row(posterior, SEEN) == min((3, 7), key=lambda row: posterior.mean[row])
    with pytest.raises(ValueError, match="no candidate"):
        best_row(posterior, [])


def test_many_candidates_take_no_more_memory_than_what_is_seen_of_them():
    count = 20_000  # of which the whole covariance would take 3 GB
    shape = traits(WarmRestarts(0.1, 60), 60)
    rates, places = np.geomspace(1e-3, 1, count), np.linspace(0, 1, count)
    many = Candidates.of(rates.tolist(), places.tolist(), [shape] * count, [()] * count)
    tracemalloc.start()
    posterior = Surrogate(many, PRIOR).posterior([5, 9_000, 19_000], [0.3, 0.1, 0.2])
    next_row(posterior, np.arange(count))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert posterior.deviation.shape == (count,) and peak < 100e6
