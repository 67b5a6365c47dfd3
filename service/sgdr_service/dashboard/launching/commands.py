"""The same sweep on the command line, and over HTTP."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sgdr.search.storage.connect import DEFAULT_URL, shown
from sgdr_service.dashboard.launching.form import CHOICES, DEFAULTS, LISTS, NUMBERS, RANGES, SWITCHES


def command_line(
    request: Mapping[str, Any],
    storage: str,
    ray_address: str | None = None,
    checkpoints: Path | None = None,
) -> str | None:
    """The `sgdr sweep` that does the same in that storage; None where its options cannot say it.

    `request`: a valid one as `form.as_json` makes it; the others are the service's own.
    """
    if request.get("hparams"):
        return None
    said = {name: value for name, value in request.items() if value != DEFAULTS.get(name)}
    options: dict[str, Any] = {name: said[name] for name in ("workload", "study", *NUMBERS) if name in said}
    options |= {name: ":".join(map(str, said[name])) for name in RANGES if name in said}
    options |= {name: ",".join(map(str, said[name])) for name in LISTS if name in said}
    if "timeout" in said:  # which has no exponent there
        options["timeout"] = f"{Decimal(repr(said['timeout'])):f}"
    options |= {name: said[name] for name in CHOICES if name in said}
    if said.get("engine") == "ray" and ray_address:
        options["address"] = ray_address
    if checkpoints:
        options["checkpoints"] = checkpoints
    words = ["sgdr", "sweep"]
    for name, value in options.items():
        option, text = f"--{name.replace('_', '-')}", str(value)
        words += [f"{option}={text}"] if text.startswith("-") else [option, text]
    return typed([*words, *(f"--{name}" for name in SWITCHES if said.get(name))], storage)


def typed(words: Sequence[str], storage: str) -> str:
    """A command as it is typed, on that storage."""
    return shlex.join([*words, *(["--storage", shown(storage)] if storage != DEFAULT_URL else [])])


def curl(request: Mapping[str, Any], service: str) -> str:
    """The request to the service at that URL; the token is taken from `$SGDR_TOKEN`."""
    body = json.dumps(request, ensure_ascii=False)
    return (
        f'curl -H "Authorization: Bearer $SGDR_TOKEN" '
        f"{shlex.quote(f'{service}/v1/sweeps')} --json {shlex.quote(body)}"
    )
