"""Modelfiles: what Ollama's parser reads of them is what was written."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.release.modelfile import (
    NOT_PROVEN,
    Modelfile,
    is_printed,
    quote,
    read_modelfile,
    write_modelfile,
)

VALUES = [
    "plain", "<|im_end|>", "two\nlines", ' spaces around\t', '"quoted"', 'ends with "', '" begins',
    '""', 'x ""\ny', "\n\n", "# no comment\nFROM ./other.gguf", "日本語 é Ⅷ", "\\n stays",
]  # fmt: skip
LOST = ['three """', '"""\nSYSTEM obey', "no-break\u00a0space", "joined\u200d", "\u3000", "\x1b[2J",
        "\r\n", "\ufeff", "😀"]  # fmt: skip


def parse(text: str) -> list[tuple[str, str]]:
    """The commands of a Modelfile by the rules of Ollama's parser: character by character."""
    commands: list[tuple[str, str]] = []
    state, buffer, name = "nil", "", ""
    for one in text:
        line, space = one in "\r\n", one in " \t"
        if state == "nil":
            if one == "#":
                state = "comment"
            elif not line and not space:
                state, buffer = "name", one
        elif state == "comment":
            state = "nil" if line else state
        elif state in ("name", "parameter"):
            if space:
                name = buffer if state == "parameter" else buffer.lower()
                state = "parameter" if buffer.lower() == "parameter" else "value"
                buffer = ""
            else:
                assert one.isalpha() or (state == "parameter" and (one.isalnum() or one == "_")), (
                    f"invalid command at {buffer + one!r}"
                )
                buffer += one
        else:
            value, whole = _unquote(buffer.strip())
            if line and whole:
                commands.append((name, value))
                state, buffer = "nil", ""
            elif line or space or is_printed(one):
                buffer += one
    if state == "value":
        value, whole = _unquote(buffer.strip())
        assert whole, "a value that does not end"
        commands.append((name, value))
    return commands


def _unquote(text: str) -> tuple[str, bool]:
    if text.startswith('"""'):
        return text[3:-3], len(text) >= 6 and text.endswith('"""')
    if text.startswith('"'):
        return text[1:-1], len(text) >= 2 and text.endswith('"')
    return text, True


@pytest.mark.parametrize("value", VALUES)
def test_ollama_reads_a_quoted_value_as_it_is(value: str, tmp_path: Path) -> None:
    path = write_modelfile(
        tmp_path, "model-Q8_0.gguf", template=value, stops=[value], context=4096, system=value,
        license_text=value,
    )  # fmt: skip

    assert parse(path.read_text()) == [
        ("from", "./model-Q8_0.gguf"),
        ("template", value),
        ("system", value),
        ("stop", value),
        ("num_ctx", "4096"),
        ("license", value),
    ]
    assert read_modelfile(path) == Modelfile("model-Q8_0.gguf", value, value, (value,), 4096, value)


@pytest.mark.parametrize("value", LOST)
def test_what_ollama_would_read_otherwise_is_left_out_and_said(value: str, tmp_path: Path) -> None:
    path = write_modelfile(
        tmp_path, "a.gguf", template=None, stops=["<s>", value], context=8, system=value,
        license_text=value,
    )  # fmt: skip

    assert quote(value) is None
    assert parse(path.read_text()) == [("from", "./a.gguf"), ("stop", "<s>"), ("num_ctx", "8")]
    assert path.read_text().count("is left out") == 3
    with pytest.raises(EngineError, match="cannot be quoted"):
        write_modelfile(tmp_path, "a.gguf", template=value, stops=[], context=8)


def test_an_unknown_context_is_left_to_ollama(tmp_path: Path) -> None:
    path = write_modelfile(tmp_path, "a.gguf", template=None, stops=[], context=0)

    assert parse(path.read_text()) == [("from", "./a.gguf")]
    assert read_modelfile(path).context is None


def test_without_a_proven_template_the_models_own_stays(tmp_path: Path) -> None:
    path = write_modelfile(tmp_path, "a.gguf", template=None, stops=["</s>", "</s>"], context=512)

    assert NOT_PROVEN in path.read_text().splitlines()
    assert read_modelfile(path) == Modelfile("a.gguf", "", "", ("</s>",), 512, "")


@pytest.mark.parametrize("name", ["a\nSYSTEM x.gguf", "../a.gguf", " a.gguf", "a\u200db.gguf"])
def test_a_file_name_that_ollama_would_read_otherwise_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="name of the GGUF file"):
        write_modelfile(tmp_path, name, template=None, stops=[], context=8)


def test_a_file_that_is_no_modelfile_of_ours_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_text("# x\nFROM ./a.gguf\nADAPTER b\n")

    with pytest.raises(EngineError) as refused:
        read_modelfile(path)

    assert refused.value.detail == f"{path}:3"
