"""A table that can be sorted, filtered and taken away."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from sgdr_service.dashboard.layout import in_browser, titled

LONGEST_AS_A_WHOLE = 12
"""Rows of a table that grows with them; a longer one scrolls."""
FORMAT = (
    "p => p.value === null || p.value === undefined ? '' : typeof p.value === 'number' && "
    "!Number.isInteger(p.value) ? Number(p.value.toPrecision(4)).toString() : String(p.value)"
)

EMPTY_LAST = (
    "(a, b, one, two, descending) => (a == null) !== (b == null) ? (a == null) !== descending ? 1 : -1 : "
    "a < b ? -1 : a > b ? 1 : 0"
)
"""An order in which empty cells come last, both ways."""


def column(field: str, name: str | None = None, **options: Any) -> dict[str, Any]:
    """The column of that field of the rows; numbers are shown with four digits, and kept whole."""
    return {"field": field, "headerName": name or field, ":valueFormatter": FORMAT, **options}


CYCLE = (
    column("cycle"),
    column("start", "start (epoch)"),
    column("length", "length (epochs)"),
    column("trough", "trough (epoch)"),
)
"""The first columns of tables of cycles."""


class Table:
    """Rows are told apart by the field `key`, so that a change keeps the selection and the place.

    `file`: the name of its download, without the ending.
    """

    def __init__(
        self,
        title: str,
        file: str,
        columns: Sequence[dict[str, Any]],
        rows: Sequence[Mapping[str, Any]],
        key: str,
        *,
        csv_url: str | None = None,
        on_row: Callable[[dict[str, Any]], Any] | None = None,
        on_ready: Callable[[], Any] | None = None,
    ) -> None:
        """`csv_url`: where the whole table is to be had; None: from what is shown.

        `on_row` is called with the row that is chosen, by click or by Enter, `on_ready` when the browser has
        made the table.
        """
        self._long = csv_url is not None or len(rows) > LONGEST_AS_A_WHOLE
        with ui.element("section").classes("figure") as self.section:
            with titled(title):
                csv = ui.button("CSV").props("flat dense no-caps")
                csv.props["aria-label"] = f"{title} as CSV"
            self._grid = ui.aggrid(
                _options(columns, rows, key, self._long), theme="balham", auto_size_columns=False
            )
        self._grid.classes("table" if self._long else "table whole")
        self._grid.props["aria-label"] = title
        if csv_url is None:
            csv.on("click", js_handler=f"() => sgdr.csv({self._grid.id}, {json.dumps(file)})")
        else:
            csv.props.update({"href": in_browser(csv_url), "download": f"{file}.csv"})
        if on_ready is not None:
            self._grid.on("gridReady", on_ready, js_handler="() => emit()")
        if on_row is not None:
            chosen = on_row
            enter = "(e) => { if (sgdr.key === 'Enter') emit(e.data); }"
            for event, handler in (("rowClicked", "(e) => emit(e.data)"), ("cellKeyDown", enter)):
                self._grid.on(event, lambda row: chosen(row.args), js_handler=handler)

    def show(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """All rows anew; place and selection stay."""
        if not self._long and len(rows) > LONGEST_AS_A_WHOLE:
            self._long = True
            self._grid.classes(remove="whole")
            self._grid.run_grid_method("setGridOption", "domLayout", _dom_layout(long=True))
        self._grid.run_grid_method("setGridOption", "rowData", rows)

    def change(self, added: Sequence[Mapping[str, Any]], changed: Sequence[Mapping[str, Any]]) -> None:
        """Some rows."""
        if added or changed:
            self._grid.run_grid_method("applyTransaction", {"add": added, "update": changed})


def _options(
    columns: Sequence[dict[str, Any]], rows: Sequence[Mapping[str, Any]], key: str, long: bool
) -> dict[str, Any]:
    return {
        "columnDefs": list(columns),
        "rowData": list(rows),
        "defaultColDef": {
            "sortable": True,
            "filter": True,
            "resizable": True,
            "minWidth": 80,
            "flex": 1,
            ":comparator": EMPTY_LAST,
        },
        ":getRowId": f"p => String(p.data[{key!r}])",
        "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
        "domLayout": _dom_layout(long),
        "animateRows": False,
        "suppressFieldDotNotation": True,
        "ensureDomOrder": True,
        "enableCellTextSelection": True,
    }


def _dom_layout(long: bool) -> str:
    """The grid's word for whether it scrolls or grows with its rows."""
    return "normal" if long else "autoHeight"
