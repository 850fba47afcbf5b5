"""The answers of a job as they come: read once, paired, filtered."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.chat import Message
from engine.compare import samples as files
from engine.compare.answer_pairs import FILTERS, Collection, lets_through, names, pick_arms
from engine.compare.samples import Finish, Sample, Timings
from engine.errors import EngineError
from engine.recipes.settings import Decode

BASE, TUNED = "base=bundled:demo-base", "tuned=run:x"


def sample(prompt: str, arm: str, text: str, finish: Finish = "stop") -> Sample:
    said = (Message("user", prompt),)
    return Sample(prompt, said, arm, 7, "", (1,), (2,), text, finish, (-0.1,), Decode(),
                  Timings(0.1, 0.2))  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "samples.jsonl"
    files.append(path, [sample("b", BASE, "same"), sample("a", BASE, "one two")])
    return path


def test_it_grows_and_nothing_is_read_twice(path: Path) -> None:
    found = Collection(path)
    assert found.poll()
    assert not found.poll()
    assert (found.arms, found.pairs(BASE, TUNED)) == ([BASE], [])
    files.append(path, [sample("a", TUNED, "joy"), sample("b", TUNED, "same")])
    line = path.read_bytes().splitlines(keepends=True)[0]
    with path.open("ab") as file:
        file.write(line[:40])
    assert found.poll()
    assert [one.id for one in found.pairs(BASE, TUNED)] == ["b", "a"]
    with path.open("ab") as file:
        file.write(line[40:] + b'{"step": 3, "text": "of a training run"}\nnot json\n')
    assert found.poll()
    assert found.passed_over == 2
    assert len(found.samples) == 4


def test_a_file_that_was_replaced_is_read_anew(path: Path) -> None:
    found = Collection(path)
    found.poll()
    path.unlink()
    files.append(path, [sample("z", TUNED, "new")])
    assert found.poll()
    assert [one.prompt_id for one in found.samples.values()] == ["z"]
    path.unlink()
    assert not found.poll()


def test_prompts_lend_their_order_skills_and_checks(path: Path, tmp_path: Path) -> None:
    asked = tmp_path / "p.jsonl"
    rows = [{"id": "a", "prompt": "a", "skill": "art", "checks": {"words": 1}},
            {"id": "b", "prompt": "other words by now", "skill": "code"}]  # fmt: skip
    asked.write_text("\n".join(map(json.dumps, rows)))
    files.append(path, [sample("b", TUNED, "x"), sample("a", TUNED, "joy")])
    found = Collection(path, str(asked))
    found.poll()
    one, other = found.pairs(BASE, TUNED)
    assert (one.id, one.prompt.skill, one.change("checks met")) == ("a", "art", 1.0)
    assert (other.id, other.prompt.skill) == ("b", ""), "what was asked is not what stands there"
    assert other.change("checks met") is None
    gone = Collection(path, str(tmp_path / "none.jsonl"))
    gone.poll()
    assert [pair.id for pair in gone.pairs(BASE, TUNED)] == ["b", "a"]
    assert "none.jsonl" in gone.problem


def test_filters(path: Path) -> None:
    files.append(
        path,
        [
            replace(sample("a", TUNED, "so it is " * 9, "length"), output_ids=(5, 6, 7) * 9),
            sample("b", TUNED, "same"),
        ],
    )
    found = Collection(path)
    found.poll()
    kept = {
        name: [pair.id for pair in found.pairs(BASE, TUNED) if lets_through(pair, name)]
        for name in FILTERS
    }
    assert kept == {"": ["b", "a"], "differ": ["a"], "endless": ["a"], "repeats": ["a"]}


def test_names_of_arms() -> None:
    assert names([BASE, "x=?y"]) == {BASE: "base", "x=?y": "x=?y"}


def test_two_arms_are_picked_by_name_or_in_the_grammar(path: Path) -> None:
    files.append(path, [sample("a", TUNED, "joy"), sample("a", "third=run:y", "fear")])
    found = Collection(path)
    found.poll()
    assert pick_arms(found) == (BASE, TUNED)
    assert pick_arms(found, ("third", BASE)) == ("third=run:y", BASE)
    with pytest.raises(EngineError, match="Unknown arm 'fourth'"):
        pick_arms(found, ("base", "fourth"))
    for few in (("base",), ("base", "base"), ("base", "tuned", "third")):
        with pytest.raises(EngineError, match="Two arms are required"):
            pick_arms(found, few)
