"""An address as an arm of an evaluation: what its answers tell, and what is not measured of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM

from engine.compare import samples
from engine.errors import EngineError
from engine.impact.changes.gate import Limit, judge_limits
from engine.impact.changes.gate_export import encode_report, write_junit
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.changes.table_json import table_to_json
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.impact.suites.endpoint_arms import NO_LIKELIHOODS, NO_TOKEN_IDS
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.resume_rules import check_extension
from engine.jobs.status import State
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode
from engine.report.collect import collect_inputs
from engine.report.render import render_pages
from engine.worker import evaluate
from engine.worker.attempt import Stopped
from tests.worker.here import begin_here
from tests.worker.inference.endpoints import Server, serving, stream
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint
from tui.commands.gate_lines import list_report_lines
from tui.commands.left_out import read_left_out
from tui.commands.skill_lines import list_lines
from tui.glyphs import ASCII
from tui.impact.cell_lines import cell_lines

SUMS = 24
TEXT = "The capital of France is Paris. i miss my dog "
ARMS = ("run", "merged", "address")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A base with an adapter, as an arm has them, and the same merged."""
    folder = tmp_path_factory.mktemp("models")
    base = save_checkpoint(folder / "base")
    adapter = save_adapter(folder / "adapter", base)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(folder / "merged")
    make_tokenizer().save_pretrained(folder / "merged")
    return f"run={base}+{adapter}", f"merged={folder / 'merged'}"


@pytest.fixture(scope="module")
def suites(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("suites")
    sums = [
        {"id": f"sum-{at}", "score": "number", "answer": 2 * at, "messages": ask(f"{at} + {at}")}
        for at in range(1, SUMS + 1)
    ]
    labels = [
        {"id": f"label-{at}", "score": "choices", "choices": ["yes", "no"], "gold": ["no"],
         "messages": ask(f"Is {at} right?")}
        for at in range(4)
    ]  # fmt: skip
    told = [{"id": f"open-{at}", "messages": ask(f"Tell {at}")} for at in range(2)]
    texts = [{"id": f"text-{at}", "score": "perplexity", "text": TEXT * at} for at in (1, 2, 3)]
    files: dict[str, list[Any]] = {"sums": sums, "labels": labels, "told": told, "prose": texts}
    for name, items in files.items():
        lines = [json.dumps({"skill": name} | item) + "\n" for item in items]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return [str(folder / f"{name}.jsonl") for name in files]


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.reply = stream("4")
        yield made


def make_job(root: Path, arms: list[str], suites: list[str], **changes: Any) -> JobDirectory:
    decode = Decode(max_new_tokens=4)
    recipe = EvaluateRecipe(device="cpu", arms=arms, suites=suites, decode=decode, **changes)
    return directory.create(root, recipe)


def attempt_at(job: JobDirectory, stop_at: int = 0) -> str:
    """The job's last words. Raises Stopped or EngineError."""
    attempt = begin_here(job, stop_at)
    try:
        told = evaluate.run(attempt)
    except (Stopped, EngineError):
        attempt.finish(State.STOPPED)
        raise
    attempt.finish(State.DONE, message=told)
    return told


def answer_as(job: JobDirectory, arm: str) -> Callable[[Any], bytes]:
    """A server of the arm's model: it gives the answers that the arm has given by then."""

    def answer(asked: Any) -> bytes:
        question = asked["messages"][-1]["content"]
        given = [one for one in samples.read(job.samples) if one.arm.startswith(f"{arm}=")]
        (same,) = (one for one in given if one.messages[-1].content == question)
        return stream(same.text, finish=same.finish)

    return answer


Measured = tuple[EvaluationResults, JobDirectory, Server]


@pytest.fixture(scope="module")
def measured(
    models: tuple[str, str], suites: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Measured]:
    with serving() as server:
        root = tmp_path_factory.mktemp("runs")
        arm = f"address={server.address}?model=m"
        job = make_job(root, [*models, arm], suites)
        server.answer = answer_as(job, "run")
        attempt_at(job)
        yield read_results(json.loads(job.results.read_text())), job, server


def table_of(measured: Measured) -> SkillTable:
    return build_table(measured[0])


def test_answers_of_a_server_are_scored_as_those_of_the_model_behind_it(measured: Measured) -> None:
    results, job, server = measured
    run, _, address = results.arms.values()
    for suite in ("sums", "labels", "told"):
        lacking = address.suites[suite].not_measured
        assert address.suites[suite].measures == {
            name: values
            for name, values in run.suites[suite].measures.items()
            if name not in lacking
        }
        assert not run.suites[suite].not_measured
    (body,) = (asked for _, _, asked in server.asked if asked["messages"] == ask("3 + 3"))
    assert (body["temperature"], body["max_tokens"]) == (0.0, 4)
    assert len(server.asked) == SUMS + 4 + 2, "texts that are read are no questions"
    assert len(samples.read(job.samples)) == 3 * len(server.asked)


def test_what_needs_the_weights_is_not_measured_and_said_so_in_the_results(
    measured: Measured,
) -> None:
    address = measured[0].arms["address"]
    lacking = {name: one.not_measured for name, one in address.suites.items()}
    likelihoods = ("likelihood", "likelihood_norm", "gold_nll")
    assert lacking == {
        "sums": {"gold_nll": NO_LIKELIHOODS},
        "labels": dict.fromkeys(likelihoods, NO_LIKELIHOODS),
        "told": {"tokens": NO_TOKEN_IDS, "repeated 4-grams": NO_TOKEN_IDS},
        "prose": {"nll": NO_LIKELIHOODS},
    }
    assert not address.suites["prose"].measures
    assert all(not lacking[name].keys() & one.measures.keys()
               for name, one in address.suites.items())  # fmt: skip
    kept = address.suites["prose"].to_json()
    assert kept["asked"] == {}, "nobody was asked"
    assert kept["not_measured"] == {"nll": NO_LIKELIHOODS}


def test_the_table_pairs_what_both_arms_have_and_judges_nothing_else(measured: Measured) -> None:
    table = table_of(measured)
    assert table.arms == ARMS
    assert table.row("sums").changes.keys() == {"merged", "address"}
    assert table.row("sums").changes["address"].difference == 0
    for name in ("labels", "prose"):
        row = table.row(name)
        assert row.results.keys() == row.changes.keys() | {"run"} == {"run", "merged"}
        assert row.not_measured == {"address": NO_LIKELIHOODS}
        assert f"Not measured: address ({NO_LIKELIHOODS})." in row.notes
    assert table.row("labels", "strict").changes.keys() == {"merged", "address"}
    (treated,) = (note for note in table.notes if "a server answered" in note)
    assert treated.startswith("address: a server answered, by its own chat template and decoding "
                              "(temperature 0, seed ")  # fmt: skip
    assert not any("asked alike" in note for row in table.skills for note in row.notes)


def test_lines_json_cell_and_report_name_the_reason(measured: Measured) -> None:
    table = table_of(measured)
    summary = summarize(table)
    lines = list(list_lines(table, summary, ASCII))
    (prose,) = (line for line in lines if line.startswith("prose "))
    assert prose.split()[-1] == "-"
    assert f"-: not measured ({NO_LIKELIHOODS})." in " ".join(" ".join(lines).split())
    written = json.loads(json.dumps(table_to_json(table, summary), allow_nan=False))
    assert written["skills"]["prose"]["not_measured"] == {"address": NO_LIKELIHOODS}
    assert written["skills"]["sums"]["not_measured"] == {}
    assert written["skills"]["sums"]["asked"]["address"]["template"] == "server"
    cell = cell_lines(table, table.row("prose"), "address", "base", "|", 200)
    assert f"Not measured: address ({NO_LIKELIHOODS})" in "".join(
        text for line in cell for text, _ in line
    )

    pages = dict(render_pages(collect_inputs([measured[1]], (), 0.05)))
    assert {name.rpartition(".")[2] for name in pages} >= {"md", "html", "json"}
    for name, parts in pages.items():
        page = "".join(parts)
        is_page = name.endswith((".md", ".html"))
        assert not is_page or "the server's own template" in page.replace("&#x27;", "'"), name
        why = f"prose was not measured on both run and address ({NO_LIKELIHOODS})"
        assert not is_page or why in page, name
        assert measured[2].address not in page, name


def test_a_gate_has_no_verdict_on_what_an_address_lacks(measured: Measured) -> None:
    limits = [
        Limit("lost at most", 0.5, "sums"),
        Limit("lost at most", 0.03, "labels"),
        Limit("perplexity up at most", 0.05, "prose"),
    ]
    report = judge_limits(measured[0], limits, "run", "address")
    outcomes = [one.outcome for one in report.outcomes]
    assert outcomes == ["passed", "not enough evidence", "not enough evidence"]
    assert report.outcome == "not enough evidence"
    why = f"not measured of address by nll: {NO_LIKELIHOODS}"
    assert report.outcomes[2].reason == why
    encoded = json.loads(json.dumps(encode_report(report, "job"), allow_nan=False))
    assert (
        encoded["limits"][2] | {"items": 0, "change": None, "reason": why} == encoded["limits"][2]
    )
    assert why.encode() in write_junit(report)
    assert f"  {why.capitalize()}." in list_report_lines(report)
    assert judge_limits(measured[0], limits[2:], "run", "merged").outcomes[0].items == 3


def test_a_resumed_job_asks_for_no_answer_twice(
    models: tuple[str, str], suites: list[str], server: Server, tmp_path: Path
) -> None:
    arm = f"address={server.address}?model=m"
    job = make_job(tmp_path, [models[0], arm], suites[:1])
    with pytest.raises(Stopped):
        attempt_at(job, stop_at=2 * SUMS + 5)  # answers and likelihoods of the run, five of it
    kept = [one for one in samples.read(job.samples) if one.arm == arm]
    assert 5 <= len(kept) < SUMS
    with job.samples.open("a") as file:
        file.write('{"prompt_id": "sums/sum-9", "te')  # as a worker that is killed leaves it
    server.asked.clear()
    attempt_at(job)
    asked = Counter(body["messages"][-1]["content"] for _, _, body in server.asked)
    known = {one.messages[-1].content for one in kept}
    assert set(asked.values()) == {1}
    assert asked.keys() == {f"{at} + {at}" for at in range(1, SUMS + 1)} - known
    results = read_results(json.loads(job.results.read_text()))
    assert len(results.arms["address"].suites["sums"].measures["strict"]) == SUMS


def test_a_refused_item_is_left_out_counted_and_asked_for_again(
    models: tuple[str, str], suites: list[str], server: Server, tmp_path: Path
) -> None:
    server.refuses = "7 + 7"
    arm = f"address={server.address}?model=m"
    job = make_job(tmp_path, [models[0], arm], suites[:1], samples=2)
    assert "1 answers left out" in attempt_at(job)
    refused = [json.loads(line) for line in job.rejects.read_text().splitlines()]
    assert [(one["arm"], one["suite"], one["item"]) for one in refused] == [
        ("address", "sums", "sum-7")
    ]
    (line,) = read_left_out(job)
    assert line.startswith("address: sums/sum-7: ")
    results = read_results(json.loads(job.results.read_text()))
    assert "sum-7" not in results.arms["address"].suites["sums"].measures["strict"]
    assert "sum-7" in results.arms["run"].suites["sums"].measures["strict"]
    table = build_table(results)
    assert table.row("sums").unpaired == 1
    assert table.row("sums").changes["address"].test.items == SUMS - 1
    assert sum("7 + 7" in json.dumps(body) for _, _, body in server.asked) == 1

    server.refuses = ""
    server.asked.clear()
    check_extension(job, None)  # a job that is done may be resumed for it
    assert "left out" not in attempt_at(job)
    assert [body["messages"] for _, _, body in server.asked] == [ask("7 + 7")] * 2
    assert build_table(read_results(json.loads(job.results.read_text()))).row("sums").unpaired == 0


def test_an_address_that_is_gone_ends_the_job_after_the_arms_here(
    models: tuple[str, str], suites: list[str], tmp_path: Path
) -> None:
    dead = "dead=http://127.0.0.1:9/v1?model=m"
    job = make_job(tmp_path, [dead, models[0]], suites[:1])
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        attempt_at(job)
    assert f"finetop resume {job.path.name}" in caught.value.hint
    assert not job.results.exists()
    assert len(samples.read(job.samples)) == SUMS, "of the arm that is here"


def test_a_suite_that_is_asked_raw_is_completed_by_the_server_under_the_same_arm(
    suites: list[str], server: Server, tmp_path: Path
) -> None:
    server.reply = (
        b'data: {"choices": [{"text": "2", "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    )
    arm = f"address={server.address}?model=m"
    job = make_job(tmp_path, [arm], [f"{suites[0]}?template=raw&limit=1"])
    attempt_at(job)
    ((path, _, body),) = server.asked
    assert (path, body["prompt"]) == ("/v1/completions", "1 + 1")
    assert [one.arm for one in samples.read(job.samples)] == [arm]
    address = read_results(json.loads(job.results.read_text())).arms["address"]
    (suite,) = address.suites.values()
    assert suite.asked["template"] == "raw"
    assert suite.measures["strict"] == {"sum-1": 1.0}
