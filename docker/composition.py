"""What compose.yaml says of its services, as one machine needs it to run them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("compose.yaml")
SECRETS = "/run/secrets"
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<text>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """One service, with all variables filled in."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: tuple[str, ...]
    """The command of its healthcheck; empty where it has none."""
    health_seconds: float
    """Seconds that the command of its healthcheck may take."""
    ports: tuple[int, ...]
    """Ports at which it listens, those for the other services alone too."""
    volumes: Mapping[str, str]
    """Path in the container to the name of the volume."""
    secrets: Mapping[str, str]
    """Path in the container to the file on this machine."""
    replicas: int


def read(variables: Mapping[str, str], file: Path = FILE) -> list[Service]:
    """The services without a profile, each after those that it depends on.

    Raises ValueError where a variable that must be set is not.
    """
    document = _filled(yaml.safe_load(file.read_text()), variables)
    declared = {
        name: service for name, service in document["services"].items() if not service.get("profiles")
    }
    order = TopologicalSorter({name: service.get("depends_on", ()) for name, service in declared.items()})
    files = {name: secret["file"] for name, secret in document.get("secrets", {}).items()}
    return [_service(name, declared[name], files) for name in order.static_order()]


def _service(name: str, declared: Mapping[str, Any], files: Mapping[str, str]) -> Service:
    health = declared.get("healthcheck", {})
    mounts = (mount.split(":") for mount in declared.get("volumes", ()))
    return Service(
        name=name,
        command=tuple(declared["command"]),
        environment=declared.get("environment", {}),
        health=tuple(health.get("test", ())[1:]),
        health_seconds=float(health.get("timeout", "30s").removesuffix("s")),
        ports=tuple(
            int(port.rpartition(":")[2]) for port in (*declared.get("expose", ()), *declared.get("ports", ()))
        ),
        volumes={path: volume for volume, path in mounts},
        secrets={f"{SECRETS}/{secret}": files[secret] for secret in declared.get("secrets", ())},
        replicas=int(declared.get("deploy", {}).get("replicas", 1)),
    )


def _filled(node: Any, variables: Mapping[str, str]) -> Any:
    """The document with its variables replaced, as Compose does."""
    if isinstance(node, dict):
        return {name: _filled(value, variables) for name, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, variables) for value in node]
    return filled(node, variables) if isinstance(node, str) else node


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with `${NAME:-default}`, `${NAME:?message}` and `$$` replaced.

    Raises ValueError where one with a message has no value.
    """

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, how = match["name"], match["how"]
        if variable := variables.get(name):
            return variable
        if how == "?":
            raise ValueError(f"required variable {name} is missing a value: {match['text']}")
        return match["text"] or ""

    return _VARIABLE.sub(value, text)
