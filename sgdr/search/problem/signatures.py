"""Docstrings and signatures that are made from declared options."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sgdr.search.problem.options import Option, options_of

T = TypeVar("T")
P = ParamSpec("P")


def listing(declaring: type[T]) -> type[T]:
    """Lets the docstring of a dataclass that declares options list them."""
    declaring.__doc__ = _documented("Fields", declaring.__doc__, declaring)
    return declaring


def taking(declaring: Callable[P, Any]) -> Callable[[Callable[[Any], T]], Callable[P, T]]:
    """Lets a function of a dataclass that declares options be called with the options themselves."""

    def decorate(function: Callable[[Any], T]) -> Callable[P, T]:
        # Python's errors name the function that was called.
        declaring.__init__.__qualname__ = function.__name__

        @wraps(function)
        def called(*args: P.args, **options: P.kwargs) -> T:
            return function(declaring(*args, **options))

        signature = inspect.signature(declaring)
        returned = function.__annotations__["return"]
        called.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
        called.__doc__ = _documented("Args", function.__doc__, declaring)
        return called

    return decorate


def _documented(title: str, text: str | None, declaring: Any) -> str:
    """A docstring with the options of a dataclass, under that title, after its first paragraph."""
    head, _, rest = inspect.cleandoc(text or "").partition("\n\n")
    lines = [
        textwrap.fill(f"{name}: {_sentences(about)}", 106, initial_indent=4 * " ", subsequent_indent=8 * " ")
        for name, about in options_of(declaring).items()
    ]
    return "\n\n".join(part for part in (head, "\n".join([f"{title}:", *lines]), rest) if part)


def _sentences(about: Option) -> str:
    """What a docstring says of an option."""
    nothing = "None" if about.default is None else "empty"
    text = replace(about, unset=about.fallback).words(nothing) + about.also
    if about.for_ray:
        text += "; for the engine ray"
    if text[1:2].islower() or text[1:2] == " ":
        text = text[:1].lower() + text[1:]
    return f"{text}. {about.more}".rstrip()
