"""The job with a local model whose answers are held to a grammar, and with one that is free."""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes import recipe as recipes
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.row_files import write_rows
from tests.worker.synthesis.making import lines, make_job, run_here, write_reviews
from tests.worker.tiny import save_checkpoint

pytest.importorskip("llguidance")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a context that takes the questions, of which nearly every letter is a token."""
    made = save_checkpoint(tmp_path_factory.mktemp("base") / "base")
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 2048}))
    return made


def job_at(folder: Path, base: Path, mode: str, grammar: str) -> JobDirectory:
    folder.mkdir(exist_ok=True)
    table: dict[str, Any] = {
        "kind": "synthesize", "mode": mode,
        "source": {"data": str(write_reviews(folder, 4))},
        "asking": {"generator": f"tiny={base}?prompt=raw", "grammar": grammar, "tries": 1},
        "fields": {
            "text": {"take": "{review}"},
            "sure": {"ask": "sure?", "type": "boolean"},
            "verdict": {"ask": "which?", "type": "label", "choices": ["good", "bad"]},
        },
        "gates": {"near_duplicates": 0},
        "decode": {"max_new_tokens": 64},
    }  # fmt: skip
    return make_job(folder / "runs", recipes.parse(table))


@pytest.mark.parametrize("mode", ["json", "fields"])
def test_every_row_of_a_random_model_passes_where_it_is_held(
    mode: str, base: Path, tmp_path: Path
) -> None:
    """And not one where it is free: nothing in it knows what JSON, yes or no are."""
    job = job_at(tmp_path / "held", base, mode, "on")
    state, message = run_here(job)
    assert state is State.DONE
    outcomes = read_outcomes(job.outcomes).values()
    assert [one.state for one in outcomes] == ["passed"] * 4
    assert all(type(one.row["sure"]) is bool for one in outcomes)
    name = f"llguidance {importlib.metadata.version('llguidance')}"
    assert f"held to their form by {name}" in message
    held = {answer.field: answer.grammar for one in outcomes for answer in one.answers}
    assert held == ({"": name} if mode == "json" else {"sure": name, "verdict": ""})
    assert name in job.attempt(1).log.read_text(), "what it cost stands in the log"
    free = job_at(tmp_path / "free", base, mode, "off")
    run_here(free)
    assert {one.state for one in read_outcomes(free.outcomes).values()} == {"set aside"}
    assert not any("grammar" in one for one in lines(free.samples))


def test_the_provenance_of_a_row_names_what_held_its_answer(base: Path, tmp_path: Path) -> None:
    job = job_at(tmp_path, base, "json", "auto")
    run_here(job)
    write_rows(job, tmp_path / "rows.jsonl", accept_all=True)
    (answer,) = lines(tmp_path / "rows.provenance.jsonl")[0]["answers"]
    assert answer["grammar"].startswith("llguidance ")


def test_where_it_cannot_be_had_auto_goes_on_and_on_is_refused(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance.hf", None)
    auto = job_at(tmp_path / "auto", base, "json", "auto")
    assert "answers are not held to their form: llguidance is not" in run_here(auto)[1]
    off = job_at(tmp_path / "off", base, "json", "off")
    run_here(off)
    texts = [[one["text"] for one in lines(job.samples)] for job in (auto, off)]
    assert texts[0] == texts[1], "without it nothing changes"
    with pytest.raises(EngineError, match="held to a grammar"):
        run_here(job_at(tmp_path / "on", base, "json", "on"))
