"""What is of this machine is found in every file that leaves it, and nothing else is."""

import json
import os
import struct
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.release.leak_search import (
    Needle,
    check_leaks,
    find_needles,
    search_leaks,
)
from engine.report.markdown_page import escape_markdown

HOME = Needle("/home/marguerite", "the home folder", "path")
SHORT = Needle("/root", "the home folder", "path")
USER = Needle("marguerite", "the user's name", "word")
HOST = Needle("gpu-box-7", "the host's name", "word")
NEEDLES = (HOME, SHORT, USER, HOST)


def fill(folder: Path) -> Path:
    """An export without a leak, whose vocabulary holds many words."""
    (folder / "curves").mkdir(parents=True)
    vocabulary = {"marguerite": 1, "/root": 2, "Ġgpu-box-7": 3}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    (folder / "LICENSE").write_text("Copyright marguerite\n")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "google/gemma"}')
    (folder / "curves" / "run.csv").write_text("step,value\n1,0.5\n")
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    content = struct.pack("<Q", len(header)) + header + b"marguerite" * 10
    (folder / "model.safetensors").write_bytes(content)
    (folder / "README.md").write_text("# A model\n\nMade with care.\n")
    return folder


def test_a_clean_export_has_no_leak(tmp_path: Path) -> None:
    assert search_leaks(fill(tmp_path / "out"), NEEDLES) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter_config.json", '{\n "base_model_name_or_path": "/home/marguerite/models/x"}'),
        ("adapter_config.json", '{\n "base": "\\/home\\/marguerite\\/x"}'),
        ("README.md", "# A\n\nfile:///home/marguerite/x"),
        ("README.md", "# A\n\nwritten on gpu-box-7 by somebody"),
        ("README.md", "# A\n\nby marguerite"),
        ("README.md", "# A\n\nsee /root/models"),
        ("recipe.toml", 'train = "x=%2Fhome%2Fmarguerite%2Fdata"'),
        ("tokenizer.json", '{"name_or_path": "/home/marguerite/models/x"}'),
        ("tokenizer_config.json", '{"name_or_path": "/root/x"}'),
        ("NOTICE", "from /home/marguerite"),
        ("chat_template.jinja", "{# /root/templates/x #}"),
        ("tokenizer.json", '{"name_or_path": "\\/root\\/models"}'),
        ("curves/marguerite.csv", "step,value"),
        ("versions.json", '{"a": "at\\n/home/marguerite/x"}'),
        ("versions.json", '{"a": "by\\tmarguerite"}'),
        ("recipe.toml", 'a = "by\\u0020marguerite"'),
        ("README.md", "see https://host/?at%3D%2Fhome%2Fmarguerite%2Fx"),
        ("README.md", "see ?at=%2fhome%2fmarguerite%2fx"),
        ("README.md", "by Marguerite, on GPU-Box-7"),
        ("README.md", r"on gpu\-box\-7"),
        ("README.md", "on gpu&#45;box-7"),
        ("curves/loss.svg", "<text>&#47;home/marguerite</text>"),
    ],
)
def test_a_leak_is_found_and_named(tmp_path: Path, name: str, content: str) -> None:
    folder = fill(tmp_path / "out")
    (folder / name).write_text(content)
    leaks = search_leaks(folder, NEEDLES)
    assert {leak.file for leak in leaks} == {name}
    if "\n" in content:
        assert leaks[0].line == content.count("\n") + 1
    with pytest.raises(EngineError, match="of this machine") as caught:
        check_leaks(folder, NEEDLES)
    assert name in caught.value.detail


@pytest.mark.parametrize("name", ["model.safetensors", "model-Q8_0.gguf"])
@pytest.mark.parametrize("path", ["/home/marguerite/base", "/root/base"])
def test_headers_of_weights_are_read(tmp_path: Path, name: str, path: str) -> None:
    folder = fill(tmp_path / "out")
    content = b"GGUF" + b"\0" * 3_000_000 + path.encode() + b"\0" * 100
    (folder / name).write_bytes(content)
    (leak,) = search_leaks(folder, NEEDLES)
    assert (leak.file, leak.line) == (name, 3_000_004)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_letters_are_read(tmp_path: Path, encoding: str) -> None:
    folder = fill(tmp_path / "out")
    (folder / "LICENSE").write_bytes("see /home/marguerite/x".encode(encoding))
    (leak,) = search_leaks(folder, NEEDLES)
    assert leak.what == "the home folder"


def test_a_path_of_other_letters_is_found_however_it_is_quoted(tmp_path: Path) -> None:
    needle = Needle("/home/zoë", "the home folder", "path")
    folder = fill(tmp_path / "out")
    for written in ("/home/zoë/x", "file:///home/zo%C3%AB/x", '"/home/zo\\u00eb/x"'):
        (folder / "README.md").write_text(written)
        assert search_leaks(folder, [needle]), written


def test_a_path_is_found_as_a_card_writes_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    needle = Needle("/home/a_b*c&d/zoe\u0308", "the home folder", "path")
    (folder / "README.md").write_text(f"# A\n\nsee {escape_markdown(needle.text)}/x\n")
    (leak,) = search_leaks(folder, [needle])
    assert leak.line == 3
    (folder / "README.md").write_text("see /home/a_b*c&d/zo\u00eb/x")
    assert search_leaks(folder, [needle]), "composed as another program writes it"


def test_a_path_that_is_no_utf8_is_found(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    (folder / "README.md").write_bytes(b"see /home/zo\xeb/x")
    needle = Needle(os.fsdecode(b"/home/zo\xeb"), "the home folder", "path")
    assert [leak.file for leak in search_leaks(folder, [needle])] == ["README.md"]


@pytest.mark.parametrize(
    "content",
    ["marguerites bloom", "/home/margueritessa", "mygpu-box-72", "x/home/marguerite", "/rootless"],
)
def test_longer_words_are_others(tmp_path: Path, content: str) -> None:
    folder = fill(tmp_path / "out")
    (folder / "README.md").write_text(content)
    needles = [needle for needle in NEEDLES if needle is not USER or "/" not in content]
    assert search_leaks(folder, needles) == []


def test_a_word_in_a_text_that_was_given_is_no_leak(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    (folder / "README.md").write_text("base: marguerite/gemma-tuned, of gpu-box-7\n")
    assert [leak.what for leak in search_leaks(folder, NEEDLES, ["marguerite/gemma-tuned"])] == [
        "the host's name"
    ]


def test_a_path_is_a_leak_whoever_gave_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    (folder / "README.md").write_text("use /home/marguerite/x\n")
    assert search_leaks(folder, [HOME], ["use /home/marguerite/x"])


def test_needles_are_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOGNAME", "marguerite")
    monkeypatch.setattr("socket.gethostname", lambda: "gpu-box-7.lan.example")
    monkeypatch.chdir(tmp_path)
    found = {needle.text for needle in find_needles([(tmp_path / "job", "the job's folder")])}
    assert {str(tmp_path / "home"), str(tmp_path), str(tmp_path / "job"), "marguerite",
            "gpu-box-7", "gpu-box-7.lan.example"} <= found  # fmt: skip


@pytest.mark.parametrize("word", ["weights", "Adapter", "reader", "best", "long", "linecap"])
def test_words_of_our_own_texts_are_not_sought(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("LOGNAME", word)
    monkeypatch.setattr("socket.gethostname", lambda: f"{word}.local")
    needles = {needle.text for needle in find_needles() if needle.kind == "word"}
    assert needles == {f"{word}.local"}


def test_the_user_behind_sudo_is_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "marguerite")
    assert "marguerite" in {needle.text for needle in find_needles()}


def test_names_that_say_nothing_are_not_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setattr("socket.gethostname", lambda: "vm")
    assert not [needle for needle in find_needles() if needle.kind == "word"]
