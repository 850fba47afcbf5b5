"""An installed llama-tokenize: which one is asked, what is asked of it, and how it fails."""

import shutil
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.release.gguf_targets import VARIABLE
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.proving import llama_tokenize, token_checks
from tests.worker.release.proving.test_spoiled_texts import BYTE_LEVEL, Run, make_run, prove_gguf


def write_program(folder: Path, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "llama-tokenize"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def test_a_named_checkout_comes_before_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert llama_tokenize.find_tokenize_program() is None

    installed = write_program(tmp_path / "path", "")
    assert llama_tokenize.find_tokenize_program() == installed
    monkeypatch.setenv(VARIABLE, str(tmp_path / "checkout"))
    assert llama_tokenize.find_tokenize_program() == installed

    built = write_program(tmp_path / "checkout" / "build" / "bin", "")
    assert llama_tokenize.find_tokenize_program() == built


def test_it_is_given_the_text_as_it_is(tmp_path: Path) -> None:
    program = write_program(
        tmp_path, f'cat > "{tmp_path}/text"; echo "$@" > "{tmp_path}/options"; echo "[1, 22]"'
    )

    assert llama_tokenize.token_ids(program, Path("m.gguf"), "a\\n\r\n\x00é ") == [1, 22]

    assert (tmp_path / "text").read_bytes() == "a\\n\r\n\x00é ".encode()
    options = (tmp_path / "options").read_text().split()
    assert options == ["-m", "m.gguf", "--stdin", "--ids", "--no-bos", "--no-escape"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo no model >&2; exit 3", "exit code 3"),
        ("echo", "exit code 0"),
        ("echo '[x'", "no ids"),
    ],
)
def test_a_program_that_fails_is_an_error(body: str, reason: str, tmp_path: Path) -> None:
    program = write_program(tmp_path, f"cat > {tmp_path}/text\n{body}")

    with pytest.raises(EngineError, match=reason):
        llama_tokenize.token_ids(program, Path("m.gguf"), "a")


def test_parts_between_separators() -> None:
    assert llama_tokenize.split_at([9, 1, 2, 9, 9, 3], 9) == [[], [1, 2], [], [3]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(BYTE_LEVEL, tmp_path_factory.mktemp("run") / "run")


def test_one_that_fails_proves_nothing_and_fails_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path / "bin", "echo unknown option --no-escape >&2; exit 1")
    monkeypatch.setenv("PATH", str(program.parent))

    check = prove_gguf(run, tmp_path)[token_checks.LLAMACPP]

    assert check.status == "not proven"
    assert check.summary == (
        "Not proven by llama.cpp: llama-tokenize told no ids (exit code 1). "
        "unknown option --no-escape"
    )


@pytest.mark.parametrize("spoiled", [False, True])
def test_what_it_says_decides(
    run: Run, spoiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path / "bin", f"cat > {tmp_path}/text; cat {tmp_path}/ids")
    monkeypatch.setenv("PATH", f"{program.parent}:{Path(str(shutil.which('cat'))).parent}")
    (tmp_path / "ids").write_text("[1]\n")
    prove_gguf(run, tmp_path)  # to see what it is asked
    tokenizer = load_tokenizer(run.folder)
    ids = tokenizer((tmp_path / "text").read_bytes().decode(), add_special_tokens=False)[
        "input_ids"
    ]
    place = ids.index(tokenizer.convert_tokens_to_ids("a"))
    if spoiled:
        ids[place] += 1
    (tmp_path / "ids").write_text(f"log line\n{ids}\n")

    check = prove_gguf(run, tmp_path)[token_checks.LLAMACPP]

    assert check.status == ("failed" if spoiled else "passed")
    if spoiled:
        assert check.facts["different"] == 1
        assert "run" in check.differences[0]
        assert "'a'" in check.differences[0]
