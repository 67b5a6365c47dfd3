"""The Ray cluster that a sweep runs on: one that is there, or one on this machine for as long as it takes."""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from sgdr.errors import ArgumentError
from sgdr.search.backend.devices import cores
from sgdr.search.backend.interrupts import handled_by
from sgdr.search.problem.callback import Callback
from sgdr.search.sweeps.cluster import Cluster

CONNECT_SECONDS = 5.0
TOKEN = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""The environment variables by which Ray knows whether a cluster has a token, and which, or where."""
WORKER_BYTES = 600 * 2**20
"""What a worker takes of memory, at the least."""
OBJECT_STORE_BYTES = 512 * 2**20
"""The size in bytes of Ray's store, for the workload, which every worker reads once; Ray would take a third
of the memory."""


@contextmanager
def connected(cluster: Cluster, callback: Callback) -> Iterator[str]:
    """This machine's address in the cluster, which has room for a worker at least.

    Raises ValueError where there is no cluster, or it has not what a worker is to get.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray 2.60 warns where neither is said.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with _with_token(cluster):
        import ray

        ours = not ray.is_initialized()
        if ours:
            with _own_signals():
                _connect(cluster)
        try:
            _check_room(cluster, ray.nodes(), callback)
            yield ray.util.get_node_ip_address()
        finally:
            if ours:
                ray.shutdown()


@contextmanager
def _with_token(cluster: Cluster) -> Iterator[None]:
    """A cluster of our own has a token of its own: else Ray would leave one in the user's home, which every
    `ray start` from then on asks for. For one at HOST:PORT that asks for a token, the one that is there is
    used, as Ray does by itself for the address auto alone; to one that has none, it would be a stranger."""
    before = {name: os.environ.get(name) for name in TOKEN}
    mode, token, file = TOKEN
    has_one = any(before[name] for name in (token, file)) or (Path.home() / ".ray" / "auth_token").is_file()
    if cluster.address is None and not any(before.values()):
        os.environ[token] = _own_token()
    elif (
        cluster.address is not None and before[mode] is None and has_one and _asks_for_token(cluster.address)
    ):
        os.environ[mode] = "token"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _asks_for_token(address: str) -> bool:
    """Whether the cluster refuses a call without a token; a call that says and changes nothing."""
    import grpc

    place = address.removeprefix("ray://")
    if ":" not in place:  # auto, of which Ray finds out by itself
        return False
    with grpc.insecure_channel(place, options=(("grpc.enable_http_proxy", 0),)) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetClusterId")(b"", timeout=CONNECT_SECONDS)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNAUTHENTICATED)
    return False


@cache
def _own_token() -> str:
    """One for the whole process: Ray reads it once."""
    return secrets.token_hex(32)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Leaves SIGTERM with whoever has it: Ray would exit at once, and not end the sweep."""
    try:
        with handled_by(signal.getsignal(signal.SIGTERM), signal.SIGTERM):
            yield
    except SystemExit as error:
        raise KeyboardInterrupt from error


def _connect(cluster: Cluster) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if cluster.address is None:
        _check_memory(cluster.workers)
        needed = math.ceil(cluster.workers * cluster.cpus_per_worker)
        ray.init(
            "local",  # also where another cluster is there
            num_cpus=max(cores(), needed),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            **quiet,
        )
        return
    try:
        _probe(cluster.address)
        ray.init(address=cluster.address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArgumentError(
            "address",
            cluster.address,
            f"leads to no Ray cluster that takes us ({reason})",
            "start one by `ray start --head`, or leave address out to use this machine; where it has a "
            "token, set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or a file ~/.ray/auth_token",
        ) from error


def _check_memory(workers: int) -> None:
    free = psutil.virtual_memory().available
    if workers * WORKER_BYTES > free:
        raise ArgumentError(
            "workers",
            workers,
            f"need about {workers * WORKER_BYTES / 2**30:.3g} GiB, and this machine has {free / 2**30:.3g} "
            "GiB free",
            f"ask for {max(1, free // WORKER_BYTES)} at most, or name a cluster",
        )


def _probe(address: str) -> None:
    """Raises OSError where nobody answers at HOST:PORT: Ray itself would go on trying for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _check_room(cluster: Cluster, nodes: list[dict[str, Any]], callback: Callback) -> None:
    needed = {"CPU": cluster.cpus_per_worker, "GPU": cluster.gpus_per_worker}
    has = [node["Resources"] for node in nodes if node["Alive"]]
    room = sum(_room(needed, resources) for resources in has)
    if room < cluster.workers:
        what = f"cpus_per_worker={needed['CPU']:g} and gpus_per_worker={needed['GPU']:g}"
        there = "; ".join(sorted(_described(resources) for resources in has))
        if not room or cluster.address is None:
            raise ValueError(
                f"there is room for {room} of {cluster.workers} workers with {what}: Ray has {there}; "
                "ask for less"
            )
        callback.on_remark(
            f"there is room for {room} of {cluster.workers} workers now; the others begin when there is"
        )
    elif cluster.address is None and cluster.workers * needed["CPU"] > cores():
        callback.on_remark(
            f"{cluster.workers} workers share the {cores()} cores of this machine, where they are to have "
            f"{cluster.workers * needed['CPU']:g}: each is slower than alone"
        )


def _room(needed: dict[str, float], resources: dict[str, float]) -> int:
    """How many workers a node takes."""
    # A hair more than there is, against the rounding of fractions.
    fits = [(resources.get(name, 0.0) + 1e-6) // amount for name, amount in needed.items() if amount]
    return int(min(fits))


def _described(resources: dict[str, float]) -> str:
    return f"a node with {resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"
