"""Blind votes: lots that are fair and stay, a file that survives, counts that are right."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.arms import parse_arm
from engine.compare.votes import (
    Ballot,
    Book,
    Choice,
    Vote,
    agreement,
    book_of,
    draw,
    hide_names,
    judges_of,
    mean_ratings,
    names_of,
    read,
    read_rubrics,
    scores,
    tally,
    tally_all,
)
from engine.errors import EngineError
from engine.statistics import wilson

ARMS = ("base", "tuned")
IDS = [f"p{at}" for at in range(40)]


def vote(ballot: Ballot, choice: Choice) -> Vote:
    return Vote(ballot.id, ballot.prompt_id, ballot.left, ballot.right, choice, ballot.again)


def prefer(ballot: Ballot, arm: str) -> Vote:
    return vote(ballot, "left" if ballot.left == arm else "right")


def test_the_lot_stays_and_is_fair() -> None:
    ballots = draw(IDS, ARMS, "ana")
    assert ballots == draw(IDS, ARMS, "ana")
    assert ballots != draw(IDS, ARMS, "ben")
    first = [one for one in ballots if not one.again]
    assert sorted(one.prompt_id for one in first) == sorted(IDS)
    assert 10 <= sum(one.left == "base" for one in first) <= 30
    again = [one for one in ballots if one.again]
    assert len(again) == 4
    by_id = {one.id: one for one in first}
    assert ballots[10].again, "not at the end alone: most judges stop before that"
    assert draw(IDS, ("tuned", "base"), "ana") == ballots
    fewer = {one.id: one for one in draw(IDS[:30], ARMS, "ana") if not one.again}
    assert all(by_id[name] == one for name, one in fewer.items()), "more prompts change no side"
    assert all(one.left == by_id[one.prompt_id].right for one in again)


def test_votes_are_kept_undone_and_read_again(tmp_path: Path) -> None:
    path = book_of(tmp_path / "new", "Ana / Ö")
    ballots = draw(IDS[:5], ARMS, "ana")
    book = Book(path)
    for one in ballots[:3]:
        book.cast(prefer(one, "tuned"))
    assert [one.key in book.votes for one in ballots] == [at < 3 for at in range(len(ballots))]
    assert Book(path).votes == book.votes
    undone = book.undo()
    assert undone is not None
    assert undone.ballot == ballots[2].id
    assert list(Book(path).votes) == [one.key for one in ballots[:2]]
    with path.open("ab") as file:
        file.write(b'{"ballot": "cut')  # the machine died here
    again = Book(path)
    again.cast(prefer(ballots[2], "base"))
    assert [one.winner for one in read(path)] == ["tuned", "tuned", "base"]


def test_a_changed_mind_counts_once(tmp_path: Path) -> None:
    (first, *_) = draw(IDS, ARMS, "ana")
    book = Book(tmp_path / "votes.jsonl")
    book.cast(prefer(first, "base"))
    book.cast(prefer(first, "tuned"))
    found = tally(book.votes.values(), "tuned", "base")
    assert (found.wins, found.losses) == (1, 0)
    assert list(Book(book.path).votes.values()) == [prefer(first, "tuned")]


def test_counts_intervals_and_the_judge() -> None:
    ballots = draw(IDS, ARMS, "ana")
    first, again = ([one for one in ballots if one.again is flag] for flag in (False, True))
    votes = [prefer(one, "tuned") for one in first[:20]]
    votes += [prefer(one, "base") for one in first[20:30]]
    votes += [vote(first[30], "tie"), vote(first[31], "both bad")]
    votes += [prefer(again[0], "tuned"), prefer(again[1], "base")]
    found = tally(votes, "tuned", "base")
    assert (found.wins, found.losses, found.ties, found.both_bad) == (20, 10, 1, 1)
    assert (found.low, found.high) == wilson(20, 30)
    assert found.rate == pytest.approx(2 / 3)
    assert found.consistent == (1, 2)
    turned = tally(votes, "base", "tuned")
    assert (turned.wins, turned.losses) == (10, 20)


@given(st.integers(0, 60), st.integers(0, 60))
def test_how_many_more_votes_would_decide(wins: int, losses: int) -> None:
    ballots = [Ballot(f"p{at}", f"p{at}", "base", "tuned") for at in range(wins + losses)]
    votes = [prefer(one, "tuned" if at < wins else "base") for at, one in enumerate(ballots)]
    found = tally(votes, "tuned", "base")
    if wins == losses:
        assert found.more_votes is None
        return
    assert found.more_votes is not None
    count = wins + losses + found.more_votes
    share = max(wins, losses) / (wins + losses)
    assert wilson(round(share * count), count)[0] > 0.5
    assert (found.more_votes == 0) == (not found.low <= 0.5 <= found.high)


def test_names_are_hidden_in_answers() -> None:
    text = "I am Emotion-LoRA, not emotion."
    assert hide_names(text, ["emotion-lora", "", "base"]) == "I am [name], not emotion."
    assert hide_names("a basement, a base", ["a", "base"]) == "a basement, a [name]"
    arm = parse_arm("tuned=bundled:demo-base+/x/y/emotion-lora")
    hidden = hide_names("tuned emotion-lora on demo-base, /x/y/emotion-lora", names_of(arm, "mine"))
    assert hidden == "[name] [name] on [name], [name]"
    endpoint = parse_arm("far=http://box:8000/v1?model=maker/Llama-3")
    said = "I am llama-3, or maker/llama-3, on tiny."
    cached = "/hub/models--maker--tiny/snapshots/0a1b2c"
    assert hide_names(said, names_of(endpoint, cached)) == "I am [name], or [name], on [name]."


def test_judges_are_kept_apart_and_counted_together(tmp_path: Path) -> None:
    ballots = draw(IDS[:20], ARMS, "x")
    for judge, arm in (("مریم", "tuned"), ("زهرا", "base")):
        book = Book(book_of(tmp_path, judge))
        for one in ballots:
            cast = prefer(one, "tuned" if one.prompt_id == "p3" else arm)
            book.cast(dataclasses.replace(cast, judge=judge))
    judges = judges_of(tmp_path)
    assert {*judges} == {"مریم", "زهرا"}
    assert tally(judges["مریم"], "tuned", "base").wins == 20
    whole = tally_all(judges, "tuned", "base")
    assert (whole.wins, whole.losses) == (21, 19)
    assert whole.consistent == (4, 4), "nobody is held against another's votes"
    assert agreement(judges) == (1, 20)
    found = scores([vote for votes in judges.values() for vote in votes], "base", "tuned")
    assert (found["p3"], found["p4"]) == (-1.0, 0.0)


def test_every_judge_has_a_file() -> None:
    judges = ["مریم", "زهرا", "Ana B", "Ana-B", "ana-b", "A" * 99, "A" * 98, "\udc80"]
    files = {book_of(Path("x"), judge).name.casefold() for judge in judges}
    assert len(files) == len(judges)


def test_ratings_are_by_arm() -> None:
    one = Vote("a", "a", "base", "tuned", "left", ratings={"base": {"safe": 5}})
    other = Vote("b", "b", "tuned", "base", "left", ratings={"base": {"safe": 2}})
    assert mean_ratings([one, other], "base") == {"safe": (3.5, 2)}
    assert mean_ratings([one, other], "tuned") == {}


def test_own_rubrics(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# mine\nkind: Is it kind?\n\nshort\n")
    assert read_rubrics(path) == {"kind": "Is it kind?", "short": ""}
    for content, why in ((": no name\n", ":1"), ("x" * 99, ":1"), ("# none\n", "no rubrics")):
        path.write_text(content)
        with pytest.raises(EngineError) as caught:
            read_rubrics(path)
        assert why in str(caught.value)
    with pytest.raises(EngineError, match="cannot be read"):
        read_rubrics(tmp_path / "none")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text('{"choice": "maybe"}\n')
    with pytest.raises(EngineError, match="not a votes file") as caught:
        read(path)
    assert f"{path}:1" in caught.value.detail
