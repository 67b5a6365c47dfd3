"""The app behind uvicorn: one process, or several that share the address."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from functools import partial

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors.multiprocess import Multiprocess

from sgdr_service import logs
from sgdr_service.app import check, create_app
from sgdr_service.metrics import MULTIPROCESS
from sgdr_service.settings import Settings

BACKLOG = 2048
"""Connections that wait to be accepted."""

PARENT_SECONDS = 1.0
"""Seconds between two looks for the process that started this one."""

log = logging.getLogger(__name__)


def serve(settings: Settings) -> bool:
    """Serves until it is told to end, by SIGINT or SIGTERM. Returns whether it could start.

    Raises ValueError for settings that cannot be, and where the address is taken.
    """
    check(settings)  # what is wrong with them is said here, once, and not by every process
    logs.configure(settings.log_level)
    if settings.workers == 1:
        with _listening(settings) as listening:
            server = uvicorn.Server(_config(settings))
            server.run([listening])
            return server.started
    if settings.dashboard:
        log.warning(
            "%d workers serve no dashboard: its pages need one process; use workers=1", settings.workers
        )
    with tempfile.TemporaryDirectory(prefix="sgdr-metrics-") as folder, _listening(settings) as listening:
        os.environ[MULTIPROCESS] = folder
        Multiprocess(_config(settings), [listening]).run()
    return True


def _app(settings: Settings, started_by: int) -> FastAPI:
    """Makes the app, in each process."""
    logs.configure(settings.log_level)
    if os.getpid() != started_by:
        threading.Thread(target=_end_with, args=(started_by,), daemon=True).start()
    return create_app(settings)


def _end_with(parent: int) -> None:
    """Ends this process when the one that started it is gone: it would hold the address for ever."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        partial(_app, settings, os.getpid()),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
    )


def _listening(settings: Settings) -> socket.socket:
    """The listening socket, whose URL is logged: only it knows the port. Raises ValueError where the address
    cannot be had."""
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, settings.port))
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ValueError(
            f"host={settings.host!r} port={settings.port} cannot be served on: {error.strerror or error}; "
            "choose another --port"
        ) from None
    listening.set_inheritable(True)
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    log.info("serving", extra={"url": f"http://{shown}:{listening.getsockname()[1]}"})
    return listening
