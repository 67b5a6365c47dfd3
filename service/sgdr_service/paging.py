"""Lists a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar, get_args

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MOST_ITEMS = 1000
LARGEST_OFFSET = 2**31 - 1

Item = TypeVar("Item")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many at most.", examples=[20])]
Offset = Annotated[int, Query(ge=0, le=LARGEST_OFFSET, description="How many to pass over.", examples=[0])]


def _with_example(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """The example of a page, of one item's."""
    (item,) = get_args(model.model_fields["items"].annotation)
    examples = TypeAdapter(item).json_schema()["examples"]
    schema["examples"] = [{"items": examples, "total": 1, "limit": 100, "offset": 0}]


class Page(BaseModel, Generic[Item]):
    """Part of a list."""

    model_config = ConfigDict(json_schema_extra=_with_example)
    items: list[Item]
    total: int = Field(description="How many there are in all, that pass the filters.")
    limit: int
    offset: int


def cut(rows: Sequence[Row], limit: int, offset: int, item: Callable[[Row], Item]) -> Page[Item]:
    """The page, of which `item` makes what is on it; nothing is checked."""
    shown = [item(row) for row in rows[offset : offset + limit]]
    return Page.model_construct(items=shown, total=len(rows), limit=limit, offset=offset)
