"""What the documentation of names says is so: its examples run, and its page is written from them."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "sgdr").rglob("*.py")
    if ">>>" in path.read_text()
)
FRAMEWORKS = ("torch", "keras", "braintools")


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module):
    for name in FRAMEWORKS:
        if module == f"sgdr.adapters.{name}":
            pytest.importorskip(name)
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted and not found.failed


def test_the_page_of_public_names_is_up_to_date():
    pytest.importorskip("griffe")
    from experiments.api_page import page

    assert (ROOT / "docs" / "api.md").read_text() == page(), "run: python -m experiments.api_page"
