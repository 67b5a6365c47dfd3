"""The part of exported code that makes its schedule, run."""

from __future__ import annotations

import ast
from typing import Any


def defined(code: str, name: str, **given: Any) -> Any:
    """What the code assigns to `name`, with the names that it takes from its user; nothing after that is run.

    What it imports from transformers is left out: the Trainer takes seconds to import, and has no part in it.
    """
    names = dict(given)
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "transformers":
            continue
        exec(compile(ast.Module([statement], []), "exported.py", "exec"), names)  # our own text
        if name in names and not isinstance(statement, ast.ImportFrom):
            return names[name]
    raise AssertionError(f"exported code assigns no {name}")
