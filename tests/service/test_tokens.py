"""The token: random, kept as a hash in a file of its owner alone, compared in constant time."""

import stat

import pytest
from sgdr_service.settings import Settings
from sgdr_service.tokens import hashed, kept_hash, make_token, matches, write_hash
from typer.testing import CliRunner

from sgdr.cli import app

KEPT = hashed("t")


def settings(**fields):
    return Settings(_env_file=None, **fields)


def test_tokens_are_long_and_never_the_same():
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100 and all(len(token) == 48 and token.startswith("sgdr_") for token in tokens)


@pytest.mark.parametrize("token", ["", "T", "t ", "tt", KEPT, "\0", "ü" * 10_000])
def test_only_the_token_matches(token):
    assert matches("t", KEPT) and not matches(token, KEPT)


def test_a_hash_is_written_for_its_owner_alone_and_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert kept_hash(settings()) is None
    path = tmp_path / "sgdr" / "token"
    write_hash(path, "t", replace=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text() == f"{KEPT}\n" and kept_hash(settings()) == KEPT
    assert kept_hash(settings(token_file=path)) == KEPT
    with pytest.raises(ValueError, match="there is a token already, in"):
        write_hash(path, "u", replace=False)
    write_hash(path, "u", replace=True)
    assert kept_hash(settings()) == hashed("u") and kept_hash(settings(token_hash=KEPT)) == KEPT
    assert [file.name for file in path.parent.iterdir()] == ["token"]


@pytest.mark.parametrize("text", ["", "t", "sha256:", f"sha256:{'g' * 64}", KEPT.upper(), f"{KEPT}0"])
def test_what_is_no_hash_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match="SGDR_TOKEN_HASH holds no hash of a token"):
        kept_hash(settings(token_hash=text))
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no hash of a token; `sgdr token` makes one"):
        kept_hash(settings(token_file=path))


def test_a_file_that_is_named_must_be_there_and_readable(tmp_path):
    with pytest.raises(ValueError, match="does not exist; `sgdr token` makes it"):
        kept_hash(settings(token_file=tmp_path / "none"))
    with pytest.raises(ValueError, match="cannot be read"):
        kept_hash(settings(token_file=tmp_path))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="cannot be read"):
        kept_hash(settings(token_file=tmp_path / "bytes"))
    with pytest.raises(ValueError, match="cannot be written"):
        write_hash(tmp_path / "bytes" / "token", "t", replace=False)


def test_the_command_prints_the_token_once_and_keeps_its_hash(tmp_path):
    path = tmp_path / "kept"
    done = CliRunner().invoke(app, ["token", "--file", str(path)])
    token = done.stdout.strip()
    assert done.exit_code == 0 and matches(token, path.read_text().strip())
    assert token not in done.stderr and hashed(token) in done.stderr
    assert CliRunner().invoke(app, ["token", "--file", str(path)]).exit_code != 0
    assert CliRunner().invoke(app, ["token", "--file", str(path), "--replace"]).exit_code == 0
    assert not matches(token, path.read_text().strip())
