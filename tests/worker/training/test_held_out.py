"""What a run held out is a file of prompts: its rows, whole, once, and named by the run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine import atomic
from engine.chat import Message, ToolCall
from engine.compare import prompts
from engine.compare.arms import parse_arm
from engine.compare.example_items import list_items
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.data.rows import Example
from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.status import State
from engine.recipes.settings import Data
from engine.worker.data.chat_template import choose_template, render_prompt
from engine.worker.data.encode import IGNORE_INDEX
from engine.worker.data.prepare import prepare
from tests.worker.data.families import QWEN3
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import make_recipe

TALK = (
    Message("user", "who?"), Message("assistant", "joy"),
    Message("user", "and?"), Message("assistant", "love"),
)  # fmt: skip
QUICK = ("training.epochs=1", "samples.count=0", "forgetting.tokens=0")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base"))


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_what_is_asked_ends_before_the_last_trained_answer() -> None:
    told = Example(TALK, "/data/rows.jsonl:7", group="g")
    (item,) = list_items([told])
    assert item == Item("rows.jsonl:7", TALK[:3], reference="love", group="g")
    context = replace(told, messages=(*TALK[:3], replace(TALK[3], trained=False)))
    (item,) = list_items([context])
    assert (item.messages, item.reference) == (TALK[:1], "joy")
    followed = replace(told, messages=(*TALK, Message("user", "thanks")))
    (item,) = list_items([followed])
    assert (item.messages, item.reference) == (TALK[:3], "love")
    call = Message("assistant", "", tool_calls=(ToolCall("look_up", '{"word": "joy"}'),))
    (item,) = list_items([replace(told, messages=(TALK[0], call))])
    assert json.loads(item.reference)[0]["function"]["arguments"] == {"word": "joy"}
    tool = {"type": "function", "function": {"name": "look_up"}}
    (item,) = list_items([replace(told, tools=(tool,))])
    assert item.tools == (tool,)


def test_each_example_is_one_item_with_an_id_of_its_own() -> None:
    one, other = Example(TALK, "rows.json:1"), Example(TALK[:2], "rows.json:1")
    plain = Example((), "a.txt:3", text="It rained.")
    greeting = Example((TALK[1], TALK[0]), "rows.json:9")
    items = list(list_items([one, one, other, None, greeting, plain]))
    assert [item.id for item in items] == ["rows.json:1", "rows.json:1#2", "a.txt:3"]
    assert items[2] == Item("a.txt:3", text="It rained.", score="perplexity")


def test_a_base_is_asked_what_the_run_was_measured_on(tmp_path: Path) -> None:
    """The ids before the answer, by a template without the recipe's system prompt."""
    rows = [{"prompt": f"say {one}", "completion": f"number {one}"} for one in range(6)]
    rows += [{**row, "system": "Own words."} for row in rows]
    path = write(tmp_path / "rows.jsonl", rows)
    tokenizer, system = QWEN3.tokenizer(), "Be brief."
    settings = Data(train=str(path), system=system, eval_fraction=0.5, max_length=500)
    data = prepare(settings, tokenizer, choose_template(tokenizer, system=system), seed=3)
    items = list(list_items(data.eval_examples, system=system))
    assert len(items) == len(data.eval) == 6
    assert {item.messages[0].content for item in items} == {"Be brief.", "Own words."}
    for item, row in zip(items, data.eval, strict=True):
        asked = render_prompt(item.messages, tokenizer)
        assert row.input_ids[: len(asked)] == asked
        assert set(row.labels[: len(asked)]) == {IGNORE_INDEX}


def test_a_label_is_the_right_choice() -> None:
    (item,) = list_items([Example(TALK[:2], "rows.csv:2")], ("joy", "love"))
    assert (item.gold, item.choices, item.score) == (("joy",), ("joy", "love"), "choices")


def test_a_run_writes_its_held_out_rows_once(tmp_path: Path, base: Path, root: Path) -> None:
    rows = write(
        tmp_path / "rows.jsonl",
        [{"prompt": f"say {one}", "completion": f"number {one}"} for one in range(40)],
    )
    recipe = make_recipe(base, rows, *QUICK, "data.eval_fraction=0.25", "training.saves=10")
    job = train_here(recipe, root)
    items = read_items(job.held_out)
    assert len(items) == 10
    for item in items:
        number = item.reference.removeprefix("number ")
        assert item.id == f"rows.jsonl:{int(number) + 1}"
        assert item.messages == (Message("user", f"say {number}"),)
    assert "eval rows as prompts: held_out.jsonl" in job.attempt(1).log.read_text()
    asked = prompts.find(f"run:{job.path.name}", [job.path])
    assert prompts.read(asked) == items
    arms = [parse_arm(f"a=run:{job.path.name}"), parse_arm(f"b={base}+run:{job.path.name}")]
    assert prompts.list_held_out(arms, [job.path]) == [(f"run:{job.path.name}", 10)]

    stopped = train_here(replace(recipe, name="again"), root)
    assert stopped.held_out.read_bytes() == job.held_out.read_bytes(), "the recipe and its seed"


def test_a_resumed_run_leaves_the_file(tmp_path: Path, base: Path, root: Path) -> None:
    rows = write(
        tmp_path / "rows.jsonl",
        [{"prompt": f"say {one}", "completion": f"number {one}"} for one in range(40)],
    )
    job = directory.create(root, make_recipe(base, rows, *QUICK, "training.saves=5"))
    assert resume_here(job, stop_at=4) is State.STOPPED
    before, inode = job.held_out.read_bytes(), job.held_out.stat().st_ino
    assert resume_here(job) is State.DONE
    assert (job.held_out.read_bytes(), job.held_out.stat().st_ino) == (before, inode)


def test_a_run_that_holds_nothing_out_has_no_file(tmp_path: Path, base: Path, root: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [{"prompt": "a", "completion": "b"}] * 4)
    job = train_here(make_recipe(base, rows, *QUICK, "data.eval_fraction=0"), root)
    assert not job.held_out.exists()
    with pytest.raises(EngineError, match="has no held-out rows"):
        prompts.find(f"run:{job.path.name}", [job.path])
    assert prompts.list_held_out([parse_arm(f"a=run:{job.path.name}")], [job.path]) == []
    with pytest.raises(EngineError, match="run not found: gone"):
        prompts.find("run:gone", [job.path])


def test_lines_that_cannot_all_be_written_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    atomic.write_lines(path, ["a\n", "\ud800\n"])
    assert path.read_bytes() == b"a\n\\ud800\n"

    def broken() -> Iterator[str]:
        yield "b\n"
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        atomic.write_lines(path, broken())
    assert path.read_bytes() == b"a\n\\ud800\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["lines.jsonl"]
