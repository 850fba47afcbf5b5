"""Rows, provenance and card as files: whole, the same whoever writes them, nothing private."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.data import dataset_list
from engine.data.source_groups import name_group
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.release import leak_search
from engine.synthesis import row_files
from engine.synthesis.outcomes import Reason, append_outcomes
from engine.synthesis.reviews import append_review
from engine.synthesis.row_files import check_files, name_files, write_rows
from engine.synthesis.vote_pairs import decide_pair, make_vote_sources, read_voted_pairs
from tests.judge.judged import answered_job
from tests.synthesis.made_job import decide, make_job, make_outcome, make_source
from tests.synthesis.test_vote_pairs import cast

EDIT = {"prompt": "p", "completion": "by hand", "opinion": "disagree"}


def make_reviewed(root: Path, **changes: object) -> JobDirectory:
    outcomes = [
        make_outcome(1, repairs=["trailing comma"], faults=["cut"]),
        make_outcome(2, "held back", reasons=["copy"]),
        make_outcome(3, "held back", reasons=["length"]),
        make_outcome(4, "set aside", reasons=["not JSON"], faults=["not JSON"] * 3),
        make_outcome(5, opinion="disagree"),
        make_outcome(6),
    ]
    reviews = [
        decide(1, "accept", note="fine"),
        decide(2, "accept"),
        decide(5, "edit", row=EDIT),
        decide(6, "reject"),
    ]
    return make_job(root, [make_source(n) for n in range(1, 8)], outcomes, reviews, **changes)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_and_where_each_comes_from(tmp_path: Path) -> None:
    job = make_reviewed(tmp_path / "runs")
    written = write_rows(job, tmp_path / "rows.jsonl")
    rows, origins = read_lines(tmp_path / "rows.jsonl"), read_lines(written.files.provenance)
    assert [row["completion"] for row in rows] == [
        "the answer to review 1", "the answer to review 2", "by hand",
    ]  # fmt: skip
    assert [list(row) for row in rows] == [["prompt", "completion", "opinion", "group"]] * 3
    assert [row["group"] for row in rows] == [name_group(f"reviews.jsonl:{n}") for n in (1, 2, 5)]
    assert [one["group"] for one in origins] == [row["group"] for row in rows]
    assert [one["row"] for one in origins] == [1, 2, 3]
    first, overruled, edited = origins
    assert first["source"] == {"file": "reviews.jsonl", "row": 1}
    assert first["answers"] == [
        {
            "field": "completion",
            "model": "writer=bundled:demo-base",
            "prompt_sha256": f"{1:064x}",
            "seed": 2,
            "settings": {"max_new_tokens": 128, "temperature": 0.0, "top_p": 1.0, "top_k": 0,
                         "seed": 2},
        }
    ]  # fmt: skip
    assert first["faults"] == [{"field": "completion", "fault": "cut"}]
    assert first["repairs"] == [{"field": "completion", "kind": "trailing comma"}]
    assert "copy" in first["gates"]["passed"]
    assert first["gates"]["off"]["judge"]
    assert first["review"] == {"decision": "accepted", "note": "fine", "round": 0}
    assert overruled["gates"]["overruled"] == {"copy": "why"}
    assert "copy" not in overruled["gates"]["passed"]
    assert edited["review"]["decision"] == "edited"
    assert edited["gates"]["overruled"] == {}
    assert (written.rows, written.unreviewed) == (3, 0)


def test_all_that_passed_is_written_reviewed_by_nobody(tmp_path: Path) -> None:
    job = make_job(
        tmp_path / "runs", [make_source(n) for n in (1, 2)], [make_outcome(1), make_outcome(2)]
    )
    with pytest.raises(EngineError, match="No row is accepted yet") as empty:
        write_rows(job, tmp_path / "rows.jsonl")
    assert "--accept-all" in empty.value.hint
    assert not list(tmp_path.glob("rows*"))
    written = write_rows(job, tmp_path / "rows.jsonl", accept_all=True)
    assert (written.rows, written.unreviewed) == (2, 2)
    decisions = [one["review"] for one in read_lines(written.files.provenance)]
    assert decisions == [{"decision": "not reviewed"}] * 2
    assert "No row was reviewed by a person" in written.files.card.read_text()


def test_gates_that_could_not_judge_are_not_called_passed(tmp_path: Path) -> None:
    made = make_outcome(1)
    job = make_job(tmp_path / "runs", [make_source(1)])
    unjudged = (Reason("copy", "fewer than 8 words"),)
    append_outcomes(job.outcomes, [type(made)(made.source, "passed", made.row, unjudged=unjudged)])
    written = write_rows(job, tmp_path / "rows.jsonl", accept_all=True)
    (origin,) = read_lines(written.files.provenance)
    assert origin["gates"]["not_judged"] == {"copy": "fewer than 8 words"}
    assert "copy" not in origin["gates"]["passed"]
    (line,) = [one for one in written.files.card.read_text().splitlines() if "| copy |" in one]
    assert line.endswith("| 0 | 1 |")


def test_nothing_that_is_there_is_lost(tmp_path: Path) -> None:
    job = make_reviewed(tmp_path / "runs")
    out = tmp_path / "rows.jsonl"
    for name in ("rows.md", "rows.provenance.jsonl", "rows.jsonl"):
        (tmp_path / name).write_text("of the user")
        with pytest.raises(EngineError, match="already exists"):
            check_files(out)
        with pytest.raises(EngineError, match="already exists"):
            write_rows(job, out)
        assert [path.name for path in tmp_path.glob("rows*")] == [name], "nor is another written"
        (tmp_path / name).unlink()
    write_rows(job, out)
    (tmp_path / "rows.md").write_text("of the user")
    write_rows(job, out, force=True)
    assert (tmp_path / "rows.md").read_text() != "of the user"
    with pytest.raises(EngineError, match="JSONL or Parquet"):
        name_files(tmp_path / "rows.csv")
    with pytest.raises(EngineError, match="written by a worker"):
        write_rows(job, tmp_path / "rows.parquet")


def test_a_killed_writer_is_gone_on_from_and_the_same_is_written(tmp_path: Path) -> None:
    """By the files that it leaves: rows come last, and what says the same is left."""
    job = make_reviewed(tmp_path / "runs")
    files = write_rows(job, tmp_path / "rows.jsonl").files
    contents = {path: path.read_bytes() for path in (files.rows, files.provenance, files.card)}
    files.rows.unlink()
    changed = files.card.stat().st_mtime_ns
    write_rows(job, tmp_path / "rows.jsonl")
    assert {path: path.read_bytes() for path in contents} == contents
    assert files.card.stat().st_mtime_ns == changed
    append_review(job.reviews, decide(1, "reject"))
    with pytest.raises(EngineError, match="already exists"):
        write_rows(job, tmp_path / "rows.jsonl")
    assert {path: path.read_bytes() for path in contents} == contents


def test_nothing_of_the_machine_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "thaddeus"
    needles = leak_search.find_needles()
    private = leak_search.Needle(str(home), "the home folder", "path")
    user = leak_search.Needle("thaddeus", "the user's name", "word")
    monkeypatch.setattr(row_files, "find_needles", lambda paths: (*needles, private, user))
    job = make_reviewed(
        tmp_path / "runs",
        source={"data": f"{home}/thaddeus-reviews.jsonl", "license": "mit"},
        asking={
            "generator": f"w={home}/models/secret",
            "instructions": f"Write as {home}/style.txt asks.",
            "terms": "as agreed with thaddeus",
        },
    )
    append_review(job.reviews, decide(1, "accept", note=f"see {home}/notes.txt, thaddeus"))
    files = write_rows(job, tmp_path / "out.jsonl").files
    for path in (files.provenance, files.card):
        assert b"(removed)" in path.read_bytes(), path
        assert b"thaddeus" not in path.read_bytes()
        assert str(home).encode() not in path.read_bytes()
    folder = tmp_path / "published"
    folder.mkdir()
    for path in (files.provenance, files.card):
        path.rename(folder / path.name)
    assert leak_search.search_leaks(folder, (*needles, private, user)) == []


def test_an_endpoint_and_a_judge_are_named_without_their_address(tmp_path: Path) -> None:
    address = "http://gpu-box.example:8000/v1"
    made = make_outcome(1)
    answers = tuple(
        type(one)(one.sample, f"big={address}?model=acme/big", "completion", "0" * 64, 1)
        for one in made.answers
    )
    job = make_job(
        tmp_path / "runs", [make_source(1)],
        asking={"generator": f"big={address}?model=acme/big", "terms": "Acme's terms of use"},
        gates={"judge": f"j={address}?model=acme/judge", "judge_question": "Is it good?"},
    )  # fmt: skip
    append_outcomes(job.outcomes, [type(made)(made.source, "passed", made.row, answers=answers)])
    files = write_rows(job, tmp_path / "rows.jsonl", accept_all=True).files
    for path in (files.provenance, files.card):
        assert "gpu-box" not in path.read_text()
    assert read_lines(files.provenance)[0]["answers"][0]["model"].startswith("big=endpoint?model=")
    card = files.card.read_text()
    assert "Terms of the generator acme/big (a hosted model" in card
    assert "Acme's terms of use" in card


def test_pairs_of_votes_name_the_arms_that_were_voted_on(tmp_path: Path) -> None:
    voted = answered_job(tmp_path, {"a": ("base on a", "tuned on a")})
    cast(voted, "ana", {"a": "right"})
    sources = make_vote_sources(voted, read_voted_pairs(voted))
    job = make_job(
        tmp_path / "runs", sources, list(map(decide_pair, sources)), mode="votes", fields={},
        pairs={"job": f"run:{voted.path.name}"}, asking={}, source={},
    )  # fmt: skip
    written = write_rows(job, tmp_path / "pairs.jsonl", accept_all=True)
    (origin,) = read_lines(written.files.provenance)
    assert origin["source"] == {"file": "samples.jsonl", "row": 1}
    assert origin["votes"] == {
        "job": voted.path.name, "prompt": "a", "chosen": "tuned", "rejected": "base",
        "counts": {"tuned": 1},
    }  # fmt: skip
    card = written.files.card.read_text()
    assert f"preference pairs of what people voted on: answers (run:{voted.path.name}) of" in card
    assert "The chosen answer is longer than the rejected one" in card


def test_a_folder_of_these_files_is_one_data_set(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    files = write_rows(make_reviewed(tmp_path / "runs"), tmp_path / "data" / "rows.jsonl").files
    assert dataset_list.resolve(str(tmp_path / "data")).path == files.rows
