"""What the card of rows made says of terms, review, outcomes and gates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.release.card.hub_metadata import list_data_problems
from engine.report.short_names import ShortNames
from engine.synthesis.data_card import combine_terms
from engine.synthesis.generator_facts import GeneratorFacts, find_source_license, read_generators
from engine.synthesis.row_files import write_rows
from tests.checkpoints.made import make_model
from tests.synthesis.made_job import decide, make_job, make_outcome, make_source, read_recipe
from tests.synthesis.test_row_files import make_reviewed

OPEN = GeneratorFacts("a", "a", False, "The model's license is MIT License.", is_permissive=True)
HOSTED = GeneratorFacts("b", "b", True, "Acme's terms of use")
UNKNOWN = GeneratorFacts("c", "c", True, "unknown")
ROWS = ("rows.jsonl", "README.md")
HEAD: Mapping[str, Any] = {
    "license": "mit",
    "pretty_name": "rows",
    "size_categories": ["n<1K"],
    "task_categories": ["text-generation"],
    "annotations_creators": ["machine-generated"],
    "tags": ["finetop"],
    "configs": [{"config_name": "default", "data_files": "rows.jsonl"}],
}


def read_card(job_rows: Path) -> str:
    """Its text, in one line a paragraph."""
    return job_rows.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("source", "generators", "expected"),
    [
        ("cc-by-4.0", [OPEN], ("cc-by-4.0", "", "")),
        ("own=https://example.org/terms", [OPEN], ("other", "own", "https://example.org/terms")),
        ("ask the owner", [OPEN], ("other", "terms-in-the-card", "README.md")),
        ("cc-by-4.0", [OPEN, HOSTED], ("other", "terms-in-the-card", "README.md")),
        ("cc-by-4.0", [OPEN, UNKNOWN], ("unknown", "", "")),
        ("unknown", [OPEN], ("unknown", "", "")),
        ("cc-by-4.0", [], ("unknown", "", "")),
        ("unknown", [HOSTED], ("unknown", "", "")),
    ],
)
def test_terms_of_source_and_generators_together(
    source: str, generators: list[GeneratorFacts], expected: tuple[str, str, str]
) -> None:
    assert combine_terms(source, generators) == expected


def test_terms_of_a_local_model_are_those_of_its_base(tmp_path: Path) -> None:
    gemma = make_model(tmp_path / "gemma")
    (gemma / "LICENSE").write_text("Gemma Terms of Use\n\nLast modified: ...\n")
    stated = make_model(tmp_path / "stated")
    (stated / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# It\n")
    silent = make_model(tmp_path / "silent")
    specs = [f"one={gemma}", f"two={stated}", f"three={silent}", "four=bundled:demo-base",
             f"five={tmp_path / 'gone'}", "six=https://api.example/v1?model=acme/big"]  # fmt: skip
    found = read_generators(read_recipe(), specs, (), ShortNames())
    terms = {one.name.partition("=")[0]: one for one in found}
    assert "Gemma Terms of Use (by the text of its file LICENSE)" in terms["one"].terms
    assert "Prohibited Use Policy" in terms["one"].terms
    assert "weights were changed" not in terms["one"].terms
    assert not terms["one"].is_permissive
    assert terms["two"].is_permissive
    assert "as its README.md states" in terms["two"].terms
    assert [terms[name].terms for name in ("three", "five", "six")] == ["unknown"] * 3
    assert terms["four"].model == "demo-base"
    assert terms["four"].is_permissive == (BASE.parents[2] / "LICENSE").is_file()
    assert (terms["six"].model, terms["six"].is_hosted) == ("acme/big", True)


def test_the_license_of_the_source_is_stated_or_unknown(tmp_path: Path) -> None:
    snapshot = tmp_path / "datasets--acme--texts" / "snapshots" / "abc"
    (snapshot / "data").mkdir(parents=True)
    (snapshot / "README.md").write_text("---\nlicense: CC-BY-4.0\n---\n")
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    for data, stated, expected in (
        (str(tmp_path / "rows.jsonl"), "", ("unknown", "")),
        (str(tmp_path / "rows.jsonl"), " cc0-1.0 ", ("cc0-1.0", "as the recipe states")),
        ("bundled:emotion", "", ("apache-2.0", "as finetop's own data")),
        (str(snapshot / "data" / "rows.jsonl"), "", ("cc-by-4.0", "as its card states")),
    ):
        recipe = read_recipe(source={"data": data, "license": stated})
        assert find_source_license(recipe) == expected


def test_stated_terms_are_of_the_generator_that_the_recipe_names() -> None:
    spec, other = "a=https://x.example/v1?model=a", "b=https://y.example/v1?model=b"
    recipe = read_recipe(asking={"generator": spec, "terms": "X's terms"})
    found = read_generators(recipe, [spec, other, spec], (), ShortNames())
    assert [one.terms for one in found] == ["X's terms", "unknown"]


def test_counts_gates_and_review_are_those_of_the_job(tmp_path: Path) -> None:
    write_rows(make_reviewed(tmp_path / "runs"), tmp_path / "rows.jsonl")
    card = read_card(tmp_path / "rows.jsonl")
    for line in (
        "| passed all gates |  | 3 | 50% [19, 81] |",
        "| held back by a gate |  | 2 | 33% [10, 70] |",
        "|  | copy | 1 | 17% [3, 56] |",
        "|  | not JSON | 1 | 17% [3, 56] |",
        "Of 6 sources; 1 more were not asked about:",
        "| accepted as they were made | 2 |",
        "| edited | 1 |",
        "| in spite of a gate, of these | 1 |",
        "| not reviewed by a person | 0 |",
        "| rejected, and not here | 1 |",
        "| copy | at most 90% of the words in one run | 1 | 0 |",
        "| judge | off: not set |  |  |",
        "| trailing comma | 1 |",
        "License of the source: cc-by-4.0 (as the recipe states).",
        "| not JSON | 3 |",
    ):
        assert f"\n{line}\n" in card, line
    assert "What would one answer?" in card


def test_a_sample_of_the_rows_says_what_the_others_hold(tmp_path: Path) -> None:
    job = make_job(
        tmp_path / "runs",
        [make_source(n) for n in range(1, 41)],
        [make_outcome(n) for n in range(1, 41)],
        [decide(n, "accept") for n in range(1, 11)],
    )
    written = write_rows(job, tmp_path / "rows.jsonl", accept_all=True)
    assert written.unreviewed == 30
    assert "The rows that were reviewed (10) were not drawn at random" in read_card(
        tmp_path / "rows.jsonl"
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"license": "mine"}, "license 'mine' is not known"),
        ({"license": "other", "license_link": "README.md"}, "license_name None"),
        ({"license": "other", "license_name": "x", "license_link": "gone.md"}, "'gone.md' is"),
        ({"pretty_name": "a\nb"}, "is no name"),
        ({"size_categories": ["few"]}, "not known to the Hub"),
        ({"task_categories": []}, "is not one of"),
        ({"annotations_creators": ["nobody"]}, "is not one of"),
        ({"tags": ["A Tag"]}, "tags holds"),
        ({"language": ["English"]}, "language holds"),
        ({"configs": [{"config_name": "default", "data_files": "*"}]}, "file of rows"),
        ({"model-index": []}, "not a key"),
    ],
)
def test_what_the_hub_would_refuse(change: Mapping[str, Any], problem: str) -> None:
    assert list_data_problems(HEAD, ROWS) == ()
    (found,) = list_data_problems({**HEAD, **change}, ROWS)
    assert problem in found


def test_a_hostile_name_has_no_meaning_in_the_card(tmp_path: Path) -> None:
    name = '"]: <script>|# x'
    made = make_outcome(1)
    job = make_job(tmp_path / "runs", [make_source(1)], [made], name=name)
    write_rows(job, tmp_path / f"{name.replace('/', '')}.jsonl", accept_all=True)
    (card,) = tmp_path.glob("*.md")
    text = card.read_text()
    assert "<script>" not in text.partition("\n---\n")[2]
    files = write_rows(job, tmp_path / "a\nb.jsonl", accept_all=True).files
    assert files.card.read_text().count("a\nb") == 0
