"""Votes to pairs: the majority of voters, what is set aside and why, what the rows look like."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.chat import Message
from engine.compare import samples as sample_files
from engine.compare.votes import Book, Choice, Vote, book_of
from engine.data.rows import Example, open_rows
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.settings import Data
from engine.recipes.synthesis_settings import Gates
from engine.synthesis.gates.candidate import make_candidate
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.gates.light_gates import light_gates
from engine.synthesis.outcomes import Outcome
from engine.synthesis.source_rows import SourceRow, read_sources, write_sources
from engine.synthesis.vote_pairs import decide_pair, make_vote_sources, read_voted_pairs
from tests.judge.judged import BASE, TUNED, answered_job, sample

ANSWERS = {name: (f"base on {name}", f"tuned on {name}") for name in "abcdef"}


def cast(
    job: JobDirectory,
    voter: str,
    choices: Mapping[str, Choice],
    ratings: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """The left arm is the base."""
    book = Book(book_of(job.path, voter))
    for prompt, choice in choices.items():
        rated = (ratings or {}).get(prompt)
        table = {BASE: {"helpful": rated[0]}, TUNED: {"helpful": rated[1]}} if rated else {}
        book.cast(Vote(prompt, prompt, BASE, TUNED, choice, ratings=table, judge=voter))


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return answered_job(tmp_path, ANSWERS)


def decide(job: JobDirectory, rubric: str = "") -> dict[str, Outcome]:
    sources = make_vote_sources(job, read_voted_pairs(job, rubric))
    return {one.id: decide_pair(one) for one in sources}


def test_the_majority_of_voters_decides_and_all_else_has_its_reason(job: JobDirectory) -> None:
    cast(job, "ana", {"a": "left", "b": "right", "c": "left", "d": "tie", "e": "both bad"})
    cast(job, "ben", {"a": "left", "b": "right", "c": "right", "d": "tie", "e": "both bad"})
    cast(job, "cem", {"a": "right", "b": "right", "c": "tie", "d": "left"})
    decided = decide(job)
    assert list(decided) == ["a", "b", "c", "d", "e"], "of f nobody voted"
    assert decided["a"].row == {
        "prompt": "What is a?", "chosen": "base on a", "rejected": "tuned on a",
    }  # fmt: skip
    assert decided["b"].row["chosen"] == "tuned on b"
    reasons = {name: one.reasons[0] for name, one in decided.items() if one.reasons}
    names = {name: reason.name for name, reason in reasons.items()}
    assert names == {"c": "voters disagree", "d": "tie", "e": "both bad"}
    assert reasons["c"].detail == "1 base, 1 tie, 1 tuned"
    assert all(decided[name].state == "set aside" and not decided[name].row for name in names)


def test_half_of_the_voters_is_no_majority(job: JobDirectory) -> None:
    choices: list[Choice] = ["left", "left", "right", "tie"]
    for voter, choice in enumerate(choices):
        cast(job, str(voter), {"a": choice})
    assert decide(job)["a"].reasons[0].name == "voters disagree"


def test_a_repeat_that_measures_a_voter_does_not_count(job: JobDirectory) -> None:
    cast(job, "ana", {"a": "left"})
    Book(book_of(job.path, "ana")).cast(
        Vote("a#2", "a", TUNED, BASE, "left", again=True, judge="ana")
    )
    assert decide(job)["a"].row["chosen"] == "base on a"


def test_a_rubric_counts_by_what_was_rated_higher(job: JobDirectory) -> None:
    ratings = {"a": (2, 5), "b": (3, 3), "c": (4, 1)}
    cast(job, "ana", {"a": "left", "b": "left", "c": "left", "d": "left"}, ratings)
    decided = decide(job, "helpful")
    assert decided["a"].row["chosen"] == "tuned on a", "though ana preferred the other"
    assert decided["b"].reasons[0].name == "tie"
    assert decided["c"].row["chosen"] == "base on c"
    assert "d" not in decided
    with pytest.raises(EngineError, match="safe") as caught:
        decide(job, "safe")
    assert "helpful" in caught.value.detail


def test_without_votes_it_says_so(job: JobDirectory) -> None:
    with pytest.raises(EngineError, match="There are no votes"):
        read_voted_pairs(job)


def test_what_is_no_whole_answer_makes_no_pair(job: JobDirectory) -> None:
    sample_files.append(job.samples, [sample("a", BASE, "and then", finish="length")])
    sample_files.append(job.samples, [sample("b", TUNED, "<think>hm</think>")])
    call = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
    sample_files.append(job.samples, [sample("c", TUNED, call)])
    sample_files.append(job.samples, [sample("d", TUNED, "<think>hm</think>yes")])
    cast(job, "ana", dict.fromkeys("abcd", "right"))
    decided = decide(job)
    names = {name: one.reasons[0].name for name, one in decided.items() if one.reasons}
    assert names == {"a": "cut", "b": "empty", "c": "tool calls"}
    assert decided["d"].row["chosen"] == "yes", "without its reasoning, as it was shown"


def test_conversations_are_rows_that_training_reads(job: JobDirectory, tmp_path: Path) -> None:
    """A prompt with a system message makes all prompts conversations; DPO reads them so."""
    asked = (Message("system", "Be brief."), Message("user", "Why?"))
    for arm, text in ((BASE, "so"), (TUNED, "because")):
        made = dataclasses.replace(sample("a", arm, text), messages=asked)
        sample_files.append(job.samples, [made])
    cast(job, "ana", {"a": "right", "b": "left"})
    rows = [one.row for one in decide(job).values()]
    assert rows[0]["prompt"] == [message.to_json() for message in asked]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = [
        row[0]
        for row in open_rows(path, Data(), objective="dpo").rows
        if isinstance(row, list | tuple)
    ]
    assert all(isinstance(one, Example) for one in read)
    assert read[0].messages == (*asked, Message("assistant", "because"))
    assert read[0].rejected == (*asked, Message("assistant", "so"))
    assert [one.role for one in read[1].messages] == ["user", "assistant"]


def test_sources_are_pinned_without_names_of_voters(job: JobDirectory, tmp_path: Path) -> None:
    cast(job, "ana", {"a": "left"})
    sources = make_vote_sources(job, read_voted_pairs(job))
    path = tmp_path / "sources.jsonl"
    write_sources(path, sources)
    assert "ana" not in path.read_text()
    again = read_sources(path)
    assert [decide_pair(one) for one in again] == [decide_pair(one) for one in sources]


def pair_of(chosen: str, rejected: str, near: float = 0.8) -> dict[str, str]:
    """By gate, why such a pair is held back."""
    recipe = SynthesizeRecipe(mode="pairs", gates=Gates(near_duplicates=near, max_chars=300))
    source = SourceRow("1", "1", "f", 1, "the source", {})
    row = {"prompt": "Why?", "chosen": chosen, "rejected": rejected}
    candidate = make_candidate(recipe, source, row)
    return {one.name: one.detail for one in GateSet(light_gates(recipe)).check(candidate).reasons}


LONG = "The tide comes in twice a day, because the moon pulls at the water of the seas."


def test_answers_that_are_nearly_the_same_are_held_back() -> None:
    assert pair_of("Yes.", "yes") == {"same answer": "chosen is the same as rejected"}
    assert "same answer" in pair_of(LONG, LONG.replace("moon", "mood"))
    assert pair_of(LONG, LONG.replace("moon", "mood"), near=0) == {}
    assert pair_of(LONG, LONG.upper(), near=0)["same answer"], "off, but equal"
    assert pair_of("Yes.", "No.") == {}


def test_lengths_are_those_of_each_answer() -> None:
    assert pair_of("x" * 200, "y" * 200) == {}
    assert pair_of("x" * 301, "y")["length"] == "chosen has 301 characters, at most 300"
    assert pair_of("x", "")["length"] == "rejected has 0 characters, at least 1"
    other = light_gates(SynthesizeRecipe(mode="json"))
    assert "same answer" not in [gate.name for gate in other]
