"""Names of the user's own beside those of a flat table: none hides another."""

from __future__ import annotations

from collections.abc import Collection


def flat_name(prefix: str, name: str, taken: Collection[str]) -> str:
    """The column of that value in a table whose own columns are `taken`: its name, or prefix.name.

    Different names have different columns, hence a name that begins with the prefix gets it again.
    """
    return f"{prefix}.{name}" if name in taken or name.startswith(f"{prefix}.") else name
