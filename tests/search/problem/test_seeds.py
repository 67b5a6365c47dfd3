import itertools

import numpy as np
import pytest

from sgdr.search.problem.seeds import (
    comparison_seed,
    confirmation_seed,
    sampler_seed,
    space_shift,
    trial_seed,
)

SEEDS = (0, 7, 2**32 - 1)
FROZEN = {
    trial_seed: {
        (0, 0): 1484405855,
        (0, 1): 1982462498,
        (0, 1000): 1809849187,
        (7, 0): 1041839916,
        (7, 1): 184785996,
        (7, 1000): 1174814435,
        (2**32 - 1, 0): 996212484,
        (2**32 - 1, 1): 494615296,
        (2**32 - 1, 1000): 1890448168,
    },
    sampler_seed: {
        (0, 0, 0, 0): 2968811710,
        (0, 2, 0, 0): 3141116543,
        (0, 1, 64, 0): 3958615999,
        (0, 0, 0, 3): 3425265760,
        (0, 5, 64, 1): 992760706,
        (7, 0, 0, 0): 2083679832,
        (7, 2, 0, 0): 1009178997,
        (7, 1, 64, 0): 1082341434,
        (7, 0, 0, 3): 4045506102,
        (7, 5, 64, 1): 1963744487,
        (2**32 - 1, 0, 0, 0): 1992424968,
        (2**32 - 1, 2, 0, 0): 1874926788,
        (2**32 - 1, 1, 64, 0): 1429325661,
        (2**32 - 1, 0, 0, 3): 3027208117,
        (2**32 - 1, 5, 64, 1): 2891070209,
    },
    confirmation_seed: {
        (0, 0): 1658617642,
        (0, 1): 1670067432,
        (0, 2): 854804776,
        (7, 0): 494242859,
        (7, 1): 2129588347,
        (7, 2): 464895356,
        (2**32 - 1, 0): 320839722,
        (2**32 - 1, 1): 1576600230,
        (2**32 - 1, 2): 1005225750,
    },
    comparison_seed: {
        (0, 0): 600855684,
        (0, 1): 599342691,
        (0, 2): 174517990,
        (7, 0): 1902674607,
        (7, 1): 1789417747,
        (7, 2): 1394732595,
        (2**32 - 1, 0): 656807072,
        (2**32 - 1, 1): 1333876362,
        (2**32 - 1, 2): 106218036,
        (2**40 + 5, 0): 12783215,
        (2**40 + 5, 1): 957730915,
        (2**40 + 5, 2): 685111846,
    },
}
"""As studies have them: another number would give another sweep for the same seed."""
SHIFTS = {
    (0, 1): [0.8897387912781343],
    (0, 2): [0.08082403917318748, 0.4024377919935872],
    (7, 2): [0.277970282193581, 0.445153123967549],
    (7, 5): [
        0.019002501051586518,
        0.6665758464937341,
        0.5134484104897852,
        0.4600394234996644,
        0.4105703205637019,
    ],
    (2**32 - 1, 2): [0.3475708844527622, 0.682937448421435],
}


@pytest.mark.parametrize("stream", FROZEN, ids=lambda stream: stream.__name__)
def test_the_same_seed_gives_the_same_numbers_for_good(stream):
    assert {arguments: stream(*arguments) for arguments in FROZEN[stream]} == FROZEN[stream]


def test_the_same_seed_gives_the_same_shift_for_good():
    assert {arguments: space_shift(*arguments).tolist() for arguments in SHIFTS} == SHIFTS


def test_no_two_streams_give_the_same_number():
    numbers = range(200)
    placed = itertools.product(SEEDS, range(6), (0, 1, 64, 1000), range(4))
    drawn = [sampler_seed(*arguments) for arguments in placed]
    for stream in (trial_seed, confirmation_seed, comparison_seed):
        drawn += [stream(seed, number) for seed in SEEDS for number in numbers]
    assert len(set(drawn)) == len(drawn)
    shifts = [space_shift(seed, dimensions)[0] for seed in SEEDS for dimensions in range(1, 20)]
    assert len(set(shifts)) == len(shifts)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sampler_shares_its_entropy_with_these_streams_and_no_more(seed):
    """Lists that differ by zeros at their end are the same `SeedSequence`."""
    of_workers = (trial_seed, confirmation_seed, comparison_seed)
    drawn = {stream(seed, number): (stream, number) for stream in of_workers for number in range(200)}
    placed = itertools.product(range(6), (0, 1, 64, 1000), range(4))
    shared = {arguments: drawn.get(sampler_seed(seed, *arguments) >> 1) for arguments in placed}
    assert {arguments: other for arguments, other in shared.items() if other is not None} == {
        (place, 0, worker): (stream, place) for place in range(6) for worker, stream in enumerate(of_workers)
    }


def test_a_shift_shares_its_entropy_with_the_trial_of_as_many_dimensions():
    trial = np.random.default_rng(np.random.SeedSequence([7, 3, 0]))
    assert trial.random(3).tolist() == space_shift(7, 3).tolist()
    assert int(np.random.SeedSequence([7, 3, 0]).generate_state(1)[0] >> 1) == trial_seed(7, 3)
