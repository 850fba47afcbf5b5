"""An evaluation that was cut: what it measured stays, and its results are as if it never was."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.chat import Message
from engine.compare.items import Item
from engine.errors import EngineError
from engine.jobs import directory, launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.score_log import NO_MEMORY, ScoreLog, ScoreMemory
from engine.worker.inference.text_likelihood import read_texts
from tests.conftest import Eventually
from tests.worker.inference.labelled import label_scores
from tests.worker.inference.test_evaluate import QUESTIONS, load_arm, measurer, models, suite
from tests.worker.tiny import save_adapter, save_checkpoint

__all__ = ["models"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


def test_rows_are_known_by_arm_measure_place_and_input(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    memory = ScoreMemory(ScoreLog(path), ["a", 1], "a").of("suite x").of("answers")
    memory.add([((0, [1, 2]), "yes"), ((1, [3]), "")])
    with path.open("a") as file:
        file.write('{"arm": "a", "measure": "suite x answers", "row": "cut')
    again = ScoreLog(path)
    known = ScoreMemory(again, ["a", 1], "another name").of("suite x").of("answers")
    assert (known.find((0, [1, 2])), known.find((1, [3]))) == ("yes", "")
    for other in (
        known.find((0, [1, 3])), known.find((1, [1, 2])), known.of("more").find((0, [1, 2])),
        ScoreMemory(again, ["a", 2], "a").of("suite x").of("answers").find((0, [1, 2])),
    ):  # fmt: skip
        assert other is None
    known.add([((2, [9]), [0.1, float("inf"), -0.0])])
    final = ScoreMemory(ScoreLog(path), ["a", 1]).of("suite x").of("answers")
    assert final.find((2, [9])) == [0.1, float("inf"), -0.0]
    assert len(path.read_text().splitlines()) == 4, "the line that was cut is closed"


def test_a_value_that_was_damaged_is_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    memory = ScoreMemory(ScoreLog(path), "arm").of("texts")
    memory.add([((at, [at]), [12.5, 3]) for at in range(6)])
    lines = path.read_text().splitlines()
    for at, wrong in enumerate(["[12.6, 3]", '"x"', "[]", "null"]):
        lines[at] = lines[at].replace("[12.5, 3]", wrong)
    lines[4] = lines[4][:-20]
    path.write_text("\n".join([*lines, "[]", "5", '{"row": [], "value": 1}', ""]))
    again = ScoreMemory(ScoreLog(path), "arm").of("texts")
    assert [again.find((at, [at])) for at in range(6)] == [None] * 5 + [[12.5, 3]]


def test_without_a_log_nothing_is_known_or_kept() -> None:
    NO_MEMORY.of("x").add([((0, 1), 2)])
    assert NO_MEMORY.of("x").find((0, 1)) is None


def test_scores_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "scores.jsonl").mkdir()
    with pytest.raises(EngineError, match="scores cannot be read"):
        ScoreLog(tmp_path / "scores.jsonl")


def _measures(one: Any) -> dict[str, Callable[[ScoreMemory], Any]]:
    texts = {str(at): f"text {at} " * (at % 9 + 1) for at in range(150)}
    asked = [[Message("user", f"{at} {'b' * (at % 20)}")] for at in range(150)]
    return {
        "texts": lambda memory: read_texts(one, texts, memory=memory),
        "labels": lambda memory: label_scores(one, [*QUESTIONS, *asked], ["joy", "no"],
                                              memory=memory),
    }  # fmt: skip


@pytest.mark.parametrize("measure", ["texts", "labels"])
@pytest.mark.parametrize("left", [0, 1, 100, 140, 149])
def test_a_measure_that_was_cut_anywhere_ends_the_same(
    measure: str, left: int, base: Path, tmp_path: Path, models: Any
) -> None:
    measured = _measures(load_arm(models, base))[measure]
    path = tmp_path / "scores.jsonl"
    whole = measured(ScoreMemory(ScoreLog(path), "a"))
    assert measured(NO_MEMORY) == whole
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:left]))
    assert measured(ScoreMemory(ScoreLog(path), "a")) == whole
    assert sorted(path.read_text().splitlines()) == sorted("".join(lines).splitlines())


@pytest.mark.parametrize("left", [0, 1, 100, 140, 149])
def test_answers_that_were_cut_anywhere_end_the_same(
    left: int, base: Path, tmp_path: Path, models: Any
) -> None:
    one, path = load_arm(models, base), tmp_path / "samples.jsonl"
    asked = suite([
        Item(str(at), (Message("user", f"{'a' * (at % 30)} {at}"),), score="exact", gold=("x",))
        for at in range(150)
    ])  # fmt: skip
    whole = measurer(one, tmp_path).measure(asked, lambda done: None).to_json()
    assert measurer(one, tmp_path / "again").measure(asked, lambda done: None).to_json() == whole
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:left]))
    assert measurer(one, tmp_path).measure(asked, lambda done: None).to_json() == whole
    assert sorted(map(_untimed, path.read_text().splitlines())) == sorted(map(_untimed, lines))


def _untimed(line: str) -> str:
    row = json.loads(line)
    del row["timings"]
    return json.dumps(row)


def test_what_is_known_is_not_computed(base: Path, tmp_path: Path, models: Any) -> None:
    one = load_arm(models, base)
    memory = ScoreMemory(ScoreLog(tmp_path / "scores.jsonl"), "a")
    found = {name: measured(memory.of(name)) for name, measured in _measures(one).items()}

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was computed again")

    with pytest.MonkeyPatch.context() as then:
        then.setattr(BatchDecoder, "step", fail)
        then.setattr(type(one), "forward", fail)
        assert {
            name: measured(memory.of(name)) for name, measured in _measures(one).items()
        } == found


@pytest.mark.worker
def test_a_killed_evaluation_goes_on_where_it_was(
    base: Path, root: Path, tmp_path: Path, eventually: Eventually
) -> None:
    adapter = save_adapter(tmp_path / "adapter", base)
    suite, labelled = tmp_path / "sums.jsonl", tmp_path / "labels.jsonl"
    sums = [
        {"id": str(at), "skill": "sums", "score": "number", "answer": at,
         "messages": [{"role": "user", "content": f"{at} + {'0 + ' * (at % 9)}0"}]}
        for at in range(200)
    ]  # fmt: skip
    prose = [{"id": f"p{at}", "skill": "p", "score": "perplexity", "text": f"i miss my dog {at}"}
             for at in range(20)]  # fmt: skip
    suite.write_text("".join(json.dumps(row) + "\n" for row in (*sums, *prose)))
    rows = [{"instruction": "Which?", "input": f"text {at}", "output": ("joy", "no")[at % 2]}
            for at in range(40)]  # fmt: skip
    labelled.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = EvaluateRecipe(
        device="cpu", arms=[f"base={base}", f"tuned={base}+{adapter}"], suites=[str(suite)],
        choices=str(labelled), prompts="bundled:creative", decode=Decode(max_new_tokens=8),
    )  # fmt: skip
    whole, cut = launch.launch(recipe, root), directory.create(root, recipe)
    eventually(lambda: _ended(whole))
    assert status.derive(whole, status.read(whole)) is State.DONE
    total = len(whole.scores.read_text().splitlines())

    for share in (0.01, 0.3, 0.7):
        resume.resume_job(cut) if cut.latest_attempt() else launch.start(cut, "evaluate")
        eventually(lambda share=share: _lines(cut) >= share * total or _ended(cut))
        if worker := lock.holder(cut.lock_file):
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: lock.holder(cut.lock_file) is None)
    if not _ended(cut):
        resume.resume_job(cut)
        eventually(lambda: _ended(cut))
    assert cut.results.read_bytes() == whole.results.read_bytes()
    found, expected = ([json.loads(line) for line in job.scores.read_text().splitlines()
                        if line.endswith("}")] for job in (cut, whole))  # fmt: skip
    assert len(found) == len({one["row"] for one in found}) == total, "nothing was measured twice"
    assert {one["row"] for one in found} == {one["row"] for one in expected}
    answers, all_answers = (
        [json.loads(line)["row"] for line in job.samples.read_text().splitlines()
         if line.endswith("}")] for job in (cut, whole)
    )  # fmt: skip
    assert sorted(answers) == sorted(all_answers), "no answer twice, and none missing"


def _lines(job: JobDirectory) -> int:
    return job.scores.read_bytes().count(b"\n") if job.scores.exists() else 0


def _ended(job: JobDirectory) -> bool:
    now = status.read(job)
    return now is not None and now.state.final and lock.holder(job.lock_file) is None
