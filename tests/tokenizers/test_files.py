"""Which files are offered as tokenizers."""

import os
from pathlib import Path

from engine.tokenizers import files


def test_files_are_found_beside_models_and_not_in_them(tmp_path: Path) -> None:
    for name in ("alone/tokenizer.json", "a.gguf", "deep/er/b.model", "model/tokenizer.json",
                 "model/config.json", "model/c.gguf", ".hidden/d.gguf"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}')
    os.symlink(tmp_path, tmp_path / "deep" / "loop")
    found = [str(path.relative_to(tmp_path)) for path in files.find([tmp_path])]
    assert found == ["a.gguf", "alone/tokenizer.json", "deep/er/b.model", "model/c.gguf"]
    assert files.find([tmp_path / "nowhere"]) == []
