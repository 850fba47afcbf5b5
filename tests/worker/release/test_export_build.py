"""What an export calls its files."""

from pathlib import Path

import pytest

from engine.recipes.recipe import ExportRecipe
from engine.worker.release.export_build import name_file
from tests.worker.release.sources import make_source


@pytest.mark.parametrize(
    ("license_id", "name"), [("llama3.1", "Llama-tuned"), ("apache-2.0", "tuned")]
)
def test_a_gguf_file_is_called_as_the_license_of_its_base_wants_it(
    tmp_path: Path, license_id: str, name: str
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text(f"---\nlicense: {license_id}\n---\n")
    assert name_file(make_source(tmp_path), ExportRecipe(base_id="a/b")) == name
