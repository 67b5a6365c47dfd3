"""Who hears how a sweep, a confirmation or a comparison goes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from sgdr.errors import ArgumentError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Callback:
    """Hears how it goes: override what you want to hear, or give functions; all else is silence."""

    def __init__(
        self,
        on_progress: Callable[[Any], None] | None = None,
        on_remark: Callable[[str], None] | None = None,
    ) -> None:
        """Lets each function that is given take the place of the method of its name.

        Raises ValueError for what cannot be called.
        """
        for name, function in (("on_progress", on_progress), ("on_remark", on_remark)):
            if function is not None and not callable(function):
                raise ArgumentError(name, function, "must be a function", f"give e.g. {name}=print")
        if on_progress is not None:
            self.on_progress = on_progress  # type: ignore[method-assign, assignment]
        if on_remark is not None:
            self.on_remark = on_remark  # type: ignore[method-assign, assignment]

    def on_progress(self, progress: Any) -> None:
        """Hears how far it is, some times a second.

        `progress` is a `Progress` of a sweep, a `ConfirmProgress` of a confirmation, a `CompareProgress` of a
        comparison.
        """

    def on_remark(self, text: str) -> None:
        """Hears what the user should know, a sentence each."""


SILENT = Callback()
"""The callback that nobody listens to."""


def takes_functions(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check the `callback` of `function`, and let it take `on_progress` and `on_remark` with a warning.

    Raises ValueError for a callback that is none, and for functions beside one.
    """

    @functools.wraps(function)
    def called(*args: Any, **named: Any) -> Result:
        functions = {name: named.pop(name) for name in ("on_progress", "on_remark") if name in named}
        callback = named.get("callback", SILENT)
        if not isinstance(callback, Callback):
            must = "must be a search.Callback"
            raise ArgumentError("callback", callback, must, "give e.g. search.Callback(on_remark=print)")
        if functions:
            example = f"callback=search.Callback({', '.join(f'{name}=...' for name in functions)})"
            if "callback" in named:
                raise ArgumentError(
                    "callback", callback, f"and {', '.join(functions)} are two", f"give {example}"
                )
            warnings.warn(f"give {example}", DeprecationWarning, stacklevel=2)
            named["callback"] = Callback(**functions)
        return function(*args, **named)

    return called
