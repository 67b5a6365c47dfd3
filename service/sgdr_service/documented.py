"""Classes whose instances are answers, as the OpenAPI document shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ConfigDict, with_config
from pydantic.config import JsonDict

Class = TypeVar("Class", bound=type)


def documented(example: JsonDict | None = None, **fields: JsonDict) -> Callable[[Class], Class]:
    """Has the document describe a class's fields by the docstrings below them, and show the example.

    Fields that a class hands down say it in their types: pydantic reads the docstrings of own fields alone.

    Args:
        example: the fields of an instance as JSON.
        fields: what the types of fields do not say, as JSON schema by name.
    """

    def extend(schema: dict[str, Any]) -> None:
        for name, words in fields.items():
            schema["properties"][name] |= words
        if example is not None:
            schema["examples"] = [example]

    return with_config(ConfigDict(use_attribute_docstrings=True, json_schema_extra=extend))
