"""Optuna's samplers and pruners, and anything with their interface, on a table."""

from functools import partial

import optuna
import pytest
from optuna.samplers import BaseSampler

from experiments.bench.replay import PRUNERS
from experiments.tables.lineup import lineup
from experiments.tables.optuna_peer import SAMPLERS, OptunaSearch, ask_any_shape, best_mean
from experiments.tables.trials import Replay, course
from tests.tables.planted import BEST, table

optuna.logging.set_verbosity(optuna.logging.WARNING)


def sampler(name: str, replay: Replay) -> BaseSampler:
    return SAMPLERS[name](replay.number)


class Repeated(BaseSampler):
    """The same values for ever."""

    def __init__(self, values: dict) -> None:
        self.values = values

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return self.values[name]


@pytest.mark.parametrize("name", ["random", "TPE"])
@pytest.mark.parametrize("pruner", ["none", "MedianPruner", "SuccessiveHalvingPruner", "HyperbandPruner"])
def test_the_same_repeat_is_the_same_search_within_its_cost(name, pruner):
    planted = table("restarts/4x2 0", noise=0.01)
    search = OptunaSearch(partial(sampler, name), PRUNERS[pruner])
    courses = []
    for number in (0, 0, 1):
        replay = Replay(planted, [1, 2, 3], 12, number)
        courses.append(course(search, replay))
        assert 11 < replay.spent <= 12
    assert courses[0] == courses[1] != courses[2]


def test_a_pruner_lets_more_trials_begin():
    planted = table("", noise=0.01)
    begun = []
    for pruner in ("none", "HyperbandPruner"):
        replay = Replay(planted, [0, 1], 12)
        named = course(OptunaSearch(partial(sampler, "random"), PRUNERS[pruner]), replay)
        begun.append(len(named))
    assert begun[0] == 12 and begun[1] > 20


def test_parameters_that_come_again_are_trained_on_the_next_seed_and_then_on_the_next_schedule():
    planted = table("")
    values = {"base_lr": BEST, "T_0": 6, "T_mult": 1, "eta_ratio": 0.0}
    rows = []

    class Seen(Replay):
        def begin(self, row):
            trial = super().begin(row)
            rows.append((planted.entries[row].variant, trial.seed))
            return trial

    course(OptunaSearch(lambda replay: Repeated(values)), Seen(planted, [5, 7], 3))
    assert rows[:2] == [("6x1 0", 5), ("6x1 0", 7)]
    assert rows[2] == ("9x1 0", 5)


def test_what_is_recommended_may_be_a_mean_over_trials_that_are_alike():
    study = optuna.create_study()
    for peak, value in ((0.1, 0.30), (0.2, 0.20), (0.2, 0.50), (0.1, 0.32)):
        trial = optuna.trial.create_trial(
            params={"base_lr": peak},
            distributions={"base_lr": optuna.distributions.FloatDistribution(0.01, 1)},
            value=value,
        )
        study.add_trial(trial)
    assert best_mean(study).number == 0 and study.best_trial.number == 1
    assert best_mean(optuna.create_study()) is None


def test_all_shapes_are_searched_where_that_is_asked():
    planted = table("wsd/sqrt")
    replay = Replay(planted, [0], 150)
    named = course(OptunaSearch(partial(sampler, "random"), ask=ask_any_shape), replay)
    assert planted.entries[named[-1][1]].variant == "sqrt"


def test_every_peer_names_a_row_at_every_cost_that_it_takes():
    planted = table("restarts/4x2 0", noise=0.01)
    peers = [peer for peer in lineup() if not peer.most_repeats]
    assert len({peer.name for peer in peers}) == len(peers) == 14
    for peer in peers:
        costs = [cost for cost in (3, 8, 16) if cost >= peer.least]
        named = peer.named([Replay(planted, [0, 1, 2, 3], cost, 5) for cost in costs])
        assert all(row >= 0 and spent <= cost for cost, (spent, row) in zip(costs, named, strict=True))


def test_a_gaussian_process_searches_where_pytorch_is_installed():
    pytest.importorskip("torch")
    replay = Replay(table("", noise=0.01), [0, 1], 12)
    assert len(course(OptunaSearch(partial(sampler, "GP")), replay)) == 12
