"""Why a sweep is not begun, found or ended, and the library's errors in these terms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sgdr.errors import ArgumentError
from sgdr_service.sweeps.request import SweepRequest


class Invalid(ValueError):
    """A sweep that cannot be.

    `field` names the argument, where one is at fault, and `hparam` the one of its values, where it is one.
    """

    def __init__(self, message: str, field: str | None = None, hparam: str | None = None) -> None:
        super().__init__(message)
        self.field, self.hparam = field, hparam


class Conflict(ValueError):
    """The study is there, and does not allow what is asked."""


class Full(RuntimeError):
    """No more sweeps can be queued at present."""


class NotFound(LookupError):
    """There is no sweep of that name."""


class NotOurs(ValueError):
    """The service did not start it."""


@contextmanager
def as_invalid() -> Iterator[None]:
    """Turns the library's ValueError into `Invalid`, with the field that an `ArgumentError` names."""
    try:
        yield
    except ArgumentError as error:
        field, hparam = (error.within, error.name) if error.within else (error.name, None)
        raise Invalid(str(error), field if field in SweepRequest.model_fields else None, hparam) from error
    except ValueError as error:
        raise Invalid(str(error)) from error
