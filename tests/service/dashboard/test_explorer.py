"""The explorer's link, its fields, its cycles, and what it offers where a budget is no trough."""

import math
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgdr_service.dashboard.explorer import closing, cycles, fields
from sgdr_service.dashboard.explorer.code import OWN, code
from sgdr_service.dashboard.explorer.fields import LONGEST_NAME, Faults, number, plain
from sgdr_service.dashboard.explorer.link import explorer_url, read, url
from sgdr_service.dashboard.explorer.state import MOST, MOST_CYCLES, Exploration, Explored

from sgdr import WarmRestarts, Warmup, export
from sgdr.export.plan import LAST_STEP

FIELDS = (*fields.SCHEDULE, fields.BUDGET)

names = st.text(min_size=1).map(lambda text: " ".join(text.encode(errors="replace").decode().split()))
lengths = st.integers(1, 10**6) | st.floats(0.5, 1e6)
growths = st.integers(1, 10) | st.floats(1, 10)
decays = st.floats(0, 1, exclude_min=True)


@st.composite
def explored_schedules(draw: st.DrawFn) -> Explored:
    base_lr = draw(st.floats(1e-9, 1e9))
    return Explored(
        draw(names.filter(lambda name: 1 <= len(name) <= LONGEST_NAME)),
        base_lr,
        draw(lengths),
        draw(growths),
        draw(st.floats(0, base_lr)),
        draw(decays),
        draw(st.integers(0, 1000)),
    )


@st.composite
def explorations(draw: st.DrawFn) -> Exploration:
    schedules = draw(st.lists(explored_schedules(), min_size=1, max_size=MOST))
    return Exploration(
        tuple(schedules),
        draw(st.integers(0, len(schedules) - 1)),
        draw(st.integers(1, 10_000)),
        draw(st.none() | st.integers(1, LAST_STEP)),
        draw(st.booleans()),
    )


def query(address: str) -> str:
    return urlsplit(address).query


@given(explorations())
def test_the_link_holds_everything(exploration):
    assert read(query(url(exploration))) == (exploration, [])


@given(explored_schedules(), st.integers(1, 10_000), st.none() | st.integers(1, 10_000))
def test_the_link_of_a_schedule(explored, budget, steps_per_epoch):
    exploration, wrong = read(query(explorer_url(explored.schedule, budget, steps_per_epoch)))
    assert not wrong
    assert exploration.current.schedule == explored.schedule
    assert (exploration.budget, exploration.steps_per_epoch) == (budget, steps_per_epoch)


def test_a_link_that_nobody_would_misread():
    link = explorer_url(Warmup(WarmRestarts(0.1, 10, 2.0, 1e-4), 5), 75, 391)
    assert link == (
        "/dashboard/explorer?budget=75&steps_per_epoch=391&"
        "schedule=base_lr:0.1,T_0:10,T_mult:2,eta_min:0.0001,peak_decay:1,warmup:5,name:Schedule+1"
    )


def test_no_link_of_what_the_explorer_cannot_show():
    for schedule in (WarmRestarts(0.1, 10, cycles=3), Warmup(Warmup(WarmRestarts(0.1, 10), 1), 1)):
        with pytest.raises(ValueError, match="cycles=None"):
            explorer_url(schedule, 70)


@given(st.text())
def test_any_query_is_read(text):
    read(text)
    read(f"schedule={text}&budget={text}")


def test_an_empty_query_gives_the_defaults():
    assert read("") == (Exploration(), [])
    assert read("schedule=") == (Exploration(), [])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("T_0:abc", "T_0 must be a number > 0 and at most 2,147,483,647, got 'abc'"),
        ("T_0:nan", "T_0 must be .*, got nan"),
        ("T_0:1e999", "T_0 must be .*, got inf"),
        ("T_0:-3", "T_0 must be .*, got -3"),
        ("T_0:" + "9" * 5000, "T_0 must be .*, got inf"),
        ("T_0:1e-9,T_mult:1", f"T_0=1e-09 gives more than {MOST_CYCLES:,} cycles within budget=100; raise"),
        ("T_0:1e10", "T_0 must be .*, got 10000000000"),
        ("T_mult:0.5", "T_mult must be a number >= 1"),
        ("base_lr:0", "base_lr must be a number > 0"),
        ("base_lr:0.01,eta_min:0.1", "eta_min must not exceed base_lr=0.01, got 0.1; lower eta_min"),
        ("peak_decay:1.1", "peak_decay must be .*, got 1.1"),
        ("warmup:1.5", "warmup must be a whole number from 0 to 2,147,483,647, got 1.5"),
        ("T0:10", "'T0' is no field of a schedule; write e.g. T_0:10, of base_lr, T_0"),
        ("name:", "name must have 1 to 60 characters, got ''; give a name"),
        ("name:" + "x" * 61, "name must have 1 to 60 characters, got 'xxx.*; give a shorter one"),
    ],
)
def test_a_bad_schedule_is_told_and_alone_replaced(part, words):
    exploration, wrong = read(f"budget=100&schedule=T_0:20,name:first&schedule={part}&schedule=T_0:30")
    assert exploration.schedules == (
        Explored("first", T_0=20),
        Explored("Schedule 2"),
        Explored("Schedule 3", T_0=30),
    )
    assert exploration.budget == 100
    with pytest.raises(ValueError, match=f"^Schedule 2: {words}.*default schedule is in its place"):
        raise ValueError(*wrong)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("budget=0", "budget must be a whole number from 1 to 2,147,483,647, got 0; give e.g. budget=70"),
        ("budget=1e99", "budget must be .*, got 1e.99"),
        ("steps_per_epoch=x", "steps_per_epoch must be .*, got 'x'"),
        ("edited=2", "edited must be the place of a schedule, 1 to 1, got '2'"),
        ("log=on", "log must be yes or no, got 'on'"),
        ("T_0=10", "'T_0' is no part of a link to the explorer; its parts are budget, .*, schedule"),
    ],
)
def test_other_bad_parts_of_a_link_are_told(part, words):
    exploration, wrong = read(f"schedule=T_0:20&{part}")
    assert exploration == Exploration((Explored(T_0=20),))
    with pytest.raises(ValueError, match=words):
        raise ValueError(*wrong)


def test_too_many_schedules():
    exploration, wrong = read("&".join(["schedule=T_0:20"] * (MOST + 1)))
    assert len(exploration.schedules) == MOST
    assert wrong == ["There are 9 schedules; the first 8 are shown. Remove the others."]


@given(st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False))
def test_numbers_are_read_as_they_are_written(value):
    assert number(plain(value)) == value


def test_whole_numbers_look_whole():
    assert [plain(value) for value in (10, 10.0, 0.0, 1e22, 0.1, 1e-9)] == [
        "10", "10", "0", "1e+22", "0.1", "1e-09",
    ]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_the_stops_of_a_slider_are_values_of_their_own(field):
    assert list(field.stops) == sorted(set(field.stops))
    for place, stop in enumerate(field.stops):
        assert field.read(plain(stop)) == stop
        assert field.nearest(stop) == place
    assert field.nearest(-1) == 0
    assert field.nearest(1e300) == len(field.stops) - 1


def test_good_texts_change_the_current_schedule_and_what_is_common():
    before = Exploration((Explored("a"), Explored("b"), Explored("c")), edited=1, log=True)
    texts = {"name": " new  name ", "T_0": "30", "budget": "1e2", "steps_per_epoch": " "}
    after = Exploration((Explored("a"), Explored("new name", T_0=30), Explored("c")), 1, budget=100, log=True)
    assert before.read(texts) == after


def test_all_bad_texts_are_told_by_field():
    with pytest.raises(Faults) as told:
        Exploration().read({"T_0": "", "eta_min": "-1", "budget": "0.5", "steps_per_epoch": "0"})
    assert list(told.value.messages) == ["budget", "steps_per_epoch", "T_0", "eta_min"]
    assert all(message.startswith(f"{name} must be") for name, message in told.value.messages.items())


def test_too_many_cycles_are_told_where_they_come_from():
    short = Explored("short", T_0=0.01, T_mult=1)
    with pytest.raises(Faults) as told:
        Exploration((short,)).read({"budget": "1e6"})
    assert list(told.value.messages) == ["T_0"]
    with pytest.raises(Faults) as told:
        Exploration((Explored(), short)).read({"budget": "1e6"})
    assert told.value.messages["budget"].startswith("short: T_0=0.01 gives more than 100,000 cycles")


def test_schedules_are_copied_and_removed():
    one = Exploration((Explored("Schedule 2", T_0=20),))
    two = one.with_copy()
    assert [schedule.name for schedule in two.schedules] == ["Schedule 2", "Schedule 1"]
    assert (two.edited, two.current.T_0) == (1, 20)
    three = two.with_copy()
    assert three.current.name == "Schedule 3"
    assert three.without_current() == two
    assert two.without_current() == one


def test_the_cycles_of_a_whole_schedule():
    rows = cycles.rows(Explored(eta_min=1e-3, peak_decay=0.5, warmup=5), 100, None)
    assert [list(row.values())[:4] for row in rows] == [
        [0, 5, 10, 15],
        [1, 15, 20, 35],
        [2, 35, 40, 75],
        [3, 75, 80, None],
    ]
    assert [row["peak"] for row in rows] == [0.1, 0.05, 0.025, 0.0125]
    assert [row["last"] for row in rows] == [
        *(WarmRestarts(0.1, 10, 2, 1e-3, 0.5)(step) for step in (9, 29, 69)),
        None,
    ]


@given(explored_schedules(), st.integers(1, 10_000), st.none() | st.integers(1, 1000))
def test_the_cycles_are_those_of_the_library(explored, budget, steps_per_epoch):
    rows = cycles.rows(explored, budget, steps_per_epoch)
    assert len(rows) == min(cycles.begun(explored, budget), cycles.MOST_ROWS)
    troughs = [math.ceil(row["trough"]) for row in rows if row["trough"] is not None]
    assert list(dict.fromkeys(troughs)) == explored.schedule.troughs(budget)[: len(set(troughs))]
    assert all(row["trough"] is not None for row in rows[:-1])
    for before, after in pairwise(rows):
        assert before["trough"] == after["start"]
        assert before["peak"] >= after["peak"] >= explored.eta_min
    for row in rows:
        assert row["last"] is None or explored.eta_min <= row["last"] <= row["peak"]


def test_a_cycle_that_is_shorter_than_a_step_has_no_last_one():
    rows = cycles.rows(Explored(T_0=0.5, T_mult=1), 2, None)
    assert [row["last"] is None for row in rows] == [False, True, False, True]
    assert all(row["last"] is not None for row in cycles.rows(Explored(T_0=0.5, T_mult=1), 2, 2))


@pytest.mark.parametrize(
    ("epoch", "steps_per_epoch", "words"),
    [
        ("0", None, "0: 0 of 5 epochs into the warm-up"),
        ("2.5", None, "0.05: 2.5 of 5 epochs into the warm-up"),
        ("5", None, "0.1: cycle 0, 0 of 10 epochs into it"),
        ("25", 391, "0.05, optimizer step 9,775: cycle 1, 10 of 20 epochs into it"),
    ],
)
def test_the_rate_at_an_epoch(epoch, steps_per_epoch, words):
    assert cycles.at(Explored(warmup=5), epoch, steps_per_epoch) == words


@pytest.mark.parametrize("epoch", ["", "x", "-1", "nan", "inf", "1e99", str(LAST_STEP + 1)])
def test_no_rate_at_what_is_no_epoch(epoch):
    with pytest.raises(ValueError, match=r"^epoch must be"):
        cycles.at(Explored(), epoch, None)


@given(explored_schedules(), st.integers(1, 10_000))
def test_a_budget_is_closed_where_it_is_a_trough(explored, budget):
    is_trough = explored.schedule.troughs(budget)[-1:] == [budget]
    constant = explored.eta_min == explored.base_lr and budget > explored.warmup
    assert closing.is_closed(explored, budget) == (is_trough or constant)


@given(explored_schedules(), st.integers(1, 10_000))
def test_whatever_is_offered_is_closed(explored, budget):
    offers = closing.offers(Exploration((Explored("other"), explored), 1, budget))
    assert len({offer.words for offer in offers}) == len(offers)
    for offer in offers:
        exploration = offer.exploration
        assert exploration.schedules[0] == Explored("other")
        assert closing.is_closed(exploration.current, exploration.budget)
        if exploration.current.T_0 != explored.T_0:
            assert budget - exploration.budget < sum(
                explored.T_mult**i for i in range(cycles.begun(explored, budget) + 1)
            )


def test_the_offers_for_a_budget_that_cuts_a_cycle_off():
    cut = Exploration((Explored(T_0=30, T_mult=1),), budget=100)
    assert closing.said(cut.current, 100).startswith(
        "The budget of 100 epochs is no trough: it ends 10 of 30 epochs into cycle 3, at a rate of 0.075."
    )
    assert [offer.words for offer in closing.offers(cut)] == [
        "T_0 = 33, budget = 99: 3 cycles",
        "T_0 = 25: 4 cycles",
        "T_0 = 20: 5 cycles",
        "budget = 90: 3 cycles",
        "budget = 120: 4 cycles",
    ]


def test_where_a_closed_budget_ends_is_said():
    assert closing.said(Explored(), 70) == "The budget of 70 epochs ends at the trough of cycle 2."
    assert closing.said(Explored(eta_min=0.1), 71) == "The rate is constant: any budget will do."


def test_the_offers_for_a_budget_within_the_warm_up():
    cut = Exploration((Explored(warmup=100),), budget=70)
    assert "within the warm-up" in closing.said(cut.current, 70)
    assert [offer.words for offer in closing.offers(cut)] == ["budget = 110: 1 cycle"]


@pytest.mark.parametrize(
    "explored",
    [
        Explored(T_0=LAST_STEP),
        Explored(T_0=1e-200),
        Explored(T_0=1e-200, T_mult=1e200),
        Explored(T_0=1e-3, T_mult=1.0000001),
        Explored(T_0=21475, T_mult=1),
        Explored(base_lr=1e200, eta_min=1e-300, peak_decay=1e-300),
        Explored(warmup=LAST_STEP),
    ],
)
@pytest.mark.timeout(10)
def test_extremes_are_worked_out_at_once(explored):
    for budget in (1, 100, LAST_STEP):
        try:
            explored.check(budget)
        except Faults:
            continue
        assert len(cycles.rows(explored, budget, 391)) <= cycles.MOST_ROWS
        cycles.at(explored, str(budget), LAST_STEP)
        if not closing.is_closed(explored, budget):
            closing.said(explored, budget)
            closing.offers(Exploration((explored,), budget=budget))
        for target in (OWN, *export.TARGETS):
            assert code(explored, target, None, budget)


@pytest.mark.parametrize("warmup", [0, 5])
@pytest.mark.parametrize("steps_per_epoch", [None, 3])
def test_code_for_this_library_gives_the_rates(warmup, steps_per_epoch):
    explored = Explored(peak_decay=0.5, eta_min=1e-3, warmup=warmup)
    fields: dict[str, object] = {}
    exec(code(explored, OWN, steps_per_epoch, 70), fields)
    per_epoch = steps_per_epoch or 1
    assert fields["schedule"] == explored.schedule.scaled(per_epoch)
    assert fields["learning_rate"] == explored.schedule.scaled(per_epoch)(70 * per_epoch - 1)


def test_code_for_frameworks_has_the_warm_up():
    schedule = Warmup(WarmRestarts(0.1, 10, 2), 5)
    for target in export.TARGETS:
        whole = export.code(schedule, target, steps_per_epoch=391, budget=75)
        assert code(Explored(warmup=5), target, 391, 75) == whole


def test_code_counts_updates_only_where_it_is_known_how_many_an_epoch_has():
    for target in export.TARGETS:
        text = code(Explored(), target, None, 70)
        if target in ("torch", "braintools"):
            assert text == export.code(WarmRestarts(0.1, 10, 2), target, budget=70, interval="epoch")
        else:
            assert text.startswith("# steps_per_epoch must be known for")
