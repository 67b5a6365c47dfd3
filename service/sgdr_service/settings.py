"""What the service is told by its environment: variables `SGDR_…`, or a file `.env` in its folder."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sgdr.search.storage.connect import DEFAULT_URL

OWN_PATHS = frozenset(
    (
        "dashboard",
        "docs",
        "healthz",
        "metrics",
        "openapi.json",
        "readyz",
        "redoc",
        "static-offline-docs",
        "v1",
    )
)
"""The names with which the paths of the routes begin."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Settings(BaseSettings):
    """Every setting with its default. Raises ValueError (pydantic's) for one that cannot be."""

    model_config = SettingsConfigDict(
        env_prefix="SGDR_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    storage: str = Field(DEFAULT_URL, min_length=1)
    """URL of the Optuna storage."""
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8000, ge=0, le=65535)
    """0: any free one."""
    root_path: str = ""
    """Path below which a proxy shows the service, such as /sgdr; empty: it has the host for itself."""
    workers: int = Field(1, ge=1, le=64)
    """Processes that answer requests."""
    dashboard: bool = True
    """Whether pages for people are served too. They need one process: several `workers` have none."""
    token_hash: str | None = None
    """Hash of the bearer token that writing needs, as `sgdr token` prints it; None: that in `token_file`."""
    token_file: Path | None = None
    """None: where `sgdr token` writes it."""
    public_reading: bool = False
    """Whether reading needs no token on another address than loopback, where it never does."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names in the Host header that are answered, beside those of loopback. None: those of loopback alone
    when bound to it, else any; *: any."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may read answers."""
    max_body_bytes: int = Field(4 * 2**20, ge=1024)
    max_running: int = Field(1, ge=1)
    """Sweeps that run at once; the others are queued."""
    max_queued: int = Field(100, ge=0)
    max_trials: int = Field(100_000, ge=1)
    """The most trials of one sweep, and the highest cost."""
    max_budget: int = Field(10_000, ge=1)
    """Epochs of one trial."""
    max_seconds: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Seconds that one sweep may take; None: as long as it wants."""
    max_workers: int = Field(16, ge=1)
    """The most workers of one sweep on Ray."""
    ray_address: str | None = None
    """Address of the Ray cluster for sweeps, auto or HOST:PORT; None: each has Ray started on this host."""
    checkpoints: Path | None = None
    """Folder for the states of trials at their last troughs, which all hosts of sweeps have; None: none."""
    log_level: str = "info"
    shutdown_seconds: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Seconds that requests in progress get when the service ends."""

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _listed(cls, listed: Any) -> Any:
        """A text with commas between them."""
        return (
            tuple(part.strip() for part in listed.split(",") if part.strip())
            if isinstance(listed, str)
            else listed
        )

    @field_validator("root_path")
    @classmethod
    def _normal_path(cls, root_path: str) -> str:
        """The path without a slash at its end."""
        path = root_path.rstrip("/")
        if path and not re.fullmatch(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)+", path):
            raise ValueError(
                "must be a path of letters, digits and - . _ ~ that begins with a slash, e.g. /sgdr"
            )
        if path[1:].partition("/")[0] in OWN_PATHS:
            raise ValueError(
                "must not begin as one of the service's own paths, from which it could not be told; "
                "take e.g. /sgdr"
            )
        return path

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        level = level.lower()
        if level not in ("debug", "info", "warning", "error"):
            raise ValueError("must be debug, info, warning or error")
        return level

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names in the Host header that are answered; empty: any.

        A page of another site whose name resolves to 127.0.0.1 is thus not answered.
        """
        if "*" in self.allowed_hosts or not (self.allowed_hosts or self.on_loopback):
            return ()
        return tuple(dict.fromkeys(map(str.lower, (*self.allowed_hosts, *LOOPBACK_NAMES, self.host))))

    @property
    def shows_dashboard(self) -> bool:
        """Whether there is one: a page talks to the process that made it, and no other."""
        return self.dashboard and self.workers == 1

    @property
    def reading_needs_token(self) -> bool:
        """Whether also reading needs the token."""
        return not (self.on_loopback or self.public_reading)


def read_settings(**options: Any) -> Settings:
    """The settings, with these options before the environment's; None counts as not given.

    Raises ValueError in one line that names the variable.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(
            f"SGDR_{name.upper()}={first['input']!r}: {message[0].lower()}{message[1:]}"
        ) from None
