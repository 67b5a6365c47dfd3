"""An option of a sweep is declared once: it is everywhere where it is to be shown, with the same default."""

import inspect

import pytest
import typer
from sgdr_service.dashboard.launching.form import DEFAULTS, empty, placeholders
from sgdr_service.sweeps.request import SweepRequest

from sgdr import search
from sgdr.cli import app, options
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.options import Place
from sgdr.search.sweeps.config import OPTIONS, SweepConfig

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
    assert next(iter(known)) == "workload" and known - {"workload", "callback"} == vars(SweepConfig()).keys()


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
