"""Settings of the service: environment, `.env`, arguments, and one clear line for what cannot be."""

from pathlib import Path

import pytest
from sgdr_service.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def no_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults_serve_this_machine_alone():
    settings = read_settings()
    assert (settings.host, settings.port, settings.workers, settings.storage) == (
        "127.0.0.1",
        8000,
        1,
        "sqlite:///sgdr.db",
    )
    assert settings.on_loopback and not settings.reading_needs_token and settings.cors_origins == ()
    assert settings.hosts == ("localhost", "127.0.0.1", "[::1]")
    assert (settings.ray_address, settings.checkpoints, settings.max_workers) == (None, None, 16)


def test_arguments_come_before_the_environment_and_that_before_the_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SGDR_PORT=1\nSGDR_WORKERS=2\nSGDR_MAX_RUNNING=3\nOTHER=x\n")
    monkeypatch.setenv("SGDR_PORT", "4")
    monkeypatch.setenv("SGDR_WORKERS", "5")
    monkeypatch.setenv("SGDR_HOST", "")
    monkeypatch.setenv("SGDR_RAY_ADDRESS", "")
    monkeypatch.setenv("SGDR_CHECKPOINTS", "kept")
    settings = read_settings(port=6, host=None)
    assert (settings.port, settings.workers, settings.max_running, settings.host) == (6, 5, 3, "127.0.0.1")
    assert (settings.ray_address, settings.checkpoints) == (None, Path("kept"))


def test_lists_have_commas_between_them(monkeypatch):
    monkeypatch.setenv("SGDR_CORS_ORIGINS", "https://a.example, https://b.example,")
    assert read_settings().cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "65536", "input should be less than or equal to 65535"),
        ("PORT", "-1", "greater than or equal to 0"),
        ("PORT", "http", "valid integer"),
        ("WORKERS", "0", "greater than or equal to 1"),
        ("WORKERS", "65", "less than or equal to 64"),
        ("MAX_RUNNING", "0", "greater than or equal to 1"),
        ("MAX_QUEUED", "-1", "greater than or equal to 0"),
        ("MAX_WORKERS", "0", "greater than or equal to 1"),
        ("MAX_BODY_BYTES", "0", "greater than or equal to 1024"),
        ("MAX_SECONDS", "0", "greater than 0"),
        ("MAX_SECONDS", "nan", "finite number"),
        ("SHUTDOWN_SECONDS", "nan", "finite number"),
        ("SHUTDOWN_SECONDS", "inf", "finite number"),
        ("PUBLIC_READING", "perhaps", "valid boolean"),
        ("LOG_LEVEL", "loud", "must be debug, info, warning or error"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_variable(monkeypatch, name, value, words):
    monkeypatch.setenv(f"SGDR_{name}", value)
    with pytest.raises(ValueError, match=words) as refused:
        read_settings()
    assert str(refused.value).startswith(f"SGDR_{name}={value!r}: ") and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("2130706433", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host, loopback):
    settings = Settings(host=host)
    assert settings.on_loopback == loopback and settings.reading_needs_token == (not loopback)
    assert bool(settings.hosts) == loopback
    assert not Settings(host=host, public_reading=True).reading_needs_token
