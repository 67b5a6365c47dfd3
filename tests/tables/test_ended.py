"""What pruners would have ended of the trials of searches."""

import pytest

from experiments.tables import ended, staged
from experiments.tables.trials import Replay
from sgdr.search.model.prior import PRIOR
from tests.tables.planted import table


@pytest.fixture(scope="module")
def planted():
    return table("cosine/0", noise=0.003)


@pytest.fixture(scope="module")
def known(planted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staged, "names", list)
        patch.setattr(staged, "learned", lambda others: PRIOR)
        return ended.searches(planted, 2, 8)


def test_all_trials_of_the_searches_are_known(known):
    assert [len(trials) for trials in known] == [8, 8]
    assert all(trial.ended for trials in known for trial in trials)


def test_whoever_ends_all_ends_all_that_is_good(planted, known):
    everything = ended.judged(planted, known, lambda table, trials: [1] * len(trials))
    nothing = ended.judged(planted, known, lambda table, trials: [None] * len(trials))
    assert everything.ended == everything.trials == nothing.trials == 16
    assert everything.saved == pytest.approx(16 * (1 - 1 / planted.about.budget))
    assert (nothing.ended, nothing.saved) == (0, 0)
    assert everything.good and all(everything.good) and not any(nothing.good)
    assert all(everything.leading) and len(nothing.leading) == len(everything.leading)


@pytest.mark.parametrize("rule", ended.RULES)
def test_rules_end_trials_before_their_own_end(planted, known, rule):
    for trials in known:
        epochs = ended.RULES[rule](planted, trials)
        assert len(epochs) == len(trials)
        assert all(epoch is None or 0 < epoch < planted.about.budget for epoch in epochs)
        assert epochs[0] is None


def test_what_is_far_behind_all_at_half_of_the_budget_is_hopeless(planted):
    replay = Replay(planted, [0, 1, 2, 3])
    means = planted.losses[:, 0, : planted.about.budget // 2].min(1)
    near, worst = means.argsort()[:3].tolist(), int(means.argmax())
    trials = [replay.begin(row) for row in (*near, worst, near[0])]
    for trial in trials:
        trial.train()
    assert ended.hopeless(planted, trials) == [None, None, None, planted.about.budget // 2, None]
