"""A storage opened once and served to other processes and machines, by Optuna's gRPC proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage, RDBStorage

from sgdr.extras import install
from sgdr.search.storage.connect import close_storage, failures, open_storage, reason, shown
from sgdr.search.storage.outages import is_outage

if TYPE_CHECKING:
    from grpc import ServicerContext

THREADS = 4
END_SECONDS = 10
"""How long calls that are under way at the end may still take."""

Call = Callable[[Any, "ServicerContext"], Any]


@contextmanager
def serve(url: str, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The URL at which the storage of `url`, made where there is none, is to be had within the block.

    `host` is this machine's address or name, as the others know it; `port` 0 is a free one. Whoever reaches
    it there may read and write everything: there is no password. Raises ValueError where grpc is not
    installed, the storage cannot be opened, `host` is no address of this machine, or the port is taken.
    """
    try:
        import grpc
        from optuna.storages._grpc.auto_generated.api_pb2_grpc import add_StorageServiceServicer_to_server
    except ImportError as error:
        raise ValueError(
            f"storage {shown(url)!r} cannot be served: that needs grpcio and protobuf; run {install('ray')}"
        ) from error
    storage = open_storage(url, create=True)
    try:
        with ThreadPoolExecutor(THREADS, "storage-proxy") as threads:
            server = grpc.server(
                threads,
                # Two servers at one port would each get some of the calls.
                options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
            )
            add_StorageServiceServicer_to_server(_service(storage), server)  # type: ignore[no-untyped-call]
            name = f"[{host}]" if ":" in host else host
            try:
                bound = server.add_insecure_port(f"{name}:{port}")
            except RuntimeError:
                raise ValueError(
                    f"host={host!r}, port={port} cannot be listened at: give an address of this machine and "
                    "a port that is free"
                ) from None
            server.start()
            try:
                yield f"grpc://{name}:{bound}"
            finally:
                server.stop(END_SECONDS).wait()
    finally:
        close_storage(storage)


def _service(storage: BaseStorage) -> Any:
    """Optuna's, which reads less and tells its clients why the database failed."""
    from optuna.storages._grpc.auto_generated.api_pb2_grpc import StorageServiceServicer
    from optuna.storages._grpc.servicer import OptunaStorageProxyService

    service = OptunaStorageProxyService(storage)
    calls = {name: getattr(service, name) for name in vars(StorageServiceServicer) if name[0] != "_"}
    if isinstance(storage, RDBStorage):
        calls["GetTrials"] = partial(_get_trials, storage)
    for name, call in calls.items():
        setattr(service, name, _telling(call))
    return service


def _get_trials(storage: RDBStorage, request: Any, context: ServicerContext) -> Any:
    """Only the trials that are asked for are read, and nothing is kept: others may write the file too."""
    from grpc import StatusCode
    from optuna.storages._grpc.auto_generated.api_pb2 import GetTrialsReply
    from optuna.storages._grpc.servicer import _to_proto_trial

    included, last = set(request.included_trial_ids), request.trial_id_greater_than
    try:
        trials = storage._get_trials(request.study_id, None, included, last)
    except KeyError as error:
        context.abort(StatusCode.NOT_FOUND, str(error))
    return GetTrialsReply(trials=map(_to_proto_trial, trials))


def _telling(call: Call) -> Call:
    """The call, with a failure of the database under a code that clients know, see `is_outage`."""
    from grpc import StatusCode

    def told(request: Any, context: ServicerContext) -> Any:
        try:
            return call(request, context)
        except failures() as error:
            context.abort(StatusCode.UNAVAILABLE if is_outage(error) else StatusCode.INTERNAL, reason(error))

    return told
