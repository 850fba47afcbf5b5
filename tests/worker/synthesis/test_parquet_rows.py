"""Rows as Parquet, and the card as the Hub's own libraries read it."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.synthesis.row_files import write_rows
from engine.worker.companion.handlers import Handlers
from engine.worker.data.arrow import read_raw
from engine.worker.data.split import sample_rows, split
from engine.worker.synthesis.parquet_rows import encode_parquet
from tests.synthesis.made_job import make_job, make_outcome, make_source


def read_back(path: Path, content: bytes) -> list[Any]:
    path.write_bytes(content)
    return [row.value for row in read_raw(path, Data())]


def test_values_of_all_types_come_back(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "a\nb ⏎ 漢", "label": "x", "count": 3, "score": 1, "ok": True, "more": ["p", "q"]},
        {"text": "", "label": "y", "count": None, "score": 0.5, "ok": False, "more": [], "late": 1},
    ]
    names = ("text", "label", "count", "score", "ok", "more", "late")
    expected = [{name: row.get(name) for name in names} for row in rows]
    assert read_back(tmp_path / "a.parquet", encode_parquet(rows)) == expected
    assert encode_parquet(rows) == encode_parquet(rows)
    nothing = [{"text": "a", "note": None}]
    assert read_back(tmp_path / "b.parquet", encode_parquet(nothing)) == nothing


@pytest.mark.parametrize("value", ["\ud800", ["a"], 2**70])
def test_what_it_cannot_hold_is_named(value: Any) -> None:
    rows = [{"text": "a"}, {"text": "b"}, {"text": value}]
    with pytest.raises(EngineError, match="'text'") as refused:
        encode_parquet(rows)
    assert refused.value.detail.startswith("row 3")


def test_the_companion_writes_what_the_command_would(tmp_path: Path) -> None:
    """The same rows, split by their sources without being asked."""
    job = make_job(
        tmp_path / "runs",
        [make_source(n, group=f"g{n // 3}") for n in range(30)],
        [make_outcome(n, opinion="disagree" if n % 2 else "agree") for n in range(30)],
    )
    out = tmp_path / "rows.parquet"
    request = {"job": str(job.path), "out": str(out), "accept_all": True}
    *_, done = Handlers().by_type["write_rows"](request, lambda: False)
    assert done is not None
    assert (done["written"]["rows"], done["written"]["unreviewed"]) == (30, 30)
    lines = write_rows(job, tmp_path / "lines.jsonl", accept_all=True).files.rows
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row.value for row in read_raw(out, Data())] == rows
    for path in (out, lines):
        data = Data(eval_fraction=0.2)
        sides = split(sample_rows(path, data, 7).rows, data, 7)
        train, held_out = ({row[0].group for row in side} for side in sides)
        assert (len(train), len(held_out)) == (8, 2)
        assert not train & held_out


def test_the_card_is_read_by_the_hubs_own_libraries(tmp_path: Path) -> None:
    job = make_job(
        tmp_path / "runs", [make_source(1)], [make_outcome(1)], gates={"language": "en"},
        source={"data": "bundled:emotion", "license": 'own="a: b" # c'},
    )  # fmt: skip
    files = write_rows(job, tmp_path / 'the "rows": #1.jsonl', accept_all=True).files
    card: Any = DatasetCard(files.card.read_text())
    head = card.data.to_dict()
    assert head == {
        "license": "other",
        "license_name": "terms-in-the-card",
        "license_link": "README.md",
        "language": ["en"],
        "pretty_name": 'the "rows": #1',
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "annotations_creators": ["machine-generated"],
        "tags": ["finetop", "synthetic"],
        "configs": [{"config_name": "default", "data_files": 'the "rows": #1.jsonl'}],
    }
    configs = MetadataConfigs.from_dataset_card_data(card.data)
    assert configs == {"default": {"data_files": 'the "rows": #1.jsonl'}}
    assert card.text.strip().startswith("# the ")


def test_the_hub_shows_the_rows_and_nothing_beside_them(tmp_path: Path) -> None:
    """As `load_dataset` reads a repository with the card as its README.md."""
    job = make_job(
        tmp_path / "runs", [make_source(n) for n in range(3)], [make_outcome(n) for n in range(3)]
    )
    folder = tmp_path / "repository"
    folder.mkdir()
    files = write_rows(job, folder / "rows [a].jsonl", accept_all=True).files
    files.card.rename(folder / "README.md")
    rows = [json.loads(line) for line in files.rows.read_text().splitlines()]
    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"), split="train")
    assert loaded.to_list() == rows
