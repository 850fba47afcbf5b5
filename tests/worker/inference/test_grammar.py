"""Answers held to a grammar: whatever a random model says, what ended by itself fits."""

import json
import sys

import pytest
import torch
from tokenizers import decoders

from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.answer_object import read_field, read_object
from engine.synthesis.outcomes import BadAnswer
from engine.synthesis.row_schema import make_schema
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.grammar import AnswerMask, GrammarCompiler, open_grammars
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.synthesis.answer_grammars import AnswerGrammars
from tests.worker.inference.arms import load_arm, raw_prompts
from tests.worker.tiny import save_checkpoint

pytest.importorskip("llguidance")
SCHEMA = make_schema(
    {
        "stance": RowField(ask="Which?", type="label", choices=["agree", "disagree", 'a "b" ü']),
        "sure": RowField(ask="Sure?", type="boolean"),
        "stars": RowField(ask="How many?", type="integer"),
        "maybe": RowField(ask="Which?", type="label", choices=["p", "q"], optional=True),
        "why": RowField(ask="Why?", min_chars=0, max_chars=100_000),
    }
)
SAMPLED = Decode(max_new_tokens=200, temperature=30.0, seed=3)
"""So hot that every token which is allowed is about as likely: strings come to an end."""


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> LoadedArm:
    base = save_checkpoint(tmp_path_factory.mktemp("base") / "base")
    return load_arm(ModelCache(torch.device("cpu")), base, form="raw")


@pytest.fixture(scope="module")
def compiler(arm: LoadedArm) -> GrammarCompiler:
    return open_grammars(arm)


def answer(
    arm: LoadedArm, decode: Decode, masks: list[AnswerMask | None], copies: int = 1
) -> BatchDecoder:
    answers = BatchDecoder(arm, raw_prompts() * copies, decode, masks=masks)
    for index, generator in enumerate(answers._generators):
        generator.manual_seed(decode.seed + index)
    while not answers.done:
        answers.step()
    return answers


def test_every_object_that_ended_by_itself_parses_and_fits(
    arm: LoadedArm, compiler: GrammarCompiler
) -> None:
    grammars = AnswerGrammars(compiler, SCHEMA)
    answers = answer(arm, SAMPLED, [grammars.begin("", "") for _ in range(32)], copies=8)
    whole = [at for at, one in enumerate(answers.answers) if one.finish == "stop"]
    cut = [at for at, one in enumerate(answers.answers) if one.finish == "length"]
    assert len(whole) >= 5
    assert cut
    for at in whole:
        pairs = json.loads(answers.text(at), object_pairs_hook=list)
        assert [name for name, _ in pairs] == list(SCHEMA.fields), "each once, in order"
        row = dict(pairs)
        assert row["stance"] in SCHEMA.fields["stance"].choices
        assert [type(row[name]) for name in ("sure", "stars", "why")] == [bool, int, str]
        assert row["maybe"] in ("p", "q", None)
        row["why"].encode()  # no half of a surrogate pair
        assert read_object(answers.text(at), "stop", SCHEMA)[0]["sure"] == row["sure"]
    for at in cut:
        with pytest.raises(BadAnswer, match="cut"):
            read_object(answers.text(at), "length", SCHEMA)
    assert "llguidance" in grammars.describe()[0]
    assert compiler.cost.masks >= sum(len(one.output_ids) for one in answers.answers)


@pytest.mark.parametrize("decode", [Decode(max_new_tokens=40), SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("field", ["sure", "stars"])
def test_a_field_is_one_of_its_values(
    field: str, decode: Decode, arm: LoadedArm, compiler: GrammarCompiler
) -> None:
    grammars = AnswerGrammars(compiler, SCHEMA)
    answers = answer(arm, decode, [grammars.begin(field, "") for _ in range(4)])
    for at, one in enumerate(answers.answers):
        if one.finish != "stop":
            continue
        if field == "stars":  # of any length, of which the reader takes so many digits
            int(answers.text(at))
        else:
            read_field(answers.text(at), "stop", SCHEMA, field)
    ended = {one.finish for one in answers.answers}
    if field != "stars":
        assert ended == {"stop"}
    elif decode is SAMPLED:  # a greedy one may write digits for ever
        assert "stop" in ended


def test_a_text_is_free_a_label_is_chosen_and_a_prompt_that_opens_reasoning_too(
    compiler: GrammarCompiler,
) -> None:
    grammars = AnswerGrammars(compiler, SCHEMA)
    assert grammars.begin("why", "") is None
    assert grammars.begin("stance", "") is None, "the likeliest choice is taken"
    assert grammars.begin("stars", "assistant\n<think>\n") is None
    assert any("open reasoning" in note for note in grammars.describe())


@pytest.mark.parametrize("decode", [Decode(max_new_tokens=12), SAMPLED], ids=["greedy", "sampled"])
def test_a_free_answer_is_the_same_beside_one_that_is_held(
    decode: Decode, arm: LoadedArm, compiler: GrammarCompiler
) -> None:
    """And the likelihoods of what is held are those of the model itself."""
    short = Decode(12, decode.temperature, seed=decode.seed)
    plain = answer(arm, short, [])
    grammars = AnswerGrammars(compiler, SCHEMA)
    mixed = answer(arm, short, [None, grammars.begin("", ""), None, None])
    for at in (0, 2, 3):
        assert mixed.answers[at].output_ids == plain.answers[at].output_ids
        assert mixed.answers[at].logprobs == plain.answers[at].logprobs
    held = mixed.answers[1]
    assert mixed.text(1).startswith("{")
    assert held.output_ids != plain.answers[1].output_ids
    inputs = torch.tensor([[*held.prompt_ids, *held.output_ids]])
    with torch.no_grad():
        logs = torch.log_softmax(arm.forward(input_ids=inputs).logits[0], dim=-1)
    at = len(held.prompt_ids) - 1
    expected = [float(logs[at + place, token]) for place, token in enumerate(held.output_ids)]
    assert held.logprobs == pytest.approx(expected, abs=1e-3)


def test_a_tokenizer_that_reads_otherwise_is_refused(arm: LoadedArm) -> None:
    backend = arm.tokenizer.backend_tokenizer
    before = backend.decoder
    backend.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("a", "u")])
    try:
        with pytest.raises(EngineError) as caught:
            open_grammars(arm)
    finally:
        backend.decoder = before
    assert "not understood" in caught.value.detail


def test_without_the_package_it_says_what_to_install(
    arm: LoadedArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance.hf", None)
    with pytest.raises(EngineError) as caught:
        open_grammars(arm)
    assert "finetop[grammar]" in caught.value.hint


def test_a_schema_that_it_does_not_know_is_refused(compiler: GrammarCompiler) -> None:
    with pytest.raises(EngineError, match="grammar"):
        compiler.compile_schema({"type": "object", "properties": {"a": {"type": "no such"}}})
