"""What is wrong with an argument, for people to read and for programs to ask."""

from __future__ import annotations

import pickle
from typing import Any


class ArgumentError(ValueError):
    """An argument that cannot be; its text is one line that names it, its value and what to give.

    Fields:
        name: the argument; one of a workload's own values by its own name.
        value: what was given; the text of it after a pickle, where it cannot be pickled itself.
        reason: what it must be, or why it cannot be.
        fix: what to give instead; empty where the reason says it.
        within: the argument that holds the one that is named, as "hparams" does a workload's own values.

    >>> print(ArgumentError("slots", 0, "must be a whole number of at least 1"))
    slots=0 must be a whole number of at least 1
    """

    name: str
    value: Any
    reason: str
    fix: str
    within: str | None

    def __init__(
        self,
        name: str,
        value: Any,
        reason: str,
        fix: str = "",
        *,
        within: str | None = None,
        message: str | None = None,
    ) -> None:
        """`message` stands for the usual text, "NAME=VALUE REASON; FIX"."""
        if message is None:
            message = f"{name}={value!r} {reason}" + (f"; {fix}" if fix else "")
        super().__init__(message)
        self.name, self.value, self.reason, self.fix, self.within = name, value, reason, fix, within

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is made anew from its text alone, which the constructor does not take.
        return _bare, (type(self), str(self)), {**self.__dict__, "value": _portable(self.value)}


def bad_field(name: str, value: Any, reason: str, fix: str, *, shown: str | None = None) -> ArgumentError:
    """The error of a schedule's field, whose usual text is "NAME REASON, got VALUE; FIX".

    `shown` stands for the text of a value that may be long.
    """
    got = repr(value) if shown is None else shown
    return ArgumentError(name, value, reason, fix, message=f"{name} {reason}, got {got}; {fix}")


def _bare(kind: type[ArgumentError], text: str) -> ArgumentError:
    """An error of that text, whose fields are set by whoever reads a pickle."""
    return kind.__new__(kind, text)


def _portable(value: Any) -> Any:
    """The value, or its text where it cannot go to another process, to which the error is to come."""
    try:
        pickle.dumps(value)
    except Exception:  # whatever a class of the user's raises
        return repr(value)
    return value
