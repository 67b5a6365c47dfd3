"""What is said where an optional package is missing: one line that names the extra which installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

SEARCH = (
    "jax",
    "matplotlib",
    "optax",
    "optuna",
    "pandas",
    "psutil",
    "rich",
    "safetensors",
    "scipy",
    "sqlalchemy",
    "typer",
)
"""The packages of the extra `search`, by the names that are imported."""


class MissingPackage(ImportError):
    """A package of an extra that is not installed."""


def install(extra: str) -> str:
    """How to install what `extra` names: no package index has sgdr, so pip takes it from its source."""
    return f"pip install '.[{extra}]' in the folder of sgdr's source"


def missing(user: str, package: str, extra: str) -> MissingPackage:
    """The error for `user`, what the caller asked for, without that package, naming the extra that has it."""
    return MissingPackage(f"{user} needs {package}, which is not installed; {install(extra)}")


@contextmanager
def needed_by(user: str) -> Iterator[None]:
    """Says what to install where an import in this block finds no such package of the extra `search`."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in SEARCH:
            raise
        raise missing(user, package, "search") from error
