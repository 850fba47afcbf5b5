"""The companion's client against a real companion process."""

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from safetensors.torch import load_file, save_file

from engine.chat import Message
from engine.compare.arms import parse_arm
from engine.errors import EngineError, JobFailed
from engine.recipes.settings import Data, Decode
from tests.worker.tiny import save_adapter, save_checkpoint
from tui.companion import Companion
from tui.compare.difference_strip import warnings
from tui.compare.session import CompareSession
from tui.glyphs import UNICODE
from tui.launch.fit_lines import measured
from tui.launch.report_lines import facts, lengths_lines, rows_lines, template_lines
from tui.screens.answer_side import Side

pytestmark = [pytest.mark.worker, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def companion(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Companion]:
    folder = tmp_path_factory.mktemp("companion")
    before = Path.cwd()
    os.chdir(folder)  # the package must be found from anywhere
    made = Companion(device="cpu")
    try:
        await made.hello()
        yield made
    finally:
        os.chdir(before)
        await made.close()


async def test_an_answer_streams(companion: Companion, base: Path) -> None:
    events = [event async for event in companion.generate(f"b={base}", "i miss my dog")]
    assert events[-1]["event"] == "done"
    assert events[-1]["sample"]["finish"] == "length"
    assert sum(event["event"] == "text" for event in events) > 20


async def test_panes_stream_at_once_and_one_can_be_cancelled(
    companion: Companion, base: Path
) -> None:
    adapter = save_adapter(base.parent / "adapter", base)
    wanted = {"max_new_tokens": 200, "temperature": 1.0}
    left = companion.generate(f"b={base}", "no", {"max_new_tokens": 30})
    right = companion.generate(f"t={base}+{adapter}", [{"role": "user", "content": "no"}], wanted)

    async def cut_short() -> str:
        async for event in right:
            if event["event"] == "text":
                right.cancel()
            if event["event"] == "done":
                return str(event["sample"]["finish"])
        return "nothing"

    whole, finish = await asyncio.gather(left.last(), cut_short())
    assert finish == "cancelled"
    assert len(whole["sample"]["output_ids"]) == 30


async def test_arms_that_are_one_are_found_once_they_have_answered(
    companion: Companion, base: Path
) -> None:
    tuned = save_adapter(base.parent / "tuned", base)
    idle = save_adapter(base.parent / "idle", base, 2)
    tensors = load_file(idle / "adapter_model.safetensors")
    save_file({key: one * ("lora_B" not in key) for key, one in tensors.items()},
              idle / "adapter_model.safetensors")  # fmt: skip
    copy = shutil.copytree(base, base.parent / "copy")
    arms = [f"t={base}+{tuned}", f"b={base}", f"c={copy}", f"i={base}+{idle}"]
    seen: list[tuple[bool, bool]] = []

    def changed() -> None:
        facts = session.facts
        seen.append((session.busy, facts is not None and bool(facts["kl"])))

    session = CompareSession(lambda: companion, changed)
    session.set_sides([Side(parse_arm(arm), "") for arm in arms])
    session.ask((Message("user", "i miss my dog"),), Decode(max_new_tokens=4))
    while not seen or not seen[-1][1]:
        await asyncio.sleep(0.01)
    assert not any(busy and weighed for busy, weighed in seen), "answers come first"
    assert session.facts is not None
    found = {tuple(one["arms"]): one["kind"] for one in session.facts["warnings"]}
    assert found[1, 2] == "same weights", "at another path"
    assert found[1, 3] == "no effect"
    assert not any(0 in pair for pair in found)
    assert session.sides[1].shift is not None
    strip = warnings(session.sides, session.facts)
    assert "b and c have the same weights" in strip


async def test_a_task_that_is_cancelled_cancels_its_answer(
    companion: Companion, base: Path
) -> None:
    stream = companion.generate(f"b={base}", "no", {"max_new_tokens": 240, "temperature": 1.0})
    began = asyncio.Event()

    async def listen() -> None:
        async for event in stream:
            if event["event"] == "text":
                began.set()

    task = asyncio.create_task(listen())
    await began.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    after = await companion.generate(f"b={base}", "no", {"max_new_tokens": 5}).last()
    assert len(after["sample"]["output_ids"]) == 5


async def test_a_cancel_before_the_first_event_is_not_lost(
    companion: Companion, base: Path
) -> None:
    stream = companion.generate(f"b={base}", "no", {"max_new_tokens": 240, "temperature": 1.0})
    stream.cancel()
    last = await stream.last()
    assert last["sample"] is None or len(last["sample"]["output_ids"]) < 240


async def test_a_wrong_request_is_an_error_for_the_user(companion: Companion) -> None:
    with pytest.raises(EngineError, match="checkpoint not found"):
        await companion.generate("x=/nowhere", "no").last()


async def test_an_answer_longer_than_any_buffer_comes_whole(
    companion: Companion, base: Path
) -> None:
    answer = await companion.render(f"b={base}?prompt=raw", "a b " * 20_000)
    assert len(answer["text"]) == 80_000


async def test_data_is_inspected_in_the_shape_that_launch_shows(
    companion: Companion, base: Path, tmp_path: Path
) -> None:
    rows = [{"instruction": f"Say {at}.", "output": "yes " * at} for at in range(1, 30)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, [*rows, {"instruction": "no answer"}])))
    table = dataclasses.asdict(Data(train=str(data), max_length=24))
    stream = companion.inspect(str(base), table, rows=2, templates=True, seed=3)
    report = (await stream.last())["report"]
    shown = "\n".join(
        "".join(text for text, _ in line)
        for lines in (
            rows_lines(report, UNICODE),
            lengths_lines(report, UNICODE, 80),
            template_lines(report, UNICODE),
            [[("; ".join(facts(report)), "")]],
        )
        for line in lines
    )
    for part in (
        "⟦yes",
        "invalid rows.jsonl:30",
        "max length 24",
        "in use",
        "1 invalid",
        " truncated",
    ):
        assert part in shown
    known = measured(report, 0)
    assert known is not None
    assert known.longest == 24
    assert 0 < known.target_share <= 1


async def test_rows_are_previewed(companion: Companion, base: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"instruction": "Which?", "input": "no", "output": "joy"}\n')
    answer = await companion.preview(str(base), str(data), rows=1)
    assert answer["rows"][0]["kept"]


async def test_a_crash_is_told_and_the_next_request_starts_anew(
    companion: Companion, base: Path
) -> None:
    stream = companion.generate(f"b={base}", "no", {"max_new_tokens": 240, "temperature": 1.0})
    await anext(stream)
    assert companion.pid is not None
    os.kill(companion.pid, signal.SIGKILL)
    with pytest.raises(JobFailed, match="exited"):
        await stream.last()
    again = await companion.generate(f"b={base}", "no", {"max_new_tokens": 3}).last()
    assert len(again["sample"]["output_ids"]) == 3


async def test_the_client_needs_no_heavy_library() -> None:
    look = "import sys, tui.companion; print({'torch', 'transformers', 'peft'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
