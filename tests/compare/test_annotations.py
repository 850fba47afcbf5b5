"""Notes and bookmarks on pairs: kept, taken back, never lost to a damaged file."""

from pathlib import Path

import pytest

from engine.compare import annotations
from engine.compare.annotations import Remark
from engine.errors import EngineError


def test_they_are_kept_and_taken_back(tmp_path: Path) -> None:
    assert annotations.read(tmp_path) == {}
    annotations.write(tmp_path, "a", Remark("odd", True))
    assert annotations.write(tmp_path, "b", Remark(marked=True)) == annotations.read(tmp_path)
    assert annotations.read(tmp_path)["a"] == Remark("odd", True)
    assert annotations.write(tmp_path, "a", Remark()) == {"b": Remark(marked=True)}


@pytest.mark.parametrize("content", ["{broken", "[1]"])
def test_a_damaged_file_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = annotations.file_of(tmp_path)
    path.write_text(content)
    with pytest.raises(EngineError, match="notes") as caught:
        annotations.write(tmp_path, "a", Remark("x"))
    assert str(path) in caught.value.detail
    assert path.read_text() == content


def test_what_is_none_is_passed_over(tmp_path: Path) -> None:
    annotations.file_of(tmp_path).write_text(
        '{"a": 7, "b": {"note": 3}, "c": {"note": "n", "x": 1}}'
    )
    assert annotations.read(tmp_path) == {"c": Remark("n")}
