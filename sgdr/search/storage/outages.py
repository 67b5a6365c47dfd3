"""Which errors say that the database is away and may come back, so that it is worth waiting for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

PASSING = re.compile(r"08...|57P0[1235]|53300|25P0[34]|40001|40P01")
"""SQLSTATEs of PostgreSQL: connections that failed or were ended, a server that starts, stops or has no
connection left, and transactions that lost against others (serialization, deadlock)."""

# The SQLSTATE of a connection that was never made is not told. What the server itself has said follows its
# severity and two blanks, in any language; all the rest is about reaching it.
SAID_BY_SERVER = re.compile(r": \w+:  (.*)")
_STARTS_OR_STOPS = re.compile(
    r"starting up|shutting down|in recovery mode|not (yet )?accepting connections|terminating connection"
    r"|too many (clients|connections)|remaining connection slots"
)
_WILL_NOT_PASS = re.compile(
    r"no password supplied|certificate|does not support SSL|authentication method|SCRAM|GSSAPI"
    r"|received invalid response|invalid (port|sslmode|connection option|integer value)"
)


def is_outage(error: BaseException) -> bool:
    """Whether that error, or one that it was raised from, says that the database may come back by itself.

    What failed so may have been done all the same: only the answer is known to be lost. It is never so for a
    full disk, a wrong password, a locked file of SQLite, a broken constraint or a program's mistake.
    """
    return any(map(_is_outage, _chain(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it; `orig` is what SQLAlchemy was told by the database's driver."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        error = waiting.pop()
        if id(error) not in seen:
            seen.add(id(error))
            yield error
            context = None if error.__suppress_context__ else error.__context__
            links = (error.__cause__, context, getattr(error, "orig", None))
            waiting += [link for link in links if isinstance(link, BaseException)]


def _is_outage(error: BaseException) -> bool:
    if getattr(error, "connection_invalidated", False):  # so SQLAlchemy says that a connection was lost
        return True
    if type(error).__module__.split(".")[0] in ("psycopg", "psycopg2"):
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if state:
            return PASSING.fullmatch(state) is not None
        kinds = {kind.__name__ for kind in type(error).__mro__}
        return "OperationalError" in kinds and _may_be_reached_later(str(error))
    # While nobody has imported grpc there is none of its errors, and importing it takes a while.
    grpc = sys.modules.get("grpc")
    if grpc is not None and isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
        return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return False


def _may_be_reached_later(text: str) -> bool:
    """Whether the database may be reached later, from what was said of a connection that failed or was lost.

    Of several addresses, the server at one may have refused.
    """
    said = SAID_BY_SERVER.findall(text)
    if said:
        return all(_STARTS_OR_STOPS.search(message) for message in said)
    return _WILL_NOT_PASS.search(text) is None
