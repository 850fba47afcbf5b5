"""A worker that waited through an update says so, instead of going on with half of each version."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

import engine
from engine.errors import EngineError
from engine.worker.__main__ import JOBS

CHECK = "engine.worker.version_check"


@pytest.mark.parametrize("layout", [None, 1, 99])
def test_a_process_of_another_layout_is_stopped(
    layout: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, CHECK, raising=False)
    if layout is None:
        monkeypatch.delattr(engine, "LAYOUT")
    else:
        monkeypatch.setattr(engine, "LAYOUT", layout)
    with pytest.raises(EngineError, match="was updated while this run was queued") as caught:
        importlib.import_module(CHECK)
    assert f"module layout {layout or 1}," in caught.value.detail
    assert "Resume it" in caught.value.hint


@pytest.mark.parametrize("name", JOBS.values())
def test_each_job_checks_before_it_imports_any_other_module_of_ours(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    ours = [
        one.names[0].name if isinstance(one, ast.Import) else one.module
        for one in tree.body
        if isinstance(one, ast.Import | ast.ImportFrom)
        and (one.names[0].name if isinstance(one, ast.Import) else one.module or "").startswith(
            "engine"
        )
    ]
    assert ours[0] == CHECK
    importlib.import_module(CHECK)  # which lets this one go on
