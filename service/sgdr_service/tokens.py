"""The bearer token that writing needs: made once, kept as a hash, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from sgdr.atomic_write import replacing
from sgdr_service.settings import Settings

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def make_token() -> str:
    """A new token of 256 random bits, against which no guessing helps: a plain hash keeps it safe."""
    return f"sgdr_{secrets.token_urlsafe(32)}"


def hashed(token: str) -> str:
    """What is kept of a token."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def matches(token: str, token_hash: str) -> bool:
    """Whether `token_hash` is the token's hash."""
    return hmac.compare_digest(hashed(token).encode(), token_hash.encode())


def default_file() -> Path:
    """The file into which `sgdr token` writes the hash where no other is named."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "sgdr" / "token"


def kept_hash(settings: Settings) -> str | None:
    """The hash of the token that is asked for; None where there is none.

    Raises ValueError for what is no hash, and where a file that the settings name cannot be read.
    """
    if settings.token_hash is not None:
        return _checked(settings.token_hash, "SGDR_TOKEN_HASH")
    path = settings.token_file or default_file()
    try:
        return _checked(path.read_text().strip(), f"the file {str(path)!r}")
    except FileNotFoundError:
        if settings.token_file is not None:
            raise ValueError(f"SGDR_TOKEN_FILE={str(path)!r} does not exist; `sgdr token` makes it") from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the token file {str(path)!r} cannot be read: {error}") from None


def write_hash(path: Path, token: str, *, replace: bool) -> None:
    """Keeps the hash of a token in a file that only this user can read, whole or not at all.

    Raises ValueError where there is one already, unless `replace`, and where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and not replace:
            raise ValueError(f"there is a token already, in {str(path)!r}; give --replace to end it")
        with replacing(path) as unfinished:
            unfinished.touch(0o600, exist_ok=False)
            unfinished.write_text(hashed(token) + "\n")
    except OSError as error:
        raise ValueError(f"the token file {str(path)!r} cannot be written: {error.strerror}") from None


def _checked(text: str, where: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError(f"{where} holds no hash of a token; `sgdr token` makes one")
    return text
