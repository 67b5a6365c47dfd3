"""Who may write, what is not even looked at, and what every answer says."""

import logging

import pytest
from sgdr_service.settings import Settings
from sgdr_service.tokens import hashed

BODY = {"workload": "digits", "study": "own"}
WRITES = [("POST", "/v1/sweeps"), ("DELETE", "/v1/sweeps/tiny")]


@pytest.fixture
def own_client(copied, open_client):
    """The server has a copy, so that what gets through does no harm."""
    with open_client(f"sqlite:///{copied}") as client:
        yield client


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "give the token"),
        ("", "give the token"),
        ("Bearer", "give the token"),
        ("Basic c2dkcjp0", "give the token"),
        ("Bearer wrong", "that is not the token"),
        ("Bearer sgdr_the-token-of-these-test", "that is not the token"),
        ("Bearer sgdr_the-token-of-these-tests-", "that is not the token"),
        ("Bearer Sgdr_the-token-of-these-tests", "that is not the token"),
        ("Bearer " + "x" * 10_000, "that is not the token"),
        (b"Bearer \xff\xfe", "that is not the token"),
    ],
    ids=range(10),
)
def test_writing_needs_the_token(sqlite_client, is_problem, method, path, header, words):
    headers = {} if header is None else {"Authorization": header}
    answer = sqlite_client.request(method, path, headers=headers, json=BODY if method == "POST" else None)
    is_problem(answer, 401, words)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert sqlite_client.get("/v1/studies").json()["total"] == 4


def test_the_kept_hash_is_no_token(sqlite_client, is_problem):
    token_hash = sqlite_client.app.state.settings.token_hash
    for guess in (token_hash, token_hash.removeprefix("sha256:")):
        answer = sqlite_client.post("/v1/sweeps", headers={"Authorization": f"Bearer {guess}"}, json=BODY)
        is_problem(answer, 401)


def test_with_the_token_one_writes(own_client, authorized):
    assert own_client.post("/v1/sweeps", headers=authorized, json=BODY).status_code == 202
    assert own_client.delete("/v1/sweeps/own", headers=authorized).json()["state"] == "cancelled"


def test_a_service_without_a_token_writes_nothing(
    copied, open_client, is_problem, authorized, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "empty"))
    with open_client(f"sqlite:///{copied}", token_hash=None) as client:
        for method, path in WRITES:
            answer = client.request(method, path, headers=authorized, json=BODY if method == "POST" else None)
            is_problem(answer, 403, "run `sgdr token`")
        assert client.get("/v1/studies").status_code == 200


def test_reading_needs_the_token_elsewhere_unless_it_is_public(copied, open_client, is_problem, authorized):
    paths = ["/v1/lr?base_lr=1&T_0=1&step=1", "/v1/studies", "/v1/workloads", "/v1/sweeps", "/metrics"]
    with open_client(f"sqlite:///{copied}", host="0.0.0.0") as client:
        for path in paths:
            is_problem(client.get(path), 401, "give the token")
            assert client.get(path, headers=authorized).status_code == 200
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    with open_client(f"sqlite:///{copied}", host="0.0.0.0", public_reading=True) as client:
        assert [client.get(path).status_code for path in paths] == [200] * len(paths)
        is_problem(client.post("/v1/sweeps", json=BODY), 401)


@pytest.mark.parametrize("path", ["/healthz", "/v1/nothing", "/v1/lr", "/v1/studies/tiny", "/openapi.json"])
def test_every_answer_has_the_headers(sqlite_client, path):
    headers = sqlite_client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer" and "server" not in headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store" and len(headers["x-request-id"]) == 16


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_load_nothing_from_elsewhere(sqlite_client, path):
    answer = sqlite_client.get(path)
    assert answer.status_code == 200 and "//cdn" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assets = [part.split('"')[0] for part in answer.text.split('"/static-offline-docs/')[1:]]
    assert assets
    for asset in assets:
        assert sqlite_client.get(f"/static-offline-docs/{asset}").status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1", "/v1/", "/v1/studies/", "/nothing", "/v1/lr/", "/v2/lr"]
)
def test_an_unknown_path_is_a_problem(sqlite_client, is_problem, path):
    assert is_problem(sqlite_client.get(path), 404, "GET /openapi.json lists")["instance"] == path


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/sweeps", "GET, POST"),
        ("/v1/sweeps/x", "GET, DELETE"),
        ("/v1/lr", "GET, POST"),
        ("/healthz", "GET"),
    ],
)
def test_another_method_is_refused_with_those_that_there_are(
    sqlite_client, is_problem, method, path, allowed
):
    answer = sqlite_client.request(method, path)
    assert answer.status_code == 405 and answer.headers["allow"] == allowed
    if method != "HEAD":
        is_problem(answer, 405, f"{method} is not possible here, only {allowed}")


@pytest.mark.parametrize("asked", ["abc-123.X_y", "a" * 64])
def test_a_request_id_is_taken_over(sqlite_client, asked):
    assert sqlite_client.get("/healthz", headers={"X-Request-ID": asked}).headers["x-request-id"] == asked


@pytest.mark.parametrize("asked", ["", "a" * 65, "a b", 'a"b', "a\r\nX-Evil: 1", "a\nb", "ä", "{}"])
def test_another_id_takes_the_place_of_an_odd_one(sqlite_client, asked):
    headers = sqlite_client.get("/healthz", headers={"X-Request-ID": asked.encode()}).headers
    assert headers["x-request-id"] != asked and len(headers["x-request-id"]) == 16 and "x-evil" not in headers


def test_long_queries_and_bodies_are_refused(own_client, is_problem, authorized):
    is_problem(own_client.get("/v1/lr?" + "a" * 8193), 414, "longer than 8,192 bytes")
    is_problem(own_client.get("/v1/lr?" + "a" * 8192), 422)
    most = 4 * 2**20
    large = b" " * most + b"1"
    json = {"Content-Type": "application/json"}
    is_problem(own_client.post("/v1/lr", content=large, headers=json), 413, "longer than 4,194,304 bytes")
    is_problem(own_client.post("/v1/lr", content=large[1:], headers=json), 422)

    def pieces():
        for _ in range(5):
            yield large[: 2**20]

    unsaid = own_client.post("/v1/lr", content=pieces(), headers=json)
    is_problem(unsaid, 413)
    lying = own_client.post("/v1/lr", content=pieces(), headers={**json, "Content-Length": "5"})
    is_problem(lying, 413)
    is_problem(own_client.post("/v1/sweeps", content=pieces(), headers={**json, **authorized}), 413)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "127.0.0.2"]
)
def test_another_host_is_not_answered(sqlite_client, is_problem, host):
    is_problem(sqlite_client.get("/healthz", headers={"Host": host}), 421, "does not answer to that Host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"])
def test_loopback_has_three_names(sqlite_client, host):
    assert sqlite_client.get("/healthz", headers={"Host": host}).status_code == 200


def test_other_hosts_can_be_allowed(copied, open_client):
    with open_client(f"sqlite:///{copied}", allowed_hosts="LR.example, other.example") as client:
        assert client.get("/healthz", headers={"Host": "lr.example:443"}).status_code == 200
        assert client.get("/healthz").status_code == 200  # of this machine itself
        assert client.get("/healthz", headers={"Host": "a.example"}).status_code == 421


def test_other_origins_may_not_read_unless_they_are_named(sqlite_client, copied, open_client):
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in sqlite_client.get("/healthz", headers=asks).headers
    assert sqlite_client.options("/v1/studies", headers=asks).status_code == 405
    with open_client(f"sqlite:///{copied}", cors_origins="https://a.example") as client:
        allowed = client.get("/healthz", headers=asks)
        assert allowed.headers["access-control-allow-origin"] == "https://a.example"
        assert client.options("/v1/studies", headers=asks).status_code == 200
        other = client.get("/healthz", headers={"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in other.headers
        assert (
            client.options("/v1/studies", headers={**asks, "Origin": "https://b.example"}).status_code == 400
        )


def test_an_internal_error_leaks_nothing_and_is_logged(own_client, is_problem, monkeypatch, caplog):
    def fail(name):
        raise RuntimeError("the secret of a file")

    monkeypatch.setattr(own_client.app.state.library, "study", fail)
    with caplog.at_level(logging.ERROR, "service.access"):
        problem = is_problem(own_client.get("/v1/studies/tiny"), 500, "internal error")
    assert "secret" not in str(problem) and "Traceback" not in str(problem)
    (record,) = caplog.records
    assert record.request_id == problem["request_id"] and "the secret" in str(record.exc_info[1])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_address_that_others_reach_needs_a_token(sqlite_url, tmp_path, monkeypatch, host):
    from sgdr_service.app import create_app

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="can be reached from elsewhere, and there is no token"):
        create_app(Settings(_env_file=None, storage=sqlite_url, host=host))
    assert create_app(Settings(_env_file=None, storage=sqlite_url, host=host, token_hash=hashed("t")))
