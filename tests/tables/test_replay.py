"""Peers on tables, side by side."""

import json
import sys
from collections.abc import Iterator

import pytest

from experiments.tables import replay
from experiments.tables.judging import Repeats
from experiments.tables.lineup import HAND, ORACLE, Peer, splits
from experiments.tables.peers import rows_of
from experiments.tables.playing import Named, Played, choose_splits, play
from experiments.tables.table import write
from experiments.tables.trials import Replay
from tests.tables.planted import ABOUT, table


def first_cosine(replay: Replay) -> Iterator[int]:
    """A strategy that trains and names the lowest peak."""
    row = rows_of(replay.table, "cosine", "0")[0]
    replay.train(row)
    yield row


def test_a_peer_that_plans_is_replayed_at_each_cost_and_another_once():
    planted, costs = table(""), []

    def search(replay: Replay) -> Iterator[int]:
        costs.append(replay.cost)
        for row in range(20):
            replay.train(row)
            yield row

    repeats = Repeats.of(planted, 2)
    once = play(planted, Peer("once", search, least=4), repeats, (3, 4, 6))
    assert costs == [6, 6] and {cost: named.rows for cost, named in once.items()} == {4: [3, 3], 6: [5, 5]}
    costs.clear()
    each = play(planted, Peer("each", search, plans=True, most_repeats=1), repeats, (3, 4))
    assert costs == [3, 4] and each == {3: Named([2], 3), 4: Named([3], 4)}
    assert not play(planted, Peer("dear", search, least=4), repeats, (3,))


def test_the_hand_takes_the_split_that_is_best_on_the_other_tables():
    played = []
    for seed, better in ((0, "by hand, a"), (1, "by hand, b"), (2, "by hand, b")):
        planted = table("", noise=0.001, seed=seed)
        good, bad = rows_of(planted, "cosine", "0")[7], rows_of(planted, "cosine", "0")[0]
        one = Played(planted, Repeats.of(planted, 3))
        for name in ("by hand, a", "by hand, b"):
            one.named[name] = {4: Named([good if name == better else bad] * 3, 4)}
        played.append(one)
    choose_splits(played, (3, 4))
    assert played[0].named[HAND][4].split == "by hand, b"
    assert [one.named[ORACLE][4].split for one in played] == ["by hand, a", "by hand, b", "by hand, b"]
    assert 3 not in played[0].named[HAND]


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("one", "two")):
        planted = table("restarts/4x2 0", noise=0.01, seed=seed)
        about = type(ABOUT)(**{**vars(ABOUT), "name": name})
        write(about, planted.losses.astype("float16"), planted.select.astype("float16"), tmp_path)
    return tmp_path


def test_the_command_compares_all_with_the_hand(folder, monkeypatch, capsys):
    file = folder / "figures.json"
    also = f"lowest={__name__}:first_cosine"
    arguments = ["--repeats", "20", "--costs", "16,4", "--peers", "staged", "--also", also]
    monkeypatch.setattr(sys, "argv", ["replay", *arguments, "--folder", str(folder), "--json", str(file)])
    replay.main()
    text = capsys.readouterr().out
    assert "two: error" in text and "| minus by hand" in text
    figures = json.loads(file.read_text())
    assert "lowest, minus the best peer" in text
    assert figures["tables"]["one"]["best_peer"] == {"4": HAND, "16": "staged, without new seeds"}
    peers = figures["tables"]["one"]["peers"]
    assert list(peers) == [HAND, ORACLE, "staged, without new seeds", "staged", "lowest"]
    assert list(peers["staged"]) == ["16"] and list(peers["lowest"]) == ["4", "16"]
    assert peers["lowest"]["4"]["rows"] == [0] * 20 and peers["lowest"]["4"]["spent"] == 1
    assert peers[HAND]["4"]["split"] in {peer.name for peer in splits(4)}
    assert peers[HAND]["4"]["minus_hand"] == [0, 0, 0]
    mean, reach, _ = peers["staged"]["16"]["minus_hand"]
    assert mean < -0.03 and 0 < reach < 0.05
    assert figures["share_of_hand"]["staged"]["16"][0] < 0.3


def test_peers_that_are_known_are_not_replayed(folder, monkeypatch, capsys):
    first, second = folder / "first.json", folder / "second.json"
    arguments = [
        "replay",
        "one",
        "--repeats",
        "20",
        "--costs",
        "16",
        "--folder",
        str(folder),
        "--peers",
        "staged",
    ]
    monkeypatch.setattr(sys, "argv", [*arguments, "--json", str(first)])
    replay.main()
    monkeypatch.setattr(replay, "_play", hand_only(replay._play))
    monkeypatch.setattr(sys, "argv", [*arguments, "--known", str(first), "--json", str(second)])
    replay.main()
    assert first.read_text() == second.read_text()
    monkeypatch.setattr(sys, "argv", [*arguments, "--known", str(first), "--repeats", "21"])
    with pytest.raises(ValueError, match="one is another table"):
        replay.main()


def hand_only(original):
    def played(args, name, peer):
        assert peer == HAND, f"{peer} is known"
        return original(args, name, peer)

    return played


def test_a_table_of_too_few_seeds_is_left_out(folder, monkeypatch, capsys):
    planted = table("", seeds=2)
    write(planted.about, planted.losses.astype("float16"), planted.select.astype("float16"), folder)
    monkeypatch.setattr(
        sys, "argv", ["replay", "--repeats", "20", "--costs", "4", "--peers", "none", "--folder", str(folder)]
    )
    replay.main()
    out, error = capsys.readouterr()
    assert "left out: planted has 2 seeds, and 3 are needed" in error and "planted" not in out


def test_a_strategy_that_cannot_be_imported_is_refused_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["replay", "--also", "mine=nowhere:search"])
    with pytest.raises(SystemExit, match="2"):
        replay.main()
    assert (
        "mine=nowhere:search: No module named 'nowhere'; give NAME=MODULE:FUNCTION" in capsys.readouterr().err
    )
