"""Answers kept as a job: whole, ended, and read as any other job of answers is."""

import dataclasses
from pathlib import Path

from engine.answer_parts import AnswerParts
from engine.chat import Message
from engine.compare import export
from engine.compare.answer_pairs import Collection
from engine.compare.arms import parse_arm
from engine.compare.samples import Sample, Timings, to_table
from engine.jobs import status
from engine.jobs.status import State
from engine.launching.keep_answers import keep
from engine.recipes.settings import Decode
from tui.browse.pair_list import prompt_lines
from tui.compare.session import round_of
from tui.compare.strengths import StrengthAnswer, StrengthSweep
from tui.glyphs import UNICODE
from tui.screens.answer_side import Side

BASE, TUNED = "base=bundled:demo-base", "tuned=run:emotion-lora"


def sample(arm: str, text: str, before: str = "") -> Sample:
    said: tuple[Message, ...] = (Message("user", "Why?"),)
    if before:
        said = (*said, Message("assistant", before), Message("user", "And?"))
    return Sample("", said, arm, 7, "hash", (1,), (2,), text, "stop", (-0.5,), Decode(),
                  Timings(0.1, 0.2))  # fmt: skip


def side(one: Sample) -> Side:
    return Side(parse_arm(one.arm), "", sample=to_table(one))


def test_a_kept_round_is_a_job_that_has_ended(tmp_path: Path) -> None:
    one, other = sample(BASE, "so", "because"), sample(TUNED, "thus", "joy")
    samples = round_of(
        [side(one), Side(parse_arm("mute=x:y"), ""), side(other)], StrengthSweep(), "p1"
    )
    job = keep(samples, tmp_path / "runs", name="kept-p1", prompts="", decode=Decode())
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [job.path.name]
    assert status.derive(job, status.read(job)) is State.DONE
    record = job.record()
    assert record is not None
    assert record.parents == ["bundled:demo-base", "run:emotion-lora"]
    found = Collection(job.samples)
    found.poll()
    (pair,) = found.pairs(BASE, TUNED)
    assert (pair.id, pair.left.text, pair.right.text) == ("p1", "so", "thus")


def test_second_turns_are_one_question_whatever_each_arm_had_said(tmp_path: Path) -> None:
    one, other = sample(BASE, "so", "because"), sample(TUNED, "thus", "joy")
    job = keep([one, other], tmp_path, name="kept", prompts="", decode=Decode())
    found = Collection(job.samples)
    found.poll()
    (pair,) = found.pairs(BASE, TUNED)
    texts = [
        "".join(text for text, _ in line) for line in prompt_lines(pair, ("left", "right"), UNICODE)
    ]
    told = ["user: Why?", "assistant, left: because", "assistant, right: joy", "user: And?"]
    assert texts == told
    (page,) = export.pages([one, other])
    assert page.prompt.split("\n\n")[1:3] == ["assistant (base): because", "assistant (tuned): joy"]
    asked = dataclasses.replace(other, messages=(Message("user", "How?"), *other.messages[1:]))
    job = keep([one, asked], tmp_path, name="kept", prompts="", decode=Decode())
    again = Collection(job.samples)
    again.poll()
    assert again.pairs(BASE, TUNED) == []


def test_strengths_are_arms_with_names_of_their_own() -> None:
    half = to_table(sample(f"{TUNED}@0.5", "half"))
    sweep = StrengthSweep(
        (StrengthAnswer(0.25), StrengthAnswer(0.5, AnswerParts("half"), None, half))
    )
    found = round_of([side(sample(TUNED, "whole"))], sweep, "own")
    assert [one.arm for one in found] == [TUNED, "tuned at 0.5=run:emotion-lora@0.5"]
