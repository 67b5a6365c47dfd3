"""Tables in Markdown, and the machine and versions that stand with every number."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

ABSENT = "–"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right, padded to be read as text."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([cells[0].ljust(widths[0]), *numbers]) + " |"


def number(value: float | None) -> str:
    """`value` to three significant digits, never as a power of ten; a dash for None."""
    if value is None:
        return ABSENT
    rounded, _, exponent = f"{value:.2e}".partition("e")
    decimals = max(0, 2 - int(exponent))
    return f"{float(rounded) * 10.0 ** int(exponent):,.{decimals}f}"


def share(part: float | None, whole: float) -> str:
    """`part` in percent of `whole`; a dash for None."""
    return ABSENT if part is None else f"{100 * part / whole:.0f} %"


def size(count: int) -> str:
    """Bytes in MB, of a million each."""
    return f"{count / 1e6:,.0f} MB"


def machine(*packages: str) -> str:
    """One line: date, processor, cores, Python, and the versions of `packages`."""
    today = datetime.datetime.now(datetime.UTC).date()
    cores = os.cpu_count()
    versions = [f"Python {platform.python_version()}", *map(_version, packages)]
    return f"{today}, {_processor()}, {cores} cores; {', '.join(versions)}"


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} not installed"


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def put(text: str, path: Path | None) -> None:
    """Writes a report into a file, or where none is named prints it."""
    if path:
        path.write_text(text)
    else:
        print(text, end="")
