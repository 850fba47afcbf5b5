"""What of a recipe that makes data is refused before anything is made, and which key is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.compare import endpoint_hosts
from engine.compare.arms import answering_arms, needs_device, parse_arm
from engine.compare.endpoint_hosts import HostNotAllowed
from engine.compare.endpoint_keys import KeyNotAllowed
from engine.errors import EngineError
from engine.jobs import directory, resume_rules
from engine.jobs.store import Store
from engine.launching import resume, synthesis
from engine.launching.in_use import find_users
from engine.recipes import recipe as recipes
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.outcomes import Outcome, append_outcomes
from engine.synthesis.reviews import Review, append_review
from engine.synthesis.source_rows import SourceRow, write_sources

LOCAL = "writer=http://127.0.0.1:1/v1?model=m"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))


def make_recipe(tmp_path: Path, **changes: object) -> SynthesizeRecipe:
    data = tmp_path / "texts.jsonl"
    if not data.exists():
        rows = [{"review": f"text {number}", "title": "t", "stars": number} for number in range(3)]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table: dict[str, Any] = {
        "kind": "synthesize",
        "source": {"data": str(data), "text": "review"},
        "asking": {"generator": LOCAL},
        "fields": {"text": {"take": "{review}"}, "verdict": {"ask": "Good or bad?"}},
    }
    named = [f"{key.replace('__', '.')}={value}" for key, value in changes.items()]
    made = recipes.changed(recipes.parse(table), named)
    assert isinstance(made, SynthesizeRecipe)
    return made


def refused(tmp_path: Path, **changes: object) -> EngineError:
    recipe = make_recipe(tmp_path, **changes)
    with pytest.raises(EngineError) as error:
        synthesis.launch_synthesis(recipe, tmp_path / "runs", where="r.toml")
    assert not list((tmp_path / "runs").glob("*")), "nothing was made"
    return error.value


@pytest.mark.parametrize(
    ("changes", "title", "where"),
    [
        ({"asking__generator": ""}, "No generator", "r.toml: asking.generator"),
        ({"asking__generator": "a=run:none"}, "", "r.toml: asking.generator"),
        ({"asking__generator": "a=http://x?bad=1"}, "Invalid arm", "r.toml: asking.generator"),
        ({"source__data": ""}, "No source", "r.toml: source.data"),
        ({"source__data": "/none/x.jsonl"}, "data not found", "r.toml: source.data"),
        ({"source__text": "wrong"}, "no column 'wrong'", "r.toml: source.text"),
        ({"source__text": ""}, "Several columns", "r.toml: source.text"),
        ({"source__held_out": "/none/y.jsonl"}, "", "r.toml: source.held_out"),
        ({"fields__verdict__ask": "Is {nothing} good?"}, "no column", "fields.verdict.ask"),
        ({"fields__text__take": "{nothing}"}, "no column", "fields.text.take"),
        ({"asking__instructions": "Read {nothing}"}, "no column", "asking.instructions"),
        ({"asking__system": "a { brace"}, "brace", "asking.system"),
        ({"fields__verdict__type": "label"}, "field", "fields.verdict"),
        ({"out": "rows.txt"}, "", "r.toml: out"),
        ({"out": "/none/rows.jsonl"}, "", "r.toml: out"),
        ({"gates__judge": "a=run:none"}, "", "r.toml: gates.judge"),
    ],
)
def test_what_is_wrong_of_a_recipe_is_named_by_file_and_key(
    tmp_path: Path, changes: dict[str, object], title: str, where: str
) -> None:
    error = refused(tmp_path, **changes)
    assert title in error.title
    assert where in error.detail
    assert error.detail.startswith("r.toml")


def test_a_file_of_rows_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    out.write_text("mine")
    assert str(out) in refused(tmp_path, out=str(out)).detail


def test_texts_leave_the_machine_only_for_hosts_that_were_agreed_to(tmp_path: Path) -> None:
    changes = {"asking__generator": "a=https://api.example.com/v1?model=m"}
    error = refused(tmp_path, **changes)
    assert isinstance(error, HostNotAllowed)
    assert error.addresses == ("https://api.example.com",)
    endpoint_hosts.allow(error.addresses)
    located = synthesis.locate_synthesis(make_recipe(tmp_path, **changes), tmp_path / "runs")
    assert located.recipe.asking.generator.startswith("a=https")
    # A judge on another host is another question.
    changes["gates__judge"] = "j=https://judge.example.com/v1?model=m"
    assert isinstance(refused(tmp_path, **changes), HostNotAllowed)


@pytest.mark.parametrize("host", ["127.0.0.1:8", "localhost:8", "[::1]:8"])
def test_this_machine_needs_no_agreement(host: str) -> None:
    assert endpoint_hosts.addresses_of([parse_arm(f"a=http://{host}/v1?model=m")]) == []


@pytest.mark.parametrize("host", ["10.0.0.1", "localhost.example.com", "192.168.1.2:80"])
def test_another_machine_does(host: str) -> None:
    assert endpoint_hosts.addresses_of([parse_arm(f"a=http://{host}/v1?model=m")])


def test_a_key_that_was_not_agreed_to_is_refused_first(tmp_path: Path) -> None:
    error = refused(tmp_path, asking__generator="a=http://127.0.0.1:1/v1?model=m&key=MY_KEY")
    assert isinstance(error, KeyNotAllowed)


def test_a_job_of_endpoints_alone_needs_no_device(tmp_path: Path) -> None:
    assert not needs_device(make_recipe(tmp_path))
    local = make_recipe(tmp_path, gates__judge="bundled:demo-base")
    assert needs_device(local)
    assert answering_arms(local) == [LOCAL, "bundled:demo-base"]


def test_paths_of_the_recipe_are_absolute_and_known_as_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_recipe(tmp_path)
    monkeypatch.chdir(tmp_path)
    recipe = make_recipe(tmp_path, source__data="texts.jsonl", out="rows.jsonl")
    located = synthesis.locate_synthesis(recipe, tmp_path / "runs")
    assert located.recipe.source.data == str(tmp_path / "texts.jsonl")
    assert located.recipe.out == str(tmp_path / "rows.jsonl")
    directory.create(tmp_path / "runs", located.recipe)
    users = find_users(Store(tmp_path / "runs"))
    assert tmp_path / "texts.jsonl" in users


def make_job(tmp_path: Path) -> directory.JobDirectory:
    job = directory.create(tmp_path / "runs", make_recipe(tmp_path))
    rows = [SourceRow(f"t:{at}", f"t:{at}", "t", at, "x", {"review": "x"}) for at in (1, 2)]
    write_sources(job.sources, rows)
    return job


def test_a_finished_job_is_resumed_only_where_there_is_something_to_ask(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    append_outcomes(job.outcomes, [Outcome("t:1", "passed", {"text": "x"})])
    synthesis.check_more(job)  # a source is left
    append_outcomes(job.outcomes, [Outcome("t:2", "passed", {"text": "x"})])
    with pytest.raises(EngineError, match="is done"):
        synthesis.check_more(job)
    append_review(job.reviews, Review("t:2", 0, "ask again"))
    synthesis.check_more(job)
    append_outcomes(job.outcomes, [Outcome("t:2", "passed", {"text": "y"}, round=1)])
    with pytest.raises(EngineError, match="is done"):
        synthesis.check_more(job)


def test_budgets_may_change_when_it_is_resumed_and_questions_may_not(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    resume_rules.check(job, make_recipe(tmp_path, budget__rows=5, asking__tries=9))
    with pytest.raises(EngineError, match="cannot change") as error:
        resume_rules.check(job, make_recipe(tmp_path, asking__instructions="Else"))
    assert "asking.instructions" in error.value.detail
    assert "job that makes data" in error.value.title


def test_resuming_asks_for_what_is_missing_by_now(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    remote = make_recipe(tmp_path, asking__generator="a=https://api.example.com/v1?model=m")
    with pytest.raises(HostNotAllowed, match="leave this machine") as error:
        resume._check(remote, job)
    assert f"finetop resume {job.path.name} --yes" in error.value.hint
