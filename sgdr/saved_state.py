"""Saved states: plain numbers in them, and one warning where a loaded one changes what was asked for.

Checkpoint libraries give numbers back as NumPy scalars, or as arrays and tensors without dimensions.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from math import isclose
from typing import Any

from sgdr import checks

_CLOSE = 1e-6
"""Two numbers are the same where one of them went through float32."""


def plain(value: Any) -> Any:
    """A number of NumPy's, or an array or a tensor without dimensions, as Python's; also in dicts and lists.

    Anything else is returned as it is.
    """
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    if getattr(value, "ndim", None) != 0 or not hasattr(value, "item"):
        return value
    return checks.plain(value.item())  # that of a longdouble is one still


def differences(name: str, present: Any, loaded: Any) -> list[str]:
    """What `loaded` changes in `present`, one text for each number or other value that differs."""
    present, loaded = plain(present), plain(loaded)
    if is_dataclass(present) and type(present) is type(loaded):
        pairs = [
            (f"{name}.{field.name}", getattr(present, field.name), getattr(loaded, field.name))
            for field in fields(present)
        ]
        return [text for pair in pairs for text in differences(*pair)]
    return [] if _same(present, loaded) else [f"{name}={loaded!r} in place of {present!r}"]


def warn_of_changes(changes: Iterable[str], step: Any) -> None:
    """Warns the caller of `load_state_dict()` once of all that the state has changed, where it has."""
    listed = ", ".join(changes)
    if listed:
        warnings.warn(
            f"load_state_dict() took from the state {listed}; to keep what the scheduler was made with, call "
            f"step({step!r}) instead of load_state_dict(); to keep what the state has, make it with that",
            UserWarning,
            stacklevel=3,
        )


def _same(present: Any, loaded: Any) -> bool:
    if isinstance(present, list | tuple) and isinstance(loaded, list | tuple):
        return len(present) == len(loaded) and all(map(_same, present, loaded))
    numbers = isinstance(present, int | float) and isinstance(loaded, int | float)
    if numbers and float in (type(present), type(loaded)):
        return isclose(present, loaded, rel_tol=_CLOSE)
    return bool(present == loaded)
