"""The streams of random numbers that a sweep and an evaluation draw from one seed, each by its name.

Each stream hands a list of whole numbers, its entropy, to NumPy's `SeedSequence`:

| stream | entropy | drawn from it |
| --- | --- | --- |
| `trial_seed` | seed, number | the seed of a trial |
| `sampler_seed` | seed, place, begun, worker | the seed of the sampler of an arm |
| `confirmation_seed` | seed, index, 0, 1 | the seeds on which finalists are trained again |
| `comparison_seed` | seed, index, 0, 2 | the seeds on which schedules are compared |
| `space_shift` | seed, dimensions | where the evenly spread points of a space begin |

What JAX draws within a trial comes from the trial's seed alone (`backend.program.trial_key`). A trial of
Ray Tune without a seed takes the one that its config decides (`tune.config.seed_of`).

A `SeedSequence` fills its entropy up with zeros: [7, 1] and [7, 1, 0] are the same. So some streams share
their entropy, which stays as it is, since the same seed has to give the same sweep. In a study without trials
the sampler of an arm has that of the trial whose number is the arm's place, in worker 1 that of the
confirmation of that index, and in worker 2 that of the comparison; `space_shift` has that of the trial whose
number is its dimensions. Their numbers differ all the same: the others leave out the last bit of what a
sampler is given whole, and each feeds a generator of another kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float64

_CONFIRMATION, _COMPARISON = 1, 2
"""The last word of their entropy, which sets them apart from each other and from trials."""


def trial_seed(seed: int, number: int) -> int:
    """The seed of a trial, a whole number below 2^31: the same for the same sweep and number."""
    return _word(seed, number) >> 1


def sampler_seed(seed: int, place: int, begun: int, worker: int = 0) -> int:
    """The seed of the sampler of the arm at that place, once the study has so many trials.

    Each worker of a launch has its own. It is a whole number below 2^32.
    """
    return _word(seed, place, begun, worker)


def confirmation_seed(seed: int, index: int) -> int:
    """The seed, below 2^31, of run `index` of every finalist of a study with that seed."""
    return _word(seed, index, 0, _CONFIRMATION) >> 1


def comparison_seed(seed: int, index: int) -> int:
    """The seed, below 2^31, of run `index` of every schedule of a comparison."""
    return _word(seed, index, 0, _COMPARISON) >> 1


def space_shift(seed: int, dimensions: int) -> Float64[np.ndarray, " dimensions"]:
    """A point of the unit cube of so many dimensions, by which evenly spread points are shifted."""
    return np.random.default_rng([seed, dimensions]).random(dimensions)


def _word(*entropy: int) -> int:
    """The first 32 bits that a `SeedSequence` gives."""
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
