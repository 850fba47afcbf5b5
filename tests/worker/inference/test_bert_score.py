"""BERTScore from a local encoder: the package's numbers, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM

from engine.errors import EngineError
from engine.worker.inference.bert_score import NO_ENCODER, NOTHING, ROWS, BertScore, BertScorer
from tests.worker.tiny import save_checkpoint, save_encoder

ANSWERS = [
    "Paris is the capital of France.",
    "a small robot wrote letters to the moon every night",
    "Two and two make four.",
    "no",
    "sadness and joy",
    "北京 👍 i miss my dog",
    "the same text",
]
REFERENCES = [
    "The capital of France is Paris.",
    "Once there was a robot; it wrote to the moon.",
    "Four is two and two, and not five.",
    "yes, of course it is",
    "What emotion is in this text?",
    "i miss my cat 北京",
    "the same text",
]
EXPECTED = {
    ("bert", 1): [(.826632, .825887, .826259), (.817234, .836067, .826543),
                  (.805774, .792305, .798983), (.772514, .625323, .691169),
                  (.827593, .788015, .807319), (.793853, .822822, .808078), (1, 1, 1)],
    ("bert", 3): [(.95071, .955786, .953241), (.948277, .955162, .951707),
                  (.961938, .953998, .957952), (.886239, .83706, .860947),
                  (.964423, .952712, .958532), (.932602, .935077, .933838), (1, 1, 1)],
    ("roberta", 1): [(.8227, .825074, .823885), (.836844, .856717, .846664),
                     (.793037, .769987, .781342), (.797689, .678037, .733012),
                     (.73347, .736289, .734877), (.781516, .784851, .78318), (1, 1, 1)],
    ("roberta", 3): [(.970421, .972052, .971236), (.956805, .967109, .961929),
                     (.957584, .938868, .948134), (.896242, .87023, .883044),
                     (.91689, .925117, .920985), (.965624, .959083, .962343), (1, 1, 1)],
}  # fmt: skip
"""bert-score 0.3.13: `score(ANSWERS, REFERENCES, model_type=PATH, num_layers=LAYER)`."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoders") / "tiny-bert")


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoders") / "tiny-roberta", "roberta")


def score_pairs(scorer: BertScorer, answers: list[str], references: list[str]) -> list[BertScore]:
    return scorer.score(answers, [[one] for one in references])


@pytest.mark.parametrize(("kind", "layer"), EXPECTED)
def test_scores_are_those_of_the_package(bert: Path, roberta: Path, kind: str, layer: int) -> None:
    scorer = BertScorer(bert if kind == "bert" else roberta, layer)
    found = score_pairs(scorer, ANSWERS, REFERENCES)
    for one, expected in zip(found, EXPECTED[kind, layer], strict=True):
        assert tuple(one.to_scores().values()) == pytest.approx(expected, abs=5e-5)
    assert scorer.about == f"tiny-{kind}, layer {layer} of 3"
    assert scorer.describe(found) == ""


def test_without_a_layer_it_is_the_last_one(bert: Path) -> None:
    scorer = BertScorer(bert)
    assert (scorer.layer, scorer.about) == (3, "tiny-bert, layer 3 of 3")
    assert score_pairs(scorer, ["a b"], ["c"]) == score_pairs(BertScorer(bert, 3), ["a b"], ["c"])


def test_of_several_references_each_number_is_the_best(bert: Path) -> None:
    """bert-score takes the highest precision, recall and F1 by themselves."""
    (one,) = BertScorer(bert, 3).score(ANSWERS[:1], [REFERENCES[:3]])
    singles = [BertScorer(bert, 3).score(ANSWERS[:1], [[gold]])[0] for gold in REFERENCES[:3]]
    for name, value in one.to_scores().items():
        assert value == pytest.approx(max(each.to_scores()[name] for each in singles), abs=1e-5)


def test_what_is_beside_a_text_in_its_batch_changes_nothing(bert: Path) -> None:
    scorer = BertScorer(bert, 2)
    answers = ANSWERS * (2 * ROWS // len(ANSWERS))
    together = score_pairs(scorer, answers, REFERENCES * (len(answers) // len(ANSWERS)))
    alone = [score_pairs(scorer, [a], [r])[0]
             for a, r in zip(ANSWERS, REFERENCES, strict=True)]  # fmt: skip
    for at, one in enumerate(together):
        assert one.f1 == pytest.approx(alone[at % len(ANSWERS)].f1, abs=1e-5)


@pytest.mark.parametrize("answer", ["", "  \n", "[SEP]"])
def test_an_answer_without_tokens_is_nothing(bert: Path, answer: str) -> None:
    assert score_pairs(BertScorer(bert), [answer], ["Paris"]) == [NOTHING]
    assert score_pairs(BertScorer(bert), ["Paris"], [answer]) == [NOTHING]


@pytest.mark.parametrize("answer", ["👩‍👩‍👧", "a\ud800b", "\0", "القاهرة", "x" * 20_000])
def test_any_text_is_scored(bert: Path, answer: str) -> None:
    (one,) = score_pairs(BertScorer(bert), [answer], ["Paris"])
    assert all(-1 <= value < 1 for value in one.to_scores().values())
    (same,) = score_pairs(BertScorer(bert), [answer], [answer])
    assert same.f1 == pytest.approx(1.0, abs=1e-5)


def test_long_texts_are_truncated_and_counted(bert: Path, roberta: Path) -> None:
    long = "word " * 200
    for path in (bert, roberta):
        scorer = BertScorer(path)
        # 62 tokens of a byte each are as many as there is room for beside [CLS] and [SEP].
        found = score_pairs(scorer, [long, "z" * 62, "a", long + "!"], ["a", "b", long, long])
        assert [one.is_truncated for one in found] == [True, False, True, True]
        assert scorer.describe(found) == (
            "BERTScore: 3 of 4 answers or their references were truncated to the 64 tokens of "
            f"{path.name}."
        )
        assert found[-1].f1 == pytest.approx(1.0, abs=1e-5), "the end was cut"
    assert BertScorer(bert).score([""], [[long]])[0].is_truncated


def test_the_models_positions_are_a_limit_too(bert: Path, tmp_path: Path) -> None:
    """A tokenizer may know no limit, and torch fails past the table of positions."""
    path = copy_of(bert, tmp_path / "unlimited")
    change_json(path / "tokenizer_config.json", model_max_length=10**30)
    scorer = BertScorer(path)
    found = score_pairs(scorer, ["word " * 200], ["a"])
    assert "64 tokens" in scorer.describe(found)


def test_each_answer_needs_a_reference(bert: Path) -> None:
    scorer = BertScorer(bert)
    assert scorer.score([], []) == []
    nothing: list[list[str]] = [[]]
    for references in ([], nothing):
        with pytest.raises(ValueError, match="reference"):
            scorer.score(["a"], references)


@pytest.mark.parametrize("layer", [0, 4, -1])
def test_a_layer_that_the_encoder_has_not(bert: Path, layer: int) -> None:
    with pytest.raises(EngineError) as raised:
        BertScorer(bert, layer)
    assert raised.value.title == f"The encoder has no layer {layer}."
    assert raised.value.hint == "Use 1 to 3."


def test_no_encoder_and_nothing_else_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read") as raised:
        BertScorer(tmp_path / "nowhere")
    assert "no config.json" in raised.value.detail
    assert "--encoder" in NO_ENCODER


def test_a_causal_model_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not an encoder") as raised:
        BertScorer(save_checkpoint(tmp_path / "llama"))
    assert "no [CLS] and [SEP]" in raised.value.detail


def test_a_checkpoint_without_its_pooler_will_do(bert: Path, tmp_path: Path) -> None:
    """Those that were trained to fill in masks have none; the layers are the same."""
    config: Any = BertConfig.from_pretrained(bert)
    masked: Any = BertForMaskedLM(config)
    masked.bert.load_state_dict(load_file(bert / "model.safetensors"), strict=False)
    path = copy_of(bert, tmp_path / "masked")
    masked.save_pretrained(path)
    assert score_pairs(BertScorer(path), ANSWERS, REFERENCES) == score_pairs(
        BertScorer(bert), ANSWERS, REFERENCES
    )


def test_missing_weights_are_no_random_numbers(bert: Path, tmp_path: Path) -> None:
    path = copy_of(bert, tmp_path / "cut")
    weights = load_file(path / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(EngineError, match="lacks weights") as raised:
        BertScorer(path)
    assert "layer.1.output" in raised.value.detail


def test_weights_that_are_no_safetensors_are_refused(bert: Path, tmp_path: Path) -> None:
    path = copy_of(bert, tmp_path / "pickle")
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    with pytest.raises(EngineError, match="cannot be loaded"):
        BertScorer(path)
    (path / "model.safetensors").write_text("<html>")
    with pytest.raises(EngineError, match="cannot be loaded"):
        BertScorer(path)


def copy_of(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
