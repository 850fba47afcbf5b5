"""A Modelfile that says more than the run does."""

from pathlib import Path

import pytest

from engine.worker.release.proving.end_checks import _find_others

RIGHT = (
    'FROM ./a.gguf\nTEMPLATE """x\nADAPTER y"""\nPARAMETER stop "<|end|>"\nPARAMETER num_ctx 9\n'
)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("", ""),
        ("# ADAPTER ./b.gguf\n", ""),
        ("ADAPTER ./b.gguf\n", "'ADAPTER' is no instruction"),
        ("PARAMETER temperature 9\n", "'PARAMETER temperature' is no instruction"),
        ("MESSAGE user hello\n", "'MESSAGE' is no instruction"),
        ("FROM ./b.gguf\n", "FROM 'b.gguf' is no file beside it"),
        ("FROM llama3\n", "FROM 'llama3' is no file beside it"),
    ],
)
def test_what_is_not_the_runs_is_named(tmp_path: Path, more: str, sentence: str) -> None:
    (tmp_path / "a.gguf").touch()
    found = list(_find_others(RIGHT + more, tmp_path, set()))
    assert sentence in "".join(found) if sentence else not found


def test_a_stop_too_many_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    assert "PARAMETER stop 'the' ends no" in "".join(_find_others(RIGHT, tmp_path, {"the"}))
