"""All trials, in a table; a click shows one."""

from __future__ import annotations

from typing import Any

from sgdr.search.study.columns import FIRST, REST, flat_row, trial_columns
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.layout import api_url
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.part import Part
from sgdr_service.dashboard.table import Table, column

AT_ONCE = 2000
"""Rows in a message."""
TEXTS = {column.name for column in (*FIRST, *REST) if column.form in ("state", "arm", "text", "flag")}
"""The columns that are filtered as texts."""


class TrialsPart(Part):
    """The tab."""

    def __init__(self, here: Here, seen: Seen) -> None:
        super().__init__(here, seen)
        name = seen.study.name
        columns = [
            column(field, filter="agTextColumnFilter" if field in TEXTS else "agNumberColumnFilter")
            for field in trial_columns(seen.study.stored)
        ]
        columns[0] |= {"pinned": "left", "maxWidth": 110}
        self._sent: list[dict[str, Any]] = []
        self._ready = False
        self._table = Table(
            "Trials",
            f"{name}-trials",
            columns,
            [],
            key="number",
            csv_url=api_url(name, "/trials.csv"),
            on_row=self._chosen,
            on_ready=self._filled,
        )

    async def _draw(self, seen: Seen) -> None:
        """Sends the rows that are new or have changed."""
        if self._ready:
            self._send(seen.study.rows)

    async def _filled(self) -> None:
        """The table is there, and empty: also when the browser has made it anew."""
        self._ready, self._sent = True, []
        self._send(self._seen.study.rows)

    def _send(self, rows: list[dict[str, Any]]) -> None:
        changed = [flat_row(now) for now, then in zip(rows, self._sent, strict=False) if now is not then]
        added = [flat_row(row) for row in rows[len(self._sent) :]]
        self._sent = list(rows)
        for start in range(0, max(len(added), 1), AT_ONCE):
            self._table.change(added[start : start + AT_ONCE], changed if start == 0 else [])

    async def _chosen(self, row: dict[str, Any]) -> None:
        await self._open(int(row["number"]))
