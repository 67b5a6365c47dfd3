"""A storage that another process opens for us, reached by Optuna's gRPC proxy."""

from __future__ import annotations

import warnings
from functools import partial

from optuna.exceptions import ExperimentalWarning
from optuna.storages import GrpcStorageProxy
from optuna.storages._grpc.client import GrpcClientCache

CONNECT_SECONDS = 10
ANSWER_SECONDS = 90
"""How long a call may take: longer than SQLite waits for another writer."""
RETRY_SECONDS = 5
"""How long after a failure to connect it is tried again at the latest; gRPC's own pauses grow to minutes."""


class RemoteStorage(GrpcStorageProxy):
    """Optuna's client, whose calls end when the other side has vanished."""

    def _setup(self) -> None:
        import grpc
        from optuna.storages._grpc.auto_generated.api_pb2_grpc import StorageServiceStub

        self._channel = grpc.insecure_channel(
            f"{self._host}:{self._port}",
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_reconnect_backoff_ms", RETRY_SECONDS * 1000),
                ("grpc.enable_http_proxy", 0),  # the environment's is for the web
            ],
        )
        self._stub = StorageServiceStub(self._channel)  # type: ignore[no-untyped-call]
        for name, call in vars(self._stub).items():
            setattr(self._stub, name, partial(call, timeout=ANSWER_SECONDS))
        self._cache = GrpcClientCache(self._stub)


def connect(host: str, port: int) -> RemoteStorage:
    """The storage that is served there.

    Raises grpc.RpcError where none answers within `CONNECT_SECONDS`, ImportError where grpc is not installed.
    """
    import grpc
    from optuna.storages._grpc.auto_generated.api_pb2 import GetStudyIdFromNameRequest

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        storage = RemoteStorage(host=f"[{host}]" if ":" in host else host, port=port)
    try:
        storage._stub.GetStudyIdFromName(GetStudyIdFromNameRequest(), timeout=CONNECT_SECONDS)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:  # which only a storage says
            storage.close()
            raise
    return storage
