"""The gates' word on an edited row, as the companion gives it; no model, no process."""

import datetime
import decimal
import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.synthesis.outcomes import Outcome, append_outcomes
from engine.synthesis.reviews import Review, append_review
from engine.worker.companion.model_pool import ModelPool
from engine.worker.companion.row_handler import RowHandler
from tests.tui.synthesis.made_job import RECIPE, TEXTS, make_source, write_made_job


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return write_made_job(tmp_path)


def ask(handler: RowHandler, job: JobDirectory, at: int, claim: str, text: str = "") -> list[str]:
    row = {"text": text or TEXTS[at], "claim": claim, "view": "agree"}
    request = {"job": str(job.path), "source": make_source(at).id, "row": row}
    *_, done = handler.check_row(request, lambda: False)
    assert done is not None
    return [one["name"] for one in done["reasons"]]


def test_an_edited_row_passes_the_gates_of_its_job(job: JobDirectory) -> None:
    handler = RowHandler(ModelPool())
    assert ask(handler, job, 0, "Somebody likes how quickly water boils here.") == []
    assert "copy" in ask(handler, job, 1, TEXTS[1])
    assert "refusal" in ask(handler, job, 0, "I'm sorry, but I can't help with that.")


def test_it_is_compared_with_rows_as_they_stand_now(job: JobDirectory) -> None:
    handler = RowHandler(ModelPool())
    claim = "Nobody in this house has ever used anything half as good, says the writer."
    assert ask(handler, job, 0, claim) == []
    row = {"text": TEXTS[0], "claim": claim, "view": "agree"}
    append_review(job.reviews, Review(make_source(4).id, 0, "edit", row, when=1.0))
    assert ask(handler, job, 0, claim) == ["near duplicate"]
    assert ask(handler, job, 4, claim, TEXTS[0]) == [], "a row is no duplicate of what it was"
    append_review(job.reviews, Review(make_source(4).id, 0, "reject", when=2.0))
    assert ask(handler, job, 0, claim) == []
    append_outcomes(job.outcomes, [Outcome(make_source(5).id, "passed", row, round=1)])
    assert ask(handler, job, 0, claim) == ["near duplicate"]


def test_the_first_rows_of_parquet_are_plain_values(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    day = datetime.datetime(2020, 1, 2)
    table = pyarrow.table({
        "text": ["one", "two", "three"], "day": [day] * 3, "raw": [b"\x00\xff"] * 3,
        "price": [decimal.Decimal("1.50")] * 3, "none": [float("nan"), None, float("inf")],
        "nested": [{"a": [1, None], "when": day}] * 3,
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "rows.parquet")
    request = {"data": str(tmp_path / "rows.parquet"), "count": 2}
    (done,) = RowHandler(ModelPool()).first_rows(request, lambda: False)
    json.dumps(done, allow_nan=False)
    assert [row["line"] for row in done["rows"]] == [1, 2]
    assert done["rows"][0]["value"] == {
        "text": "one", "day": "2020-01-02 00:00:00", "raw": "2 bytes", "price": "1.50",
        "none": None, "nested": {"a": [1, None], "when": "2020-01-02 00:00:00"},
    }  # fmt: skip


def test_what_is_no_row_of_the_job_is_refused(job: JobDirectory) -> None:
    handler = RowHandler(ModelPool())
    for request in (
        {"job": str(job.path), "source": "gone:1", "row": {}},
        {"job": str(job.path), "source": make_source(0).id, "row": []},
    ):
        with pytest.raises(EngineError):
            list(handler.check_row(request, lambda: False))
    assert RECIPE.gates.near_duplicates
