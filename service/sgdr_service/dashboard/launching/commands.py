"""The same sweep on the command line, and over HTTP."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sgdr.search.storage.connect import DEFAULT_URL, shown
from sgdr_service.dashboard.launching.form import DEFAULTS, FORM, SWITCHES


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
    words = ["sgdr", "sweep", *_option("workload", request["workload"])]
    said = {name: value for name, value in request.items() if name in FORM and value != DEFAULTS[name]}
    for name in [name for name in FORM if name in said and name not in SWITCHES]:
        words += _option(name, FORM[name].text(said[name]))
    if said.get("engine") == "ray" and ray_address:
        words += _option("address", ray_address)
    if checkpoints:
        words += _option("checkpoints", str(checkpoints))
    return typed([*words, *(FORM[name].flag for name in SWITCHES if said.get(name))], storage)


def _option(name: str, text: str) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    return [f"{option}={text}"] if text.startswith("-") else [option, text]


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
