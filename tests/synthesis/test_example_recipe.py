"""The recipe that one begins with: it reads, and it can be launched as it is."""

import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.launching.synthesis import locate_synthesis
from engine.recipes.recipe import SynthesizeRecipe, read
from engine.synthesis.example_recipe import write_example
from engine.synthesis.trained_fields import warn_of_fields


def read_example(folder: Path, ref: str) -> SynthesizeRecipe:
    path = folder / "example.toml"
    path.write_text(write_example(ref))
    recipe = read(path)
    assert isinstance(recipe, SynthesizeRecipe)
    return recipe


@pytest.mark.parametrize("ref", ["bundled:reviews", "bundled:counsel"])
def test_it_can_be_launched_as_it_is_and_its_rows_be_trained_on(ref: str, tmp_path: Path) -> None:
    recipe = read_example(tmp_path, ref)
    located = locate_synthesis(recipe, tmp_path)
    assert located.recipe.source.data == ref
    assert warn_of_fields(recipe) == ""


def test_it_takes_the_column_of_the_longest_texts_and_names_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",title,body\n0,A,a long text\n1,B,another one\n")
    recipe = read_example(tmp_path, str(path))
    assert recipe.source.text == "body"
    assert recipe.fields["prompt"].take == "{body}"
    assert "columns: title, body\n" in write_example(str(path))
    locate_synthesis(recipe, tmp_path)


@pytest.mark.parametrize("column", ['a "quoted"\\ name', "é ü 中", "a#b"])
def test_any_name_of_a_column_and_of_a_file_can_be_read_again(column: str, tmp_path: Path) -> None:
    path = tmp_path / 'my "rows".jsonl'
    path.write_text(json.dumps({column: "some text"}) + "\n")
    recipe = read_example(tmp_path, str(path))
    assert (recipe.source.data, recipe.source.text) == (str(path), column)
    assert recipe.fields["prompt"].take == f"{{{column}}}"


@pytest.mark.parametrize("column", ["a{b}", "\x1b[31mred", "two\nlines", "\ud800"])
def test_a_name_that_no_template_or_terminal_takes_is_left_to_the_user(
    column: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({column: "some text"}) + "\n")
    assert read_example(tmp_path, str(path)).source.text == "text"
    assert "\x1b" not in write_example(str(path))


def test_a_source_that_is_not_there_is_refused() -> None:
    with pytest.raises(EngineError, match="not found"):
        write_example("none.csv")
