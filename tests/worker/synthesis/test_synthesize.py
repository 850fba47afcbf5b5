"""The job that makes data: what it asks, keeps and says, however servers and its end treat it."""

import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.reviews import Review, append_review
from engine.worker.synthesis import endpoint_generator
from tests.worker.inference.endpoints import Server, stream
from tests.worker.synthesis.making import (
    Body,
    answer_rightly,
    job_at,
    lines,
    number_of,
    review,
    right_row,
    run_here,
)

COUNT = 12


def passed_rows(job: JobDirectory) -> dict[str, dict[str, str]]:
    return {
        name: outcome.row
        for name, outcome in read_outcomes(job.outcomes).items()
        if outcome.state == "passed"
    }


def all_right(count: int = COUNT) -> dict[str, dict[str, str]]:
    return {f"reviews.jsonl:{number}": right_row(number) for number in range(1, count + 1)}


def test_each_source_becomes_a_row_of_its_own_text_and_of_what_was_asked(
    tmp_path: Path, server: Server
) -> None:
    job = job_at(tmp_path, server)
    assert run_here(job) == (State.DONE, f"{COUNT} passed of {COUNT} sources; {ESTIMATE}")
    assert passed_rows(job) == all_right()
    (first, *_) = lines(job.sources)
    assert first["text"] == review(1)
    assert first["line"] == 1
    assert first["group"] == first["id"] == "reviews.jsonl:1"
    # A field that is taken is asked of nobody, and each other one once.
    assert len(server.asked) == 2 * COUNT
    assert len({body["seed"] for _, _, body in server.asked}) == 2 * COUNT


ESTIMATE = endpoint_generator.ESTIMATED


def test_a_later_question_shows_the_fields_before_it(tmp_path: Path, server: Server) -> None:
    run_here(job_at(tmp_path, server, 1))
    last = server.asked[-1][2]["messages"][-1]["content"]
    assert "as it is good?" in last


def test_tokens_are_those_that_the_server_counts(tmp_path: Path, server: Server) -> None:
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}}\n\n'
    server.answer = lambda body: answer_rightly(body).replace(
        b"data: [DONE]", usage + b"data: [DONE]"
    )
    job = job_at(tmp_path, server, 3, budget__input_price=2, budget__output_price=4)
    _, message = run_here(job)
    assert "estimated" not in message
    results = read_json(job.results)
    assert results is not None
    assert (results["input_tokens"], results["output_tokens"]) == (3 * 2 * 50, 3 * 2 * 7)
    progress = results["progress"]
    assert isinstance(progress, dict)
    assert progress["price"] == pytest.approx((300 * 2 + 42 * 4) / 1e6)


def test_a_bad_answer_is_asked_for_again_with_its_fault_and_another_seed(
    tmp_path: Path, server: Server
) -> None:
    asked: Counter[str] = Counter()

    def answer(body: Body) -> bytes:
        is_label = "one of these" in body["messages"][-1]["content"]
        asked["label"] += is_label
        return stream("maybe") if is_label and asked["label"] == 1 else answer_rightly(body)

    server.answer = answer
    job = job_at(tmp_path, server, 1)
    run_here(job)
    (outcome,) = read_outcomes(job.outcomes).values()
    assert outcome.state == "passed"
    assert [one.fault for one in outcome.answers] == ["not a choice", "", ""]
    first, second = (body for _, _, body in server.asked[:2])
    assert first["seed"] != second["seed"]
    assert "not exactly one of the choices" in second["messages"][-1]["content"]
    assert "maybe" not in second["messages"][-1]["content"]
    # The bad answer is kept as well.
    assert lines(job.samples)[0]["text"] == "maybe"


def test_a_source_whose_answers_are_all_bad_is_set_aside_with_the_reason(
    tmp_path: Path, server: Server
) -> None:
    def answer(body: Body) -> bytes:
        return stream("neither") if number_of(body) == 2 else answer_rightly(body)

    server.answer = answer
    job = job_at(tmp_path, server, 3, asking__tries=2)
    run_here(job)
    outcome = read_outcomes(job.outcomes)["reviews.jsonl:2"]
    assert outcome.state == "set aside"
    assert [(reason.name, reason.detail) for reason in outcome.reasons] == [
        ("not a choice", "neither")
    ]
    assert len(outcome.answers) == 2
    assert [row["source"] for row in lines(job.rejects)] == ["reviews.jsonl:2"]
    assert len(passed_rows(job)) == 2


def test_rows_of_the_source_that_cannot_be_read_are_rejects_with_file_line_and_reason(
    tmp_path: Path, server: Server
) -> None:
    job = job_at(tmp_path, server, 3)
    data = tmp_path / "reviews.jsonl"
    data.write_text(data.read_text() + '{"review": \n{"review": "", "stars": 1}\n')
    run_here(job)
    assert len(passed_rows(job)) == 3
    assert [(row["file"], row["line"]) for row in lines(job.rejects)] == [
        (str(data), 4), (str(data), 5),
    ]  # fmt: skip
    assert lines(job.rejects)[1]["reason"] == "review is empty"


def test_one_object_is_asked_for_with_its_schema_and_read(tmp_path: Path, server: Server) -> None:
    def answer(body: Body) -> bytes:
        row = right_row(number_of(body))
        return stream(f'{{"verdict": "{row["verdict"]}", "summary": "{row["summary"]}"}}')

    server.answer = answer
    job = job_at(tmp_path, server, 4, mode="json", fields__summary__ask="What does it say?")
    run_here(job)
    assert passed_rows(job) == all_right(4)
    form = server.asked[0][2]["response_format"]["json_schema"]["schema"]
    assert form["required"] == ["verdict", "summary"]
    assert list(passed_rows(job)["reviews.jsonl:1"]) == ["text", "verdict", "summary"]


def test_a_server_that_refuses_the_schema_is_asked_without_it_and_that_is_said(
    tmp_path: Path, server: Server
) -> None:
    server.refuses = "response_format"
    server.answer = lambda body: stream('{"verdict": "good", "summary": "it is"}')
    job = job_at(tmp_path, server, 6, mode="json", fields__summary__ask="What does it say?")
    _, message = run_here(job)
    assert len(passed_rows(job)) == 6
    assert endpoint_generator.WITHOUT_SCHEMA in message
    with_form = [body for _, _, body in server.asked if "response_format" in body]
    assert len(with_form) <= 4, "only those in flight when the first one was refused"
    assert all("stream_options" in body for _, _, body in server.asked), "it was not refused"


def test_a_schema_that_must_hold_ends_the_job_where_it_is_refused(
    tmp_path: Path, server: Server
) -> None:
    server.refuses = "response_format"
    job = job_at(
        tmp_path, server, 2,
        mode="json", fields__summary__ask="What does it say?", asking__grammar="on",
    )  # fmt: skip
    with pytest.raises(EngineError, match="refuses the schema"):
        run_here(job)


def test_a_server_that_fails_in_all_ways_costs_no_row(
    tmp_path: Path, server: Server, quick: None
) -> None:
    """429, 500, half a stream and silence, in 30% of the answers: each row is right, or set aside
    with the reason."""
    dice, guard = random.Random(5), threading.Lock()
    done = threading.Event()
    told: list[str] = []

    def answer(body: Body) -> bytes:
        whole = answer_rightly(body)
        with guard:
            kind = dice.choice(["half", "silent"]) if dice.random() < 0.15 else ""
            told.append(kind)
        if kind == "silent":
            done.wait(0.6)
            return b""
        return whole[: len(whole) // 2] if kind == "half" else whole

    def fail_sometimes() -> None:
        with guard:
            if dice.random() < 0.15:
                server.busy.append(dice.choice([429, 500, 503]))

    server.answer, server.before_answer = answer, fail_sometimes
    server.headers = {"Retry-After": "0.02"}
    count = 40
    job = job_at(tmp_path, server, count)
    try:
        state, _ = run_here(job)
    finally:
        done.set()
    outcomes = read_outcomes(job.outcomes)
    assert state is State.DONE
    assert len(lines(job.outcomes)) == len(outcomes) == count
    assert told.count("half") + told.count("silent") >= 5, "it did fail"
    for name, outcome in outcomes.items():
        if outcome.state == "passed":
            assert outcome.row == all_right(count)[name]
        else:
            assert outcome.state == "set aside"
            assert [reason.name for reason in outcome.reasons] == ["no answer"]
            assert "endpoint" in outcome.reasons[0].detail
    assert sum(outcome.state == "passed" for outcome in outcomes.values()) >= 0.9 * count


def test_while_a_server_wants_to_be_left_alone_nothing_in_flight_asks_it(
    tmp_path: Path, server: Server
) -> None:
    """One answer of 429 with a time holds back the others too."""
    times: list[float] = []
    guard = threading.Lock()

    def before() -> None:
        with guard:
            times.append(time.monotonic())
            if len(times) == 6:
                server.busy.append(429)

    server.before_answer = before
    server.headers = {"Retry-After": "0.5"}
    run_here(job_at(tmp_path, server, 10))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    # The three others in flight may have been sent before it was said.
    assert max(gaps) >= 0.4
    after = gaps.index(max(gaps))
    assert after <= 5 + 3


def test_a_server_that_is_gone_ends_the_job_which_then_continues(
    tmp_path: Path, server: Server, quick: None
) -> None:
    job = job_at(tmp_path, server, 8)

    def gone(recipe: SynthesizeRecipe) -> SynthesizeRecipe:
        asking = replace(recipe.asking, generator="writer=http://127.0.0.1:9/v1?model=m")
        return replace(recipe, asking=asking)

    with pytest.raises(EngineError, match="cannot be reached"):
        run_here(job, changed=gone)
    assert lines(job.outcomes) == []
    assert run_here(job)[0] is State.DONE
    assert passed_rows(job) == all_right(8)


def test_sources_without_an_answer_are_asked_about_again_once_it_is_resumed(
    tmp_path: Path, server: Server, quick: None
) -> None:
    bad = {3}

    def answer(body: Body) -> bytes:
        whole = answer_rightly(body)
        is_label = "one of these" in body["messages"][-1]["content"]
        return whole[:60] if number_of(body) in bad and not is_label else whole

    server.answer = answer
    job = job_at(tmp_path, server, 4)
    run_here(job)
    assert read_outcomes(job.outcomes)["reviews.jsonl:3"].reasons[0].name == "no answer"
    bad.clear()
    before = len(server.asked)
    assert run_here(job)[0] is State.DONE
    assert passed_rows(job) == all_right(4)
    assert len(server.asked) == before + 1, "its good answer is used again"
    results = read_json(job.results)
    assert results is not None
    spent = sum(line["usage"]["read"] for line in lines(job.samples))
    assert results["input_tokens"] == spent, "no answer is counted twice"


@pytest.mark.parametrize("stop_at", [1, 5, 8])
def test_a_stopped_job_continues_where_it_was(tmp_path: Path, server: Server, stop_at: int) -> None:
    job = job_at(tmp_path, server)
    assert run_here(job, stop_at)[0] is State.STOPPED
    assert stop_at <= len(lines(job.outcomes)) < COUNT
    kept = {line["prompt_id"] for line in lines(job.samples)}
    asked = len(server.asked)
    assert run_here(job)[0] is State.DONE
    assert passed_rows(job) == all_right()
    assert len(lines(job.outcomes)) == COUNT
    ids = [line["prompt_id"] for line in lines(job.samples)]
    assert len(ids) == len(set(ids)) == 2 * COUNT
    assert len(server.asked) - asked == 2 * COUNT - len(kept), "what is on disk is not asked again"


def test_what_the_source_became_since_is_of_no_matter(tmp_path: Path, server: Server) -> None:
    job = job_at(tmp_path, server)
    run_here(job, 3)
    (tmp_path / "reviews.jsonl").write_text('{"review": "review number 99 is another"}\n')
    run_here(job)
    assert passed_rows(job) == all_right()


def test_tries_that_were_used_before_a_kill_count(tmp_path: Path, server: Server) -> None:
    """Bad answers on disk without an outcome: the tries that are left are asked, and no more."""
    server.answer = lambda body: stream("neither")
    job = job_at(tmp_path, server, 1, asking__tries=3)
    run_here(job)
    assert len(server.asked) == 3
    kept = job.samples.read_bytes().splitlines(keepends=True)
    job.samples.write_bytes(b"".join(kept[:2]) + kept[2][:40])  # killed while it wrote the third
    job.outcomes.unlink()
    run_here(job)
    assert len(server.asked) == 4
    (outcome,) = read_outcomes(job.outcomes).values()
    assert len(outcome.answers) == 3


def test_it_pauses_after_the_first_bad_rows_and_continues_when_it_is_told_to(
    tmp_path: Path, server: Server
) -> None:
    server.answer = lambda body: stream("neither")
    job = job_at(tmp_path, server, 30, asking__tries=1, asking__in_flight=1, gates__pause_after=7)
    state, message = run_here(job)
    assert state is State.STOPPED
    assert "none of the first 7 rows" in message
    assert "7 not a choice" in message
    assert len(lines(job.outcomes)) == 7
    server.answer = answer_rightly
    assert run_here(job)[0] is State.DONE
    assert len(passed_rows(job)) == 23


def test_one_good_row_among_the_first_and_it_never_pauses(tmp_path: Path, server: Server) -> None:
    server.answer = lambda body: answer_rightly(body) if number_of(body) == 1 else stream("neither")
    job = job_at(tmp_path, server, 12, asking__tries=1, asking__in_flight=1, gates__pause_after=7)
    assert run_here(job)[0] is State.DONE
    assert len(lines(job.outcomes)) == 12


def test_a_budget_of_rows_is_kept_to_the_row_and_a_larger_one_continues(
    tmp_path: Path, server: Server
) -> None:
    job = job_at(tmp_path, server, COUNT, budget__rows=5, asking__in_flight=4)
    state, message = run_here(job)
    assert state is State.DONE
    assert len(passed_rows(job)) == 5
    assert "budget of rows reached: 7 left" in message

    def larger(recipe: SynthesizeRecipe) -> SynthesizeRecipe:
        return replace(recipe, budget=replace(recipe.budget, rows=9))

    run_here(job, changed=larger)
    assert len(passed_rows(job)) == 9
    assert read_json(job.results)["reached"] == "rows"  # type: ignore[index]


@pytest.mark.parametrize(
    ("budget", "name"),
    [("tokens", "tokens"), ("price", "price")],
)
def test_budgets_of_tokens_and_price_end_the_job_as_done(
    tmp_path: Path, server: Server, budget: str, name: str
) -> None:
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 10}}\n\n'
    server.answer = lambda body: answer_rightly(body).replace(
        b"data: [DONE]", usage + b"data: [DONE]"
    )
    limit = {"tokens": 1000, "price": 0.001}[budget]
    job = job_at(
        tmp_path, server, 40,
        **{f"budget__{budget}": limit, "budget__input_price": 1, "budget__output_price": 1},
    )  # fmt: skip
    state, message = run_here(job)
    assert state is State.DONE
    assert f"budget of {name} reached" in message
    spent = sum(line["usage"]["read"] + line["usage"]["written"] for line in lines(job.samples))
    assert 1000 <= spent <= 1000 + 4 * 100, "no more than what was in flight beyond it"


def test_a_row_that_a_reviewer_wants_again_is_asked_anew(tmp_path: Path, server: Server) -> None:
    job = job_at(tmp_path, server, 3)
    run_here(job)
    asked = len(server.asked)
    append_review(job.reviews, Review("reviews.jsonl:2", 0, "ask again"))
    run_here(job)
    assert len(server.asked) == asked + 2
    outcome = read_outcomes(job.outcomes)["reviews.jsonl:2"]
    assert outcome.round == 1
    assert [one.sample.rpartition("#")[2] for one in outcome.answers] == ["2", "2"]
    run_here(job)
    assert len(server.asked) == asked + 2, "once"


def test_gates_hold_rows_back_and_know_the_rows_of_an_earlier_attempt(
    tmp_path: Path, server: Server
) -> None:
    def answer(body: Body) -> bytes:
        is_label = "one of these" in body["messages"][-1]["content"]
        same = "the very same summary, whatever the review says, as a lazy model would write it"
        return answer_rightly(body) if is_label else stream(same)

    server.answer = answer
    job = job_at(
        tmp_path,
        server,
        6,
        fields__text__take="x",
        gates__near_duplicates=0.8,
        gates__pause_after=0,
    )
    run_here(job, 3)
    run_here(job)
    states = Counter(outcome.state for outcome in read_outcomes(job.outcomes).values())
    assert states == {"passed": 1, "held back": 5}
    reasons = {one.name for each in read_outcomes(job.outcomes).values() for one in each.reasons}
    assert reasons == {"near duplicate"}


def test_an_arm_is_asked_about_each_row_once(tmp_path: Path, server: Server) -> None:
    def answer(body: Body) -> bytes:
        if body["model"] == "judge":
            return stream("no" if number_of(body) == 2 else "yes")
        return answer_rightly(body)

    server.answer = answer
    job = job_at(
        tmp_path, server, 3,
        gates__judge=f"{server.address}?model=judge".join(["j=", ""]),
        gates__judge_question="Is it so?",
    )  # fmt: skip
    run_here(job)
    held = read_outcomes(job.outcomes)["reviews.jsonl:2"]
    assert (held.state, held.reasons[0].name) == ("held back", "judge")
    assert len(passed_rows(job)) == 2
    judged = [body for _, _, body in server.asked if body["model"] == "judge"]
    assert len(judged) == 3
    job.outcomes.unlink()
    run_here(job)
    assert len([body for _, _, body in server.asked if body["model"] == "judge"]) == 3
