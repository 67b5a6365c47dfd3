"""One study and several workers that come, train, are interrupted, hang and die in any order."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.storage.claims import LIVE
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.leases import PREFIX
from sgdr.search.storage.retry import Retrying
from sgdr.search.storage.schema import RETRY_OF, WORKER
from sgdr.search.sweeps import shared, trial_log
from sgdr.search.sweeps.claim_queue import TrialPlan
from sgdr.search.sweeps.coordinator import AloneCoordinator, Coordinator
from sgdr.search.sweeps.extent import CostExtent, Extent, Tally, TrialExtent
from sgdr.search.sweeps.shared import Launch, SharedCoordinator, StopRequested, end_launch
from sgdr.search.sweeps.trial_log import FINISHED, TakenOver
from tests.faults import CallFaults, Faults, Killed, StatementFaults, away, killed

SPACE = {"base_lr": FloatDistribution(1e-6, 1.0, log=True)}
PLACES = 3
BUDGET = 4
EXTENTS: st.SearchStrategy[Extent] = st.one_of(
    st.integers(1, 6).map(TrialExtent),
    st.integers(BUDGET, 6 * BUDGET).map(lambda epochs: CostExtent(epochs / BUDGET, BUDGET)),
)
MOST_ROUNDS = 60
"""After which the workers that are left have finished the study, or never will."""


@dataclass(eq=False)
class Hand:
    """A worker, and what it is at."""

    coordinator: SharedCoordinator
    place: int
    order: Launch
    claims: list[TrialPlan] = field(default_factory=list)
    running: list[FrozenTrial] = field(default_factory=list)
    going_on: bool = True
    suspected: bool = False
    """Whether the others may take it to be dead, though it goes on."""


class SharedStudy(RuleBasedStateMachine):
    """What is claimed, begun and ended, beside what the storage then holds."""

    make: Callable[[], Faults]

    @initialize(extent=EXTENTS)
    def launch(self, extent: Extent) -> None:
        self.extent = extent
        self.faults = self.make()
        self.storage = self.faults.storage
        self.study = self.storage.create_new_study([StudyDirection.MINIMIZE], "s")
        self.hands: list[Hand] = []
        self.stopped: list[SharedCoordinator] = []
        self.ended: dict[int, FrozenTrial] = {}
        self.granted: set[int] = set()
        self.places: dict[int, int] = {}
        """The places, by number, of the claims of this launch that are to be begun with new parameters."""
        self._open()
        for _ in range(PLACES - 1):
            self.start()

    def _open(self) -> None:
        self.launcher = AloneCoordinator(self.storage, "s")
        again = frozenset(trial.number for trial in self.launcher.queue.again)
        self.order = Launch(self.launcher.log.worker, len(self.launcher.log.trials), again)
        self.places = {}

    # What workers do.

    @precondition(lambda self: len(self._ours()) < PLACES)
    @rule()
    def start(self) -> None:
        place = min(set(range(PLACES)) - {hand.place for hand in self._ours()})
        coordinator = SharedCoordinator(self.storage, "s", self.order, place)
        self.hands.append(Hand(coordinator, place, self.order))

    @precondition(lambda self: self.hands)
    @rule(pick=st.integers(0, 5), count=st.integers(1, 3), blindly=st.booleans())
    def claim(self, pick: int, count: int, blindly: bool) -> None:
        """Claims as a worker does that has looked whether others are dead just now, or a moment ago."""
        hand = self._hand(pick)
        hand.coordinator.pause = float("inf") if blindly else 0.0
        self._do(hand, lambda hand: self._claim(hand, count))
        hand.coordinator.pause = 0.0
        if any(claim.repeats is None for claim in hand.claims[-count:]) and not hand.suspected:
            assert not hand.coordinator.queue.again

    @precondition(lambda self: any(hand.claims for hand in self.hands))
    @rule(pick=st.integers(0, 5), most=st.integers(1, 3))
    def begin(self, pick: int, most: int) -> None:
        idle = [hand for hand in self.hands if hand.claims]
        hand = idle[pick % len(idle)]
        for _ in hand.claims[:most]:
            self._begin(hand)

    @precondition(lambda self: any(hand.running for hand in self.hands))
    @rule(pick=st.integers(0, 5), epoch=st.integers(1, 5))
    def report(self, pick: int, epoch: int) -> None:
        hand, trial = self._running(pick)
        hand.coordinator.reported(trial, {epoch: 0.5})

    @precondition(lambda self: any(hand.running for hand in self.hands))
    @rule(pick=st.integers(0, 5), how=st.sampled_from(["complete", "complete", "pruned", "error", "retry"]))
    def end(self, pick: int, how: str) -> None:
        hand, trial = self._running(pick)
        self._end(hand, trial, how)

    @precondition(lambda self: self.hands)
    @rule(pick=st.integers(0, 5))
    def write(self, pick: int) -> None:
        self._do(self._hand(pick), lambda hand: hand.coordinator.write())

    # What happens to them.

    @precondition(lambda self: self.hands)
    @rule(pick=st.integers(0, 5), how=st.sampled_from(["hangs", "dies", "is interrupted"]))
    def stop(self, pick: int, how: str) -> None:
        hand = self._hand(pick)
        if how != "is interrupted":
            self._look_dead(hand)
        elif hand.suspected:
            self._do(hand, lambda hand: hand.coordinator.interrupt())
        else:
            hand.coordinator.interrupt()
            assert self._attributes()[PREFIX + hand.coordinator.log.worker]["ended"]
            running = [trial for trial in self._trials() if trial.state == TrialState.RUNNING]
            assert all(trial.user_attrs[WORKER] != hand.coordinator.log.worker for trial in running)
        if how != "hangs":
            self._leave(hand)

    @precondition(lambda self: any(hand.suspected for hand in self.hands))
    @rule(pick=st.integers(0, 5))
    def wake(self, pick: int) -> None:
        """The thread that renews the lease does not know what became of it."""
        suspected = [hand for hand in self.hands if hand.suspected]
        suspected[pick % len(suspected)].coordinator.log.lease._write(ended=False)

    @precondition(lambda self: self.hands)
    @rule(pick=st.integers(0, 5), count=st.integers(0, 3), at=st.integers(1, 12), done=st.booleans())
    def storage_is_away(self, pick: int, count: int, at: int, done: bool) -> None:
        """While a worker claims or writes; what it was to do may be done, and only the answer lost."""
        with self.faults.at(at, after=away) if done else self.faults.at(at, before=away):
            self._do(self._hand(pick), lambda hand: self._claim_or_write(hand, count))

    @precondition(lambda self: self.hands)
    @rule(pick=st.integers(0, 5), count=st.integers(0, 3), at=st.integers(1, 16))
    def kill(self, pick: int, count: int, at: int) -> None:
        """While a worker claims or writes."""
        hand = self._hand(pick)
        try:
            with self.faults.at(at, before=killed):
                self._do(hand, lambda hand: self._claim_or_write(hand, count))
        except Killed:
            self._look_dead(hand)
            self._leave(hand)

    @precondition(lambda self: len(self.hands) > 1 and isinstance(self.faults, CallFaults))
    @rule(
        pick=st.integers(0, 5),
        count=st.integers(0, 3),
        then=st.integers(0, 3),
        hang=st.booleans(),
        at=st.integers(1, 16),
    )
    def meanwhile(self, pick: int, count: int, then: int, hang: bool, at: int) -> None:
        """While a worker claims or writes another one does, which may take the first to be dead."""
        hand, other = self._hand(pick), self._hand(pick + 1)

        def act() -> None:
            if hang:
                self._look_dead(hand)
            self._do(other, lambda hand: self._claim_or_write(hand, then))

        with self.faults.at(at, before=act):
            self._do(hand, lambda hand: self._claim_or_write(hand, count))

    @precondition(lambda self: self.hands)
    @rule(how=st.sampled_from(["in order", "killed", "its workers stay"]))
    def relaunch(self, how: str) -> None:
        """The launcher ends, with its workers or before them; another launch goes on."""
        for hand in list(self.hands):
            if how == "its workers stay":
                hand.suspected = True
            else:
                self._look_dead(hand)
                self._leave(hand)
        if how == "in order":
            end_launch(self.storage, "s", self.order)
            assert all(trial.state.is_finished() for trial in self._trials())
            self.launcher.log.close()
        else:
            self._reap(self.launcher)
        self._open()

    # What holds.

    @invariant()
    def study_is_sound(self) -> None:
        trials = self._trials()
        begun = [trial for trial in trials if "schedule" in trial.user_attrs]
        assert [trial.number for trial in trials] == list(range(len(trials)))
        finished, running = self._tally(), 0
        for trial in trials:
            running += trial.state == TrialState.RUNNING and trial.number in self.granted
        if isinstance(self.extent, TrialExtent):
            assert finished.ended + running <= self.extent.trials
        if isinstance(self.extent, CostExtent):
            assert finished.epochs + running * BUDGET <= self.extent.epochs
        for trial in trials:
            if trial.state.is_finished():
                assert self.ended.setdefault(trial.number, trial) == trial
        assert _distinct(trial.user_attrs["seed"] for trial in begun if trial.state in LIVE)
        assert _distinct(trial.user_attrs[RETRY_OF] for trial in begun if RETRY_OF in trial.user_attrs)
        assert _distinct(self.places[trial.number] for trial in begun if trial.number in self.places)
        for trial in begun:
            before: FrozenTrial | None = trial
            while before is not None:
                if "schedule" in before.user_attrs:
                    assert before.params == trial.params
                    assert before.user_attrs["seed"] == trial.user_attrs["seed"]
                assert before is trial or "error" not in before.user_attrs
                before = trials[before.user_attrs[RETRY_OF]] if RETRY_OF in before.user_attrs else None

    def teardown(self) -> None:
        if not hasattr(self, "storage"):
            return
        try:
            self._finish()
        finally:
            for coordinator in [self.launcher, *self.stopped, *(hand.coordinator for hand in self.hands)]:
                coordinator.log.lease.ended.set()
            self.faults.close()

    def _finish(self) -> None:
        """Whoever is left goes on, and finishes what was asked for."""
        for _ in range(MOST_ROUNDS):
            if not self._ours():
                self.start()
            for hand in list(self.hands):
                self._do(hand, self._go_on)
            if self._ours() and not any(hand.going_on for hand in self.hands):
                break
        finished = self._tally()
        assert self.extent.reached(finished) and self.extent.most(finished) == finished.ended
        for hand in self.hands:
            assert hand.coordinator.log.written == hand.coordinator.log.tally == finished
            hand.coordinator.interrupt()
        assert all(trial.state.is_finished() for trial in self._trials())
        self.launcher.log.close()
        self.study_is_sound()

    def _go_on(self, hand: Hand) -> None:
        for trial in list(hand.running):
            self._end(hand, trial, "complete")
        hand.coordinator.write()
        self._claim(hand, 2)
        while hand.claims:
            self._begin(hand)
        hand.going_on = bool(hand.running) or hand.coordinator.wait(self.extent)

    # How it is done.

    def _ours(self) -> list[Hand]:
        """The workers of the present launch."""
        return [hand for hand in self.hands if hand.order == self.order]

    def _hand(self, pick: int) -> Hand:
        return self.hands[pick % len(self.hands)]

    def _running(self, pick: int) -> tuple[Hand, FrozenTrial]:
        pairs = [(hand, trial) for hand in self.hands for trial in hand.running]
        return pairs[pick % len(pairs)]

    def _do(self, hand: Hand, action: Callable[[Hand], None]) -> None:
        """Does it; a worker that was taken to be dead may find that out, and ends then as `work` ends it."""
        try:
            action(hand)
        except (TakenOver, StopRequested):
            assert hand.suspected
            with suppress(TakenOver):
                hand.coordinator.interrupt()
            self._leave(hand)

    def _claim_or_write(self, hand: Hand, count: int) -> None:
        if count:
            self._claim(hand, count)
        else:
            hand.coordinator.write()

    def _claim(self, hand: Hand, count: int) -> None:
        claims = hand.coordinator.claim(count, self.extent)
        assert len(claims) <= count
        assert not self.granted & {claim.number for claim in claims}
        self.granted |= {claim.number for claim in claims}
        if hand.order == self.order:
            fresh = {claim.number: claim.place for claim in claims if claim.again is None}
            assert all(place == self._place(number) for number, place in fresh.items())
            self.places |= fresh
        hand.claims += claims

    def _place(self, number: int) -> int:
        """How many were claimed anew in this launch before that one, or before what it repeats."""
        before = [trial.user_attrs.get(RETRY_OF) for trial in self._trials()]
        while (repeated := before[number]) is not None and repeated >= self.order.first:
            number = repeated
        here = {*range(self.order.first, len(before)), *self.order.again}
        return sum(before[earlier] not in here for earlier in range(self.order.first, number))

    def _begin(self, hand: Hand) -> None:
        claim = hand.claims.pop(0)
        again = claim.again
        seed = claim.number if again is None else again.user_attrs["seed"]
        attributes = {"schedule": {"base_lr": 0.1, "T_0": 1}, "seed": seed}
        trial = hand.coordinator.log.begin(claim, {"base_lr": 1e-4 * (1 + seed)}, SPACE, attributes)
        hand.running.append(trial)

    def _end(self, hand: Hand, trial: FrozenTrial, how: str) -> None:
        hand.running.remove(trial)
        if how == "retry":
            hand.coordinator.retry(trial)
        elif how == "complete":
            hand.coordinator.log.end(
                trial,
                TrialState.COMPLETE,
                1.0 / (1 + trial.number),
                {"curve": {"e": [0.5]}, "epochs": BUDGET},
            )
        elif how == "pruned":
            hand.coordinator.log.end(trial, TrialState.PRUNED, None, {"epochs": 1 + trial.number % BUDGET})
        else:
            hand.coordinator.log.end(trial, TrialState.FAIL, None, {"error": "oops"})

    def _look_dead(self, hand: Hand) -> None:
        hand.suspected = True
        self._reap(hand.coordinator)

    def _reap(self, coordinator: Coordinator) -> None:
        coordinator.log.lease.ended.set()
        key = PREFIX + coordinator.log.worker
        claim = self._attributes()[key]
        self.faults.inner.set_study_user_attr(self.study, key, {**claim, "started": 0.0})

    def _leave(self, hand: Hand) -> None:
        if hand in self.hands:
            self.hands.remove(hand)
            self.stopped.append(hand.coordinator)

    def _tally(self) -> Tally:
        """What the storage holds of trials that have ended."""
        ended = [trial for trial in self._trials() if trial.state in FINISHED]
        return Tally(len(ended), 0, sum(trial.user_attrs["epochs"] for trial in ended))

    def _trials(self) -> list[FrozenTrial]:
        return self.faults.inner.get_all_trials(self.study) if hasattr(self, "storage") else []

    def _attributes(self) -> dict[str, Any]:
        return self.faults.inner.get_study_user_attrs(self.study)


def _distinct(places: Iterable[Any]) -> bool:
    return all(count == 1 for count in Counter(places).values())


def in_memory() -> Faults:
    return CallFaults()


def on_sqlite(folder: Path) -> Faults:
    shutil.copy(folder / "template.db", folder / "s.db")
    return StatementFaults(f"sqlite:///{folder}/s.db")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and every write looks at the others."""
    monkeypatch.setattr(trial_log, "Retrying", partial(Retrying, sleep=lambda seconds: None))
    monkeypatch.setattr(shared, "SYNC_SECONDS", 0.0)
    monkeypatch.setattr(shared, "SYNC_SHARE", float("inf"))


def run(make: Callable[[], Faults], examples: int) -> None:
    machine = type("Run", (SharedStudy,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_by_optunas_own_calls() -> None:
    run(in_memory, 300)


@pytest.mark.parametrize("examples", [4, pytest.param(30, marks=pytest.mark.slow)], ids=["few", "many"])
def test_by_statements(examples: int, tmp_path: Path) -> None:
    close_storage(open_storage(f"sqlite:///{tmp_path}/template.db", create=True))
    run(partial(on_sqlite, tmp_path), examples)
