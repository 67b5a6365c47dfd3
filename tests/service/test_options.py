"""An option of a sweep is declared once: it is everywhere where it is to be shown, with the same default."""

import inspect

import pydantic
import pytest
import typer
from sgdr_service.dashboard.launching import form
from sgdr_service.dashboard.launching.form import DEFAULTS, empty, placeholders
from sgdr_service.sweeps.request import SweepRequest, _field

from sgdr import search
from sgdr.cli import app, options
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.options import Kind, Option, Place
from sgdr.search.sweeps.config import OPTIONS, SweepConfig
from sgdr.search.sweeps.settings import Settings, resolve

COMMAND = {param.name: param for param in typer.main.get_command(app).commands["sweep"].params}
SCHEMA = SweepRequest.model_json_schema()["properties"]


def shown_at(place):
    return {name for name, option in OPTIONS.items() if place in option.shown}


def test_every_option_is_where_it_says_and_nothing_else_is():
    assert shown_at(Place.COMMAND) == COMMAND.keys() - {"workload", "json", "help"}
    assert shown_at(Place.REST) == SCHEMA.keys() - {"workload"}
    fields = {name.partition(".")[0] for name in empty()}
    assert shown_at(Place.FORM) == fields - {"workload"}
    known = inspect.signature(search.sweep).parameters.keys()
    own = {"workload", "callback", "start"}  # the last is the space's elsewhere
    assert next(iter(known)) == "workload" and known - own == vars(SweepConfig()).keys()


@pytest.mark.parametrize("name", sorted(shown_at(Place.COMMAND | Place.REST)))
def test_its_default_and_its_words_are_the_same_in_all_places(name):
    option = OPTIONS[name]
    assert COMMAND[name].help.startswith(option.help)
    assert SCHEMA[name]["description"].startswith(option.rest or option.help)
    default, told = options.read(option, COMMAND[name].default), DEFAULTS[name]
    assert (list(default) if isinstance(default, tuple) else default) == ([] if default == () else told)
    assert f"    {name}: " in (search.Space.__doc__ + search.sweep.__doc__) or name == "confirm"


def test_an_empty_field_of_the_form_shows_what_it_means():
    declared = Declaration("w", "error", "minimize", 6, "callable", None, None, None, {}, None)
    assert placeholders(declared, "").keys() == {name for name, value in empty().items() if value == ""} - {
        "workload"
    }


@pytest.mark.parametrize("name", ["trials", "budget", "workers", "cpus_per_worker", "controls", "seed"])
def test_bounds_stand_in_the_schema_and_hold_in_python(name):
    parts = SCHEMA[name].get("anyOf", [SCHEMA[name]])
    names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
    for bound, limit in OPTIONS[name].bounds.items():
        assert any(part.get(names[bound]) == limit for part in parts)
        beyond = {"ge": limit - 1, "gt": limit, "le": limit + 1, "lt": limit}[bound]
        with pytest.raises(ValueError, match=f"^{name}={beyond} must be"):
            SweepConfig(**{name: beyond})


def test_a_call_that_cannot_be_is_refused_by_the_functions_name():
    with pytest.raises(TypeError, match=r"^sweep\(\) got an unexpected keyword argument 'trails'"):
        search.sweep("digits", trails=3)


VALUES = {
    Kind.TEXT: ("some", 3, {}, "must be a text"),
    Kind.WHOLE: (2, 2.5, {}, "must be a whole number"),
    Kind.NUMBER: (2.5, "2", {}, "must be a finite number"),
    Kind.AMOUNT: (0.5, 2.5, {}, "must be a whole number, or a fraction below 1"),
    Kind.TIME: (2.5, float("nan"), {}, "must be a finite number"),
    Kind.SLOTS: (2, "many", {}, "must be a whole number or 'auto'"),
    Kind.SWITCH: (True, "no", {}, "must be True or False"),
    Kind.CHOICE: ("a", "c", {"choices": ("a", "b")}, "must be one of a, b"),
    Kind.NAMES: (("a",), ("c",), {"choices": ("a", "b")}, "must be one of a, b"),
    Kind.SCHEDULES: (({"shape": "linear", "base_lr": 1},), 3, {}, "must be schedules; give e.g. .*"),
}
"""For each kind a value that is taken, one that is not, what the option says besides, and why it is not."""


@pytest.mark.parametrize("kind", Kind)
def test_an_option_of_any_kind_needs_no_bounds_and_no_default(kind):
    good, bad, about, reason = VALUES.get(kind, (1, None, {}, ""))
    declared = Option(kind, "Help", name="made", **about)
    assert declared.checked(None) is None and declared.checked(good) == good
    if reason:
        with pytest.raises(ValueError, match=f"^made=.* {reason}$"):
            declared.checked(bad)
    asked = pydantic.create_model("Asked", made=_field(declared))
    assert asked().made is None and asked.model_json_schema()["properties"]["made"]["description"].startswith(
        "Help"
    )
    assert options.parameter(declared).default is None
    if kind is Kind.SCHEDULES:  # of which a command takes several
        assert declared.checked(options.read(declared, [declared.text(good)])) == good
    elif kind in (*options.READ, Kind.TEXT, Kind.CHOICE):
        read = options.read(declared, declared.text(good))
        assert (tuple(read) if kind is Kind.NAMES else read) == ((good,) if kind is Kind.WHOLES else good)


@pytest.mark.parametrize("kind", [Kind.WHOLE, Kind.NUMBER, Kind.AMOUNT, Kind.TIME, Kind.SLOTS])
@pytest.mark.parametrize(
    ("bound", "inside", "beyond", "reason"),
    [
        ("ge", 5, 4, "must be a whole number of at least 5|must be at least 5"),
        ("gt", 6, 5, "must be above 5"),
        ("le", 5, 6, "must be at most 5"),
        ("lt", 4, 5, "must be below 5"),
    ],
)
def test_each_bound_of_a_number_holds_and_speaks_for_itself(kind, bound, inside, beyond, reason):
    declared = Option(kind, "Help", name="made", **{bound: 5})
    assert declared.checked(inside) == inside
    with pytest.raises(ValueError, match=f"^made={beyond} ({reason})( or 'auto')?$"):
        declared.checked(beyond)
    if kind is not Kind.SLOTS:  # whose limits depend on the workload
        asked = pydantic.create_model("Asked", made=_field(declared))
        assert asked(made=inside).made == inside
        with pytest.raises(pydantic.ValidationError):
            asked(made=beyond)


def test_a_further_range_has_its_fields_in_the_form(monkeypatch):
    declared = Declaration("w", "error", "minimize", 6, "callable", None, None, None, {}, None)
    monkeypatch.setattr(form, "RANGES", (*form.RANGES, "fixed", "free"))
    monkeypatch.setattr(form, "DEFAULTS", {**DEFAULTS, "fixed": [1, 2], "free": None})
    shown = placeholders(declared, "")
    assert [shown[end] for name in ("fixed", "free") for end in form.ends(name)] == ["1", "2", "", ""]


@pytest.mark.parametrize("name", ["budget", "space", "pruner", "slots"])
def test_settings_have_no_default_where_the_option_is_not_resolved(name):
    declared = Declaration("w", "error", "minimize", 6, "callable", None, None, None, {}, None)
    resolved = vars(resolve(declared, SweepConfig()))
    with pytest.raises(TypeError, match=f"missing 1 required .* '{name}'"):
        Settings(**{part: value for part, value in resolved.items() if part != name})
