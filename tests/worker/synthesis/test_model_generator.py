"""A local model that writes: seeds, batches, choices by likelihood, sources that are too long."""

import json
from pathlib import Path

import pytest
import torch

from engine.chat import Message
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import parse_arm
from engine.compare.items import Item
from engine.recipes.settings import Decode
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.questions import SourceQuestion
from engine.worker.inference.choice_scores import choice_scores
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.synthesis.generator import Reply
from engine.worker.synthesis.model_generator import BY_LIKELIHOOD, ModelGenerator
from tests.worker.synthesis.making import lines, make_job, make_recipe, run_here
from tests.worker.tiny import save_checkpoint


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("writer") / "base")


@pytest.fixture(scope="module")
def loaded(base: Path) -> LoadedArm:
    models = ModelCache(torch.device("cpu"))
    loaded_arm = models.load_arm(parse_arm(str(base)), ArmWeights(base), lambda line: None)
    assert loaded_arm is not None
    return loaded_arm


def ask(number: int, field: str = "text") -> SourceQuestion:
    messages = (Message("user", f"say something about {number}"),)
    return SourceQuestion(f"s:{number}/{field}#1", f"s:{number}", field, messages, 100 + number, "")


def answer(generator: ModelGenerator, questions: list[SourceQuestion]) -> dict[str, Reply]:
    for question in questions:
        generator.ask(question)
    replies: list[Reply] = []
    while len(replies) < len(questions):
        replies += generator.step()
    return {reply.question.id: reply for reply in replies}


def test_each_question_is_answered_by_its_own_seed_whoever_stands_beside_it(
    loaded: LoadedArm,
) -> None:
    decode = Decode(max_new_tokens=8, temperature=1.0)
    arm = parse_arm("writer=bundled:x")
    together = answer(ModelGenerator(arm, loaded, decode), [ask(1), ask(2), ask(3)])
    alone = answer(ModelGenerator(arm, loaded, decode), [ask(2)])
    sample, other = together["s:2/text#1"].sample, alone["s:2/text#1"].sample
    assert sample is not None
    assert other is not None
    assert sample.output_ids == other.output_ids
    assert sample.seed == sample.decode.seed == 102
    assert together["s:2/text#1"].usage.written == len(sample.output_ids)
    again = together["s:1/text#1"].sample
    assert again is not None
    assert again.output_ids != sample.output_ids


def test_a_field_with_choices_is_answered_by_the_likeliest_of_them(loaded: LoadedArm) -> None:
    choices = ["yes", "no", "it depends"]
    arm = parse_arm("writer=bundled:x")
    generator = ModelGenerator(arm, loaded, Decode(max_new_tokens=4), {"label": choices})
    replies = answer(generator, [ask(number, "label") for number in range(6)] + [ask(9)])
    items = [Item(f"{n}", ask(n).messages, choices=tuple(choices)) for n in range(6)]
    for number, scores in enumerate(choice_scores(loaded, items)):
        sample = replies[f"s:{number}/label#1"].sample
        assert sample is not None
        assert scores.likeliest is not None
        assert (sample.text, sample.finish) == (choices[scores.likeliest], "stop")
    assert BY_LIKELIHOOD.format(fields="label") in generator.notes


def test_rows_are_made_by_a_local_model_and_a_long_source_is_cut_to_its_context(
    base: Path, tmp_path: Path
) -> None:
    data = tmp_path / "reviews.jsonl"
    texts = ["i miss my dog", "no", "what is this " * 300]
    data.write_text("".join(json.dumps({"review": text}) + "\n" for text in texts))
    changes = {
        "asking.generator": f"writer={base}", "decode.max_new_tokens": 4, "asking.tries": 1,
        "decode.temperature": 1, "asking.instructions": "", "gates.pause_after": 0,
        "fields.verdict.ask": "ok?", "fields.summary.ask": "so?",
        "fields.summary.type": "label", "fields.summary.choices": '["long", "short"]',
    }  # fmt: skip
    job = make_job(tmp_path / "runs", make_recipe(data, "http://none", changes))
    run_here(job)
    outcomes = read_outcomes(job.outcomes)
    assert [(one.state, one.reasons) for one in outcomes.values()] == [("passed", ())] * 3
    assert {outcome.row["verdict"] for outcome in outcomes.values()} <= {"good", "bad"}
    cuts = {name: outcome.cut for name, outcome in outcomes.items()}
    assert cuts.pop("reviews.jsonl:3") > 0
    assert set(cuts.values()) == {0}
    asked = next(
        row for row in lines(job.samples) if row["prompt_id"].startswith("reviews.jsonl:3")
    )
    assert 0 < asked["messages"][-1]["content"].count("what is this") < 300
    assert outcomes["reviews.jsonl:3"].row["text"].count("what is this") == 300
