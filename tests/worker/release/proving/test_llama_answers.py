"""Answers of llama.cpp, by stand-ins: what they are asked, what is compared, how they fail."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.worker.release.proving import llama_answers, llama_checks
from engine.worker.release.proving.llama_answers import TextPrompt, choose_prompts
from engine.worker.release.proving.llama_checks import ANSWERS, TEXT, check_llamacpp
from engine.worker.release.proving.long_prompts import LongRows
from engine.worker.release.proving.proof_rows import ProofRow
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.reference import GreedyRow, RunReference
from tests.worker.release.made_exports import spec_of
from tests.worker.release.sources import make_source
from tests.worker.tiny import make_tokenizer

PROMPT, ANSWER = "<s>What is it?", " the sea"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProofSpec:
    """Of a folder with a tokenizer; nothing of llama.cpp is installed but what is put into bin."""
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    make_tokenizer().save_pretrained(tmp_path / "model")
    asked = spec_of(make_source(tmp_path / "model"), tmp_path / "m.gguf", "gguf:f16")
    return replace(asked, dtype="f16")


def greedy(margin: float, prompt: str = PROMPT, answer: str = ANSWER) -> GreedyRow:
    tokenizer = make_tokenizer()
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    more = tokenizer(answer, add_special_tokens=False)["input_ids"]
    places = tuple(range(len(ids), len(ids) + len(more)))
    return GreedyRow(ProofRow((*ids, *more), places), (margin,) * len(more), (0,) * len(more))


def reference(folder: Path, *rows: GreedyRow) -> RunReference:
    return RunReference(folder, "", rows, len(rows), (), 0, LongRows((), ()), ())


def install(folder: Path, body: str, name: str = "llama-completion") -> None:
    program = folder / "bin" / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def check(spec: ProofSpec, folder: Path, *rows: GreedyRow) -> tuple[str, str, tuple[str, ...]]:
    found, text = check_llamacpp(
        spec, reference(folder, *rows), make_tokenizer(), folder, lambda *_: None
    )
    assert (found.name, text.name, text.status) == (ANSWERS, TEXT, "not proven")
    return found.status, found.summary, found.differences


def test_it_is_given_the_prompt_and_its_answer_is_compared(spec: ProofSpec, tmp_path: Path) -> None:
    install(
        tmp_path,
        f'echo "$@" > {tmp_path}/options; cat {tmp_path}/llama-prompt.txt > {tmp_path}/text\n'
        "printf ' the sea [end of text]\\n\\n\\n'",
    )
    count = len(greedy(1.0).margins)
    assert check(spec, tmp_path, greedy(1.0)) == (
        "passed", f"1 of 1 answer equal, of {count} tokens in all", (),
    )  # fmt: skip
    assert (tmp_path / "text").read_text() == PROMPT
    options = (tmp_path / "options").read_text()
    assert f"-m {tmp_path / 'm.gguf'} -t " in options
    assert f"-n {count} --temp 0 -no-cnv --special" in options
    assert not (tmp_path / "llama-prompt.txt").exists()


@pytest.mark.parametrize(
    ("margin", "dtype", "status"),
    [(0.3, "f16", "failed"), (0.1, "f16", "passed"), (0.3, "bf16", "passed"),
     (0.3, "f32", "failed"), (0.1, "f32", "passed"), (3.0, "q8_0", "stated")],
)  # fmt: skip
def test_an_answer_may_part_where_the_run_hardly_chose(
    spec: ProofSpec, tmp_path: Path, margin: float, dtype: str, status: str
) -> None:
    install(tmp_path, "printf ' the hill\\n\\n'")

    found = check(replace(spec, dtype=dtype), tmp_path, greedy(margin))

    assert found[0] == status
    assert f"{margin:g}" in found[1]
    if status == "failed":
        assert "llama.cpp writes ' hil', not ' s', which" in found[2][0]
        assert found[2][0].endswith(f"the run chooses by {margin:.2f} nats")


def test_what_a_program_lost_is_asked_again(spec: ProofSpec, tmp_path: Path) -> None:
    """Its last lines get lost at times."""
    install(
        tmp_path,
        f"if [ -e {tmp_path}/once ]; then printf ' the sea\\n\\n'; else printf ' the'; fi\n"
        f"touch {tmp_path}/once",
    )
    assert check(spec, tmp_path, greedy(1.0))[0] == "passed"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo 'error: invalid argument: -bf' >&2; exit 1",
         "llama-completion failed (exit code 1). error: invalid argument: -bf."),
        ("echo /opt/lib.so is missing >&2; exit 127", "llama-completion failed (exit code 127)."),
        ("kill -11 $$", "llama-completion failed (signal 11)."),
        ("sleep 60", "llama-completion failed (it took too long)."),
        ("printf 'no end'", "llama-completion printed no whole answer."),
    ],
)  # fmt: skip
def test_a_program_that_fails_proves_nothing(
    spec: ProofSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    reason: str,
) -> None:
    if "sleep" in body:
        monkeypatch.setattr("engine.worker.release.proving.llama_program.SECONDS", 0.0)
    install(tmp_path, body)
    assert check(spec, tmp_path, greedy(1.0)) == (
        "not proven", f"Not proven by llama.cpp: {reason}", (),
    )  # fmt: skip


def test_an_older_release_answers_by_another_program(spec: ProofSpec, tmp_path: Path) -> None:
    assert not llama_checks.is_installed()
    assert check(spec, tmp_path, greedy(1.0))[1].endswith("llama-completion is not installed here.")
    install(tmp_path, "printf ' the sea\\n\\n'", "llama-cli")
    assert llama_answers.find_completion() == "llama-cli"
    assert check(spec, tmp_path, greedy(1.0))[0] == "passed"


def test_prompts_that_text_cannot_give_are_passed_over() -> None:
    """A byte of a character is read as other bytes again."""
    tokenizer = make_tokenizer()
    part = tokenizer.convert_tokens_to_ids("Ã")
    broken = GreedyRow(ProofRow((part, part, 300), (2,)), (1.0,), (0,))

    chosen = choose_prompts([broken, greedy(1.0)], tokenizer)

    assert [one.row for one in chosen] == [greedy(1.0)]
    assert chosen[0].answers[-1] == ANSWER


def test_bytes_that_are_no_text_are_not_compared() -> None:
    tokenizer = make_tokenizer()
    broken = tokenizer.convert_tokens_to_ids("Ã")  # the first byte of two
    whole = greedy(1.0)
    ids, places = whole.row.ids, whole.row.places
    row = GreedyRow(
        ProofRow((*ids, broken, ids[-1]), (*places, len(ids), len(ids) + 1)),
        (*whole.margins, 1.0, 1.0),
        (*whole.seconds, 0, 0),
    )

    (prompt,) = choose_prompts([row], tokenizer)

    assert isinstance(prompt, TextPrompt)
    assert prompt.answers[-1].rstrip("\ufffd") == ANSWER
