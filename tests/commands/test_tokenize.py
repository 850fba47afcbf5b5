"""`finetop tokenize`: text from an argument, a file or a pipe, through real tokenizers."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.tokenizers.tokenizer_output import MOST_CHARACTERS, TokenizerOutput, from_table
from engine.worker.companion.handlers import Handlers
from tests.worker.tiny import make_tokenizer
from tui import cli
from tui.commands import tokenize
from tui.tokens.requests import TokenizeRequest

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tokenizer") / "tiny"
    make_tokenizer().save_pretrained(path)
    return str(path)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The companion's work in this process: starting one adds nothing here."""

    async def ask(request: TokenizeRequest, runs: str) -> list[TokenizerOutput]:
        fields = json.loads(json.dumps(request.fields))
        events = [one for one in Handlers().by_type["tokenize"](fields, lambda: False) if one]
        return [from_table(one["reading"]) for one in events[:-1]]

    monkeypatch.setattr(tokenize, "ask", ask)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FINETOP_ASCII", "0")


def finetop(root: Path, *arguments: str) -> int:
    return cli.main(["--runs", str(root), "tokenize", *arguments])


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_text_through_two_tokenizers_in_a_real_companion(
    root: Path, tiny: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert finetop(root, "i miss\x1b[2J", "-t", "bundled:demo-base", "-t", tiny) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "demo-base" in out
    assert "i│" in out or "i|" in out
    assert max(map(len, out.split("\n"))) < 200


@pytest.mark.usefixtures("here")
def test_json_has_every_token_and_the_numbers(
    root: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, "i miss my dog", "-t", tiny, "--json") == 0
    (reading,) = json.loads(capsys.readouterr().out)
    count = reading["texts"][0]["count"]
    assert count["name"] == "text"
    assert count["tokens_per_word"] == count["tokens"] / 4
    assert count["bytes_per_token"] == 13 / count["tokens"]
    ids = [one for token in reading["texts"][0]["tokens"] for one in token["ids"]]
    assert ids == make_tokenizer()("i miss my dog")["input_ids"]


@pytest.mark.usefixtures("here")
def test_a_pipe_a_file_and_what_is_no_utf8(
    root: Path, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pipe(monkeypatch, b"a\xff\xfeb")
    assert finetop(root, "-t", tiny) == 0
    told = capsys.readouterr()
    assert "stdin is not valid UTF-8: byte 1" in told.err
    assert "stdin" in told.out
    path = tmp_path / "text.txt"
    path.write_text("ä" * (MOST_CHARACTERS + 7))
    pipe(monkeypatch, b"")
    assert finetop(root, "--file", str(path), "-t", tiny) == 0
    told = capsys.readouterr()
    assert "truncated: 7 characters" in told.out
    assert told.err == ""
    assert finetop(root, "--file", str(tmp_path / "none"), "-t", tiny) == 2
    assert "none cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_bundled_lines_in_a_table_for_any_number_of_tokenizers(
    root: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refs = [tiny, "bundled:demo-base", tiny + "/tokenizer.json"]
    assert finetop(root, "--lines", *(part for ref in refs for part in ("-t", ref))) == 0
    out = capsys.readouterr().out
    assert all(f" {name} " in out for name in ("English", "Persian", "German", "Chinese", "emoji"))
    assert out.count("relative to English") == 2, "three do not fit beside each other"
    assert [line for line in out.split("\n") if len(line) > 80] == []


@pytest.mark.usefixtures("here")
def test_templates_and_their_difference(
    root: Path, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{"role": "user", "content": "Ahoy"}]))
    asked = ("-t", tiny, "--template", "chat", "--template", "instruct", "--open")
    assert finetop(root, "--chat", str(path), *asked) == 0
    out = capsys.readouterr().out
    assert "⟦<|im_start|>⟧" in out
    assert "tiny instruct" in out
    assert "[-<|im_start|>user-]{+### Instruction:+}⏎" in out
    path.write_text("user: Ahoy\nassistant: Aye")
    assert finetop(root, "--chat", str(path), "-t", tiny) == 0
    assert "A│y│e│" in capsys.readouterr().out
    path.write_text('[{"role": "user"}]')
    assert finetop(root, "--chat", str(path), "-t", tiny) == 2
    assert "messages with role and content" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_one_bad_tokenizer_is_told_beside_the_good_and_by_the_exit_code(
    root: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, "hi", "-t", "/not/there", "-t", tiny) == 2
    told = capsys.readouterr()
    assert "tiny" in told.out
    assert "Tokenizer not found: /not/there" in told.err


@pytest.mark.usefixtures("here")
def test_colour_only_where_it_is_wanted(
    root: Path, tiny: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    arguments: Any = ("hi dog", "-t", tiny)
    assert finetop(root, *arguments) == 0
    assert "\x1b[44;97m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert finetop(root, *arguments) == 0
    assert "\x1b" not in capsys.readouterr().out
