"""Progress as server-sent events: one reader for all listeners, an end, errors before a stream begins."""

import asyncio
import contextlib
import json

import pytest
from sgdr_service.events import Feeds
from sgdr_service.problems import Problem


def events(text):
    """Names and data."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.strip().split("\n\n")]
    return [(block["event"], json.loads(block["data"])) for block in blocks]


def test_of_a_sweep_that_has_ended_there_is_its_state_and_an_end(client):
    answer = client.get("/v1/sweeps/tiny/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    state = client.get("/v1/sweeps/tiny").json()
    assert events(answer.text) == [("progress", state), ("end", state)]
    assert "retry: 3000" in answer.text and answer.headers["x-request-id"]


def test_a_stream_goes_on_until_its_sweep_ends(writer):
    writer.post("/v1/sweeps", json={"workload": "digits", "study": "s"})
    # The client gives a stream's lines only when it has ended: so the end is brought about beforehand.
    writer.app.state.feeds.read = Told(writer, cancel_after=2)
    heard = events(writer.get("/v1/sweeps/s/events").text)
    assert [(name, state["state"]) for name, state in heard] == [
        ("progress", "queued"),
        ("progress", "cancelled"),
        ("end", "cancelled"),
    ]


class Told:
    """Reads a sweep, and cancels it after so many looks."""

    def __init__(self, writer, cancel_after):
        self._read, self._sweeps = writer.app.state.feeds.read, writer.app.state.sweeps
        self._left = cancel_after

    def __call__(self, name):
        if self._left == 0:
            self._sweeps.cancel(name)
        self._left -= 1
        return self._read(name)


@pytest.mark.parametrize("name", ["nothing", "%00", "%FF", "not%20ours"])
def test_an_unknown_sweep_is_refused_before_the_stream_begins(client, is_problem, name):
    is_problem(client.get(f"/v1/sweeps/{name}/events"), 404, "there is no study")


def test_many_listeners_are_one_reader_and_leave_nothing(monkeypatch):
    monkeypatch.setattr("sgdr_service.events.POLL_SECONDS", 0.01)
    looks = []

    def read(name):
        looks.append(name)
        return str(min(len(looks), 5))

    async def listen(feeds):
        heard = []
        async with contextlib.aclosing(feeds.follow("s")) as states:
            async for state in states:
                heard.append(state)
                if state == "5":
                    break
        return heard

    async def main():
        feeds = Feeds(read, asyncio.Event())
        heard = await asyncio.gather(*(listen(feeds) for _ in range(200)))
        return feeds, heard

    feeds, heard = asyncio.run(main())
    assert len(looks) < 20 and feeds.followed == {}
    assert all(states[-1] == "5" and states == sorted(set(states)) for states in heard)


def test_a_reader_that_fails_ends_every_stream_and_the_next_reads_anew(monkeypatch):
    monkeypatch.setattr("sgdr_service.events.POLL_SECONDS", 0.01)
    answers = ["1", Problem(503, "away"), "2"]

    def read(name):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def main():
        feeds = Feeds(read, asyncio.Event())
        heard = []
        with pytest.raises(Problem, match="away"):
            async for state in feeds.follow("s"):
                heard.append(state)
        assert feeds.followed == {}
        return [*heard, await anext(feeds.follow("s"))]

    assert asyncio.run(main()) == ["1", "2"]
