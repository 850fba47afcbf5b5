"""Sources and answers that are cut, by a context, a limit or a lost line: said, and counted."""

import itertools
import json
from pathlib import Path

import pytest

from engine.synthesis.outcomes import read_outcomes
from engine.worker.synthesis.answer_log import AnswerLog
from tests.worker.inference.endpoints import Server, stream
from tests.worker.synthesis.making import (
    Body,
    answer_rightly,
    job_at,
    make_job,
    make_recipe,
    run_here,
)


def test_a_source_that_the_server_finds_too_long_is_cut_which_is_said(
    tmp_path: Path, server: Server
) -> None:
    text = " ".join(["review number 1 has", *(f"word{number}" for number in range(400))])
    data = tmp_path / "reviews.jsonl"
    data.write_text(f'{{"review": "{text}"}}\n')
    server.refuses = "word399"
    server.refusal = b'{"error": {"message": "the request exceeds the available context size"}}'
    job = make_job(tmp_path / "runs", make_recipe(data, server.address))
    run_here(job)
    (outcome,) = read_outcomes(job.outcomes).values()
    assert outcome.state == "passed"
    assert outcome.cut == len(text) - len(text) // 2
    assert "word399" not in server.asked[-1][2]["messages"][-1]["content"]
    assert outcome.row["text"] == text, "what is taken is the whole text"
    assert len(outcome.answers) == 2, "being too long is no try"
    job.outcomes.unlink()
    asked = len(server.asked)
    run_here(job)
    assert len(server.asked) == asked, "answers to the cut source are known again"
    assert read_outcomes(job.outcomes)["reviews.jsonl:1"].cut == outcome.cut


def test_a_source_is_cut_to_what_the_server_says_that_it_takes(
    tmp_path: Path, server: Server
) -> None:
    """Not to half: of 400 words some 300 fit, and a resumed job finds the same cut again."""
    text = " ".join(["review number 1 has", *(f"word{number:04}" for number in range(400))])
    data = tmp_path / "reviews.jsonl"
    data.write_text(json.dumps({"review": text}) + "\n")
    server.refuses = "word0300"

    def answer(body: Body) -> bytes:
        asked = len(json.dumps(body["messages"])) // 9
        if server.refuses in json.dumps(body):
            told = {"n_prompt_tokens": asked, "n_ctx": 300 + 256, "message": "context size"}
            server.refusal = json.dumps({"error": told}).encode()
        return answer_rightly(body)

    server.answer = answer
    job = make_job(
        tmp_path / "runs", make_recipe(data, server.address, {"decode.max_new_tokens": 256})
    )
    run_here(job)
    (outcome,) = read_outcomes(job.outcomes).values()
    assert outcome.state == "passed"
    assert 0.2 * len(text) < outcome.cut < 0.4 * len(text)
    refused = [body for _, _, body in server.asked if server.refuses in json.dumps(body)]
    assert len(refused) <= 2
    job.outcomes.unlink()
    asked = len(server.asked)
    run_here(job)
    assert len(server.asked) == asked, "answers to the cut source are known again"
    assert read_outcomes(job.outcomes)["reviews.jsonl:1"].cut == outcome.cut


def test_tokens_of_answers_that_broke_off_are_counted(
    tmp_path: Path, server: Server, quick: None
) -> None:
    """They cost what those of whole answers do; by the server's count, else estimated."""
    tries = itertools.count()

    def answer(body: Body) -> bytes:
        if next(tries) < 2:
            return stream("half of a sentence " * 4, finish=None, end=b"")
        return answer_rightly(body)

    server.answer = answer
    job = job_at(tmp_path, server, 1, asking__in_flight="1")
    run_here(job)
    (outcome,) = read_outcomes(job.outcomes).values()
    assert outcome.state == "passed"
    whole = AnswerLog(job.samples).spent
    assert whole.is_estimated
    assert (whole.read, whole.written) == (outcome.input_tokens, outcome.output_tokens)
    broken = -(-len("half of a sentence " * 4) // 4)
    answers = [row["text"] for row in map(json.loads, job.samples.read_text().splitlines())]
    assert outcome.output_tokens == 2 * broken + sum(-(-len(text) // 4) for text in answers)
    assert outcome.input_tokens > 2 * len(answers)


@pytest.mark.parametrize("finish", ["length", "content_filter", "abort"])
def test_an_answer_that_was_cut_is_no_answer_whatever_cut_it(
    tmp_path: Path, server: Server, finish: str
) -> None:
    server.answer = lambda body: stream("good", finish=finish)
    job = job_at(tmp_path, server, 1)
    run_here(job)
    (outcome,) = read_outcomes(job.outcomes).values()
    assert outcome.state == "set aside"
    assert outcome.reasons[0].name == "cut"
