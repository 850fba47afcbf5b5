"""`finetop data inspect`: what it prints, at any width, and without colour."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.worker.companion.handlers import Handlers
from tests.worker.data.families import QWEN3
from tests.worker.tiny import CHATML, save_checkpoint
from tui import cli
from tui.commands.data_report import ReportStyle
from tui.glyphs import ASCII, UNICODE

EVIL = "\x1b]0;owned\x07[/red] \u202eabc"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_checkpoint(tmp_path_factory.mktemp("base")))


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": f"{EVIL}\nwhich {n}?", "completion": "joy " * n} for n in range(1, 60)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + f"{{{EVIL}\n")
    return str(path)


def report_of(base: str, rows: str, **data: Any) -> Any:
    request = {"checkpoint": base, "data": {"train": rows, **data}, "rows": 2, "templates": True}
    *_, last = [one for one in Handlers().inspect(request, lambda: False) if one is not None]
    return last["report"]


def finetop(root: Path, *arguments: str) -> int:
    return cli.main(["--runs", str(root), "data", "inspect", *arguments])


def test_a_report_on_paper(
    base: str, rows: str, root: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
    asked = ("--checkpoint", base, "--max-length", "100", "--rows", "1", "--system", "Be brief.")
    sets = [part for change in ("data.eval_fraction=0.2", "replay.data=bundled:rehearsal")
            for part in ("--set", change)]  # fmt: skip
    assert finetop(root, rows, *asked, *sets) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "system  Be brief." in out
    assert "␛]0;owned␇[/red] �abc⏎" in out
    assert "‹joy <|im_end|>›" in out
    assert re.search(r"60 rows: \d+ usable, \d+ rejected", out)
    assert re.search(r"too long  \d+ of 59 rows are truncated at 100 tokens, 0 dropped", out)
    assert re.search(r"\d+-\d+  █+ +\d+", out)
    assert "47 train, 12 eval" in " ".join(out.split())
    assert "replay 10% of all rows from bundled:rehearsal: 1,200 " in " ".join(out.split())
    assert re.search(r"row 2  train.jsonl:1  \d+ tokens, \d+ trained, replayed", out)


def test_what_stands_beside_the_text_is_said(
    base: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    turns = [{"from": who, "value": f"{who} {EVIL}", "mood": "x"} for who in ("gpt", "human")]
    talk = [{"conversations": [*turns, {"from": "gpt", "value": "a"}], "label": good, EVIL: 1}
            for good in (True, False, None)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in talk))
    assert finetop(root, str(path), "--checkpoint", base) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "3 rows: 2 usable, 0 rejected" in out
    assert "1 rows labelled false are not trained on, e.g. rows.jsonl:2" in out
    assert "2 rows open with an answer to nothing, e.g. rows.jsonl:1: it is not trained on" in out
    assert "unread columns: ␛]0;owned␇[/red] �abc (2 rows)" in out
    assert "unread keys of messages: mood (2 rows)" in out


def test_a_recipe_for_dpo_is_inspected_as_pairs(
    base: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"instruction": "q", "output": "a", "chosen": "joy", "rejected": "anger"}
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"rejected": None}) + "\n")
    asked = (str(path), "--checkpoint", base, "--json")
    assert finetop(root, *asked, "--set", "training.objective=dpo") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["data"]["schema"] == "instruction/chosen/rejected"
    assert (report["kept"], report["rejects"][0]["reason"]) == (1, "no rejected answer")
    assert finetop(root, *asked) == 0
    assert json.loads(capsys.readouterr().out)["data"]["schema"] == "instruction/output"


def test_json_and_recipes_and_errors_of_the_worker(
    base: str, rows: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = tmp_path / "mine.toml"
    wanted.write_text(
        f'kind = "train"\n[model]\ncheckpoint = "{base}"\n[data]\ntrain = "{rows}"\nlimit = 7\n'
    )
    assert finetop(root, str(wanted), "--json", "--template", "raw") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["template"]["name"] == "raw"
    assert report["data"]["looked_at"] == 7
    mine = tmp_path / "mine.jinja"
    mine.write_text("\n{% if %}")
    assert finetop(root, rows, "--checkpoint", base, "--template", str(mine)) == 2
    error = capsys.readouterr().err
    assert f"{mine}:2: syntax error" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x.jsonl", "--max-length", "2"], "data.max_length: must be at least 8"),
        (
            ["x.jsonl", "--set", "data.too_long=keep"],
            "data.too_long: must be one of truncate, drop",
        ),
        (["x.jsonl", "--rows", "-1"], "--rows -1"),
        (["none.toml"], "cannot be read"),
    ],
)
def test_wrong_use_is_told_before_anything_is_started(
    arguments: list[str], words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, *arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_lines_keep_to_the_width_and_say_learned_without_colour(
    base: str, rows: str, width: int, glyphs: Any
) -> None:
    report = report_of(base, rows, max_length=90)
    lines = list(ReportStyle(glyphs, width, coloured=False).write(report))
    # One word can be longer than a narrow line; the text of a row never is.
    assert max(map(len, lines)) <= max(width, 110)
    text = "\n".join(lines)
    opening, closing = ("<<", ">>") if glyphs is ASCII else ("‹", "›")
    assert f"{opening}joy <|im_end|>{closing}" in text
    assert not glyphs.is_ascii or not any(mark in text for mark in "‹›⏎█")
    coloured = "\n".join(ReportStyle(glyphs, width, coloured=True).write(report))
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == text, "colour adds nothing but itself"
    assert coloured.count("\x1b[0m") == len(re.findall("\x1b\\[[1-9][0-9;]*m", coloured))


def test_a_row_under_each_template_is_named_with_its_hash(base: str, rows: str) -> None:
    report = report_of(base, rows)
    text = "\n".join(ReportStyle(UNICODE, 80, coloured=False).write(report))
    for shown in report["templates"]:
        assert f"{shown['template']['name']} {shown['template']['hash'][:12]}" in text


def test_conversations_of_several_training_rows_are_counted(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(save_checkpoint(tmp_path / "base", template=QWEN3.template))
    turns = [("user", "who?"), ("assistant", "joy"), ("user", "and?"), ("assistant", "love")]
    talk = {"messages": [{"role": role, "content": text} for role, text in turns]}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(talk) + "\n" for _ in range(3)))
    assert finetop(root, str(path), "--checkpoint", base, "--rows", "2") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "rows read 3 rows: 6 usable, 0 rejected" in out
    assert "divided 3 conversations are 6 training rows" in out
    assert "rows.jsonl:1 " in out
    assert re.search(r"row 1 rows.jsonl:1 \d+ tokens, \d+ trained, part 1 of 2", out)
    assert "each answer is trained in its own context" in out


def test_rows_that_a_template_rejects_come_with_what_helps(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = "{% if messages|length > 2 %}{{ raise_exception('one turn') }}{% endif %}" + CHATML
    base = str(save_checkpoint(tmp_path / "base", template=strict))
    path = tmp_path / "rows.jsonl"
    turns = [("user", "who?"), ("assistant", "joy")] * 2
    talk = {"messages": [{"role": role, "content": text} for role, text in turns]}
    path.write_text(json.dumps(talk) + "\n")
    finetop(root, str(path), "--checkpoint", base)
    out = " ".join(capsys.readouterr().out.split())
    assert "rejected rows.jsonl:1: the chat template rejects this row: one turn" in out
    assert "hint Set data.template = chatml, or to a Jinja file that takes these rows" in out
