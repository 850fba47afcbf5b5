"""The functions for notebooks, from a plain script as its writer would run it."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import notebook
from engine.chat import Message
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError, JobFailed
from tests.worker.inference.endpoints import serving, stream
from tests.worker.tiny import save_adapter, save_checkpoint

pytestmark = pytest.mark.worker

SCRIPT = """
import sys
from engine import notebook
base, adapter = sys.argv[1:]
arms = [f"base={base}", f"tuned={base}+{adapter}", f"half={base}+{adapter}@0.5"]
samples = notebook.generate(arms, ["i miss my dog", "Two and two"], max_new_tokens=8)
for sample in samples:
    print(sample.arm.split("=")[0], sample.prompt_id, len(sample.output_ids))
assert notebook.render(arms[1], "no").text.startswith("<|im_start|>user")
assert notebook.decode(arms[1], samples[0].output_ids) == samples[0].text
print(sorted({"torch", "transformers", "peft", "textual"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def session() -> Iterator[notebook.Session]:
    with notebook.Session(device="cpu") as made:
        yield made


def test_ten_lines_are_enough(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", base)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, base, adapter],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=os.getcwd()),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, modules = done.stdout.splitlines()
    names = ("base", "tuned", "half")
    assert lines == [f"{name} {prompt} 8" for prompt in (1, 2) for name in names]
    assert modules == "[]", "nothing heavy is imported"


def test_prompts_are_texts_conversations_or_those_of_a_file(
    session: notebook.Session, base: Path
) -> None:
    told: list[Sample] = []
    said: list[notebook.PromptInput] = [
        "no",
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "no"}],
        Item("mine", (Message("user", "no"),)),
    ]
    found = session.generate([f"b={base}"], said, on_sample=told.append, max_new_tokens=3)
    assert [sample.prompt_id for sample in found] == ["1", "2", "mine"]
    assert found[0].output_ids == found[2].output_ids
    assert len(told) == 3
    with pytest.warns(UserWarning, match="prompt 1: The prompt is longer"):
        (kept,) = session.generate([f"b={base}"], ["no " * 300, "no"], max_new_tokens=3)
    assert kept.output_ids == found[0].output_ids


def test_what_is_wrong_is_raised_in_words_and_the_session_goes_on(
    session: notebook.Session, base: Path
) -> None:
    with pytest.raises(EngineError, match="checkpoint not found"):
        session.generate(["b=/nowhere/at/all"], ["no"])
    with pytest.raises(EngineError, match="decode setting"):
        session.generate([f"b={base}"], ["no"], heat=3)
    with pytest.raises(EngineError, match="Unknown token id"):
        session.decode(f"b={base}", [10**6])
    assert session.render(f"b={base}?prompt=raw", "no").text == "no"


def test_an_interrupt_ends_the_question_and_not_the_models(
    session: notebook.Session, base: Path
) -> None:
    def interrupt(sample: object) -> None:
        raise KeyboardInterrupt

    process = session._process
    with pytest.raises(KeyboardInterrupt) as kept:  # as a notebook keeps its last traceback
        session.generate([f"b={base}"], ["no", "yes"], batch=1, on_sample=interrupt)
    assert kept.tb is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (sample,) = session.generate([f"b={base}"], ["no"], max_new_tokens=2)
    assert len(sample.output_ids) == 2
    assert session._process is process
    assert process is not None
    process.kill()
    process.wait()
    (again,) = session.generate([f"b={base}"], ["no"], max_new_tokens=2)
    assert again.output_ids == sample.output_ids, "a new process is started"


def test_a_process_that_dies_is_told_of(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = [sys.executable, "-c", "import sys; sys.exit('is out of memory')"]
    monkeypatch.setattr(notebook, "worker_command", lambda kind: dying)
    with notebook.Session() as session, pytest.raises(JobFailed) as caught:
        session.decode(f"b={base}", [1])
    assert caught.value.detail == "is out of memory"


def test_a_key_is_sent_once_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf-very-secret-0123")
    with serving() as server, notebook.Session("cpu") as session:
        server.reply = stream("yes")
        arm = f"e={server.address}?model=m&key=HF_TOKEN"
        with pytest.raises(EngineError, match="usually holds the key of an account") as caught:
            session.generate([arm], ["no?"])
        address = server.address.removesuffix("/v1")
        assert f"notebook.allow_key({address!r}, 'HF_TOKEN')" in caught.value.hint
        assert not server.asked
        notebook.allow_key(server.address, "HF_TOKEN")
        (sample,) = session.generate([arm], ["no?"])
        assert sample.text == "yes"
        assert server.asked[0][1]["Authorization"] == "Bearer hf-very-secret-0123"
