"""ROUGE, chrF and BLEU: the packages' numbers on Latin text, and no zero in other scripts."""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.scores.rouge_tokens import rouge_tokens
from engine.worker.inference import text_scores
from engine.worker.inference.text_scores import BLEU, CHRF, ROUGE, score_answer, score_likeness

HOME = Path(__file__).parents[3]
SAME_IN_EVERY_SCRIPT = {
    "Arabic": "القاهرة هي عاصمة مصر وأكبر مدنها.",
    "Persian": "من می‌خواهم به خانه بروم و کتاب بخوانم.",
    "Chinese": "北京是中国的首都，也是政治中心。",
    "Japanese": "東京は日本の首都です。人口が多いです。",
    "Korean": "서울은 대한민국의 수도이며 가장 큰 도시이다.",
    "Hindi": "दिल्ली भारत की राजधानी है और बड़ा शहर है।",
    "Russian": "Москва — столица России и крупнейший город.",
    "Greek": "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.",
    "Hebrew": "ירושלים היא עיר הבירה של ישראל והגדולה בה.",
    "Thai": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "French": "Où est l'été ? L'hôtel Mélusine est fermé.",
    "Amharic": "አዲስ አበባ የኢትዮጵያ ዋና ከተማ ናት።",
}


def sentences() -> Iterator[str]:
    """Texts that people and programs wrote: prompts and answers of the data, and our documents."""
    for path in sorted((HOME / "engine/demo/data").rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines()[:400]:
            yield from (text for text in json.loads(line).values() if isinstance(text, str))
            yield line
    for path in sorted(HOME.glob("*.md")):
        yield from path.read_text("utf-8").splitlines()


def test_tokens_of_latin_text_are_those_of_rouge_score() -> None:
    reference = DefaultTokenizer(use_stemmer=False)
    texts = [text for text in sentences() if text.isascii()]
    assert len(texts) > 2000
    assert [text for text in texts if rouge_tokens(text) != reference.tokenize(text)] == []


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_tokens_of_any_ascii_text_are_those_of_rouge_score(text: str) -> None:
    assert rouge_tokens(text) == DefaultTokenizer(use_stemmer=False).tokenize(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Café, naïve!", ["café", "naïve"]),
        ("北京是 Capital", ["北", "京", "是", "capital"]),
        ("とても", ["と", "て", "も"]),
        ("서울은 크다", ["서울은", "크다"]),
        ("दिल्ली है", ["दिल्ली", "है"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ЁЛКА ёлка", ["ёлка", "ёлка"]),
        ("don’t don't", ["don", "t", "don", "t"]),
        ("٣٫٥", ["٣", "٥"]),
        ("👍 !?", []),
    ],
)
def test_tokens_in_every_script(text: str, tokens: list[str]) -> None:
    assert rouge_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "reference", "rouge", "chrf", "bleu"),
    [
        ("The quick brown fox jumps over the lazy dog.", "The quick brown dog jumps on the log.",
         (0.7058823529, 0.2666666667, 0.5882352941), 59.235978, 19.30487),
        ("Don't panic: it's only 3.5% of 1,000 e-mails!",
         "It's 3.5 percent of a thousand e-mails; don't panic.",
         (0.7692307692, 0.4166666667, 0.5384615385), 33.689062, 5.300157),
        ("the cat sat on the mat", "the the the cat", (0.6, 0.25, 0.4), 40.928626, 17.965206),
        ("Once upon a time there was a small robot who wrote letters to the moon.",
         "A small robot once wrote letters to the moon every night.",
         (0.6923076923, 0.5, 0.6153846154), 61.892076, 27.225894),
        ("a b c d", "d c b a", (1.0, 0.0, 0.25), 25.0, 22.59005),
        ("", "Two words", (0.0, 0.0, 0.0), 0.0, 0.0),
    ],
)  # fmt: skip
def test_scores_are_those_of_the_packages(
    text: str, reference: str, rouge: tuple[float, ...], chrf: float, bleu: float
) -> None:
    """rouge-score 0.1.2 with its own tokenizer, sacrebleu 2.6.0 with its defaults."""
    scores = score_likeness([reference], text)
    assert [scores[name] for name in ROUGE] == pytest.approx(rouge, abs=1e-9)
    assert scores[CHRF] * 100 == pytest.approx(chrf, abs=1e-5)
    assert scores[BLEU] * 100 == pytest.approx(bleu, abs=1e-5)


def test_scores_of_real_sentences_are_those_of_rouge_score() -> None:
    scorer = RougeScorer(list(ROUGE))
    texts = [text for text in sentences() if text.isascii() and len(rouge_tokens(text)) > 1]
    chosen = random.Random(1).sample(texts, 200)
    for text, reference in zip(chosen[::2], chosen[1::2], strict=True):
        expected = scorer.score(reference, text)
        scores = score_likeness([reference], text)
        for name in ROUGE:
            assert scores[name] == pytest.approx(expected[name].fmeasure, abs=1e-12)


@pytest.mark.parametrize("name", SAME_IN_EVERY_SCRIPT)
def test_the_same_text_is_1_in_every_script(name: str) -> None:
    text = SAME_IN_EVERY_SCRIPT[name]
    scores = score_likeness([text], text)
    assert scores == pytest.approx(dict.fromkeys((*ROUGE, CHRF, BLEU), 1.0))


@pytest.mark.parametrize("name", SAME_IN_EVERY_SCRIPT)
def test_half_of_a_text_is_between_0_and_1_in_every_script(name: str) -> None:
    text = SAME_IN_EVERY_SCRIPT[name]
    scores = score_likeness([text], text[: len(text) // 2])
    assert all(0.2 < scores[one] < 1 for one in ("rouge1", "rouge2", "rougeL", CHRF))


def test_chinese_is_cut_into_characters_for_bleu() -> None:
    """sacrebleu 2.6.0 with tokenize="zh"; its 13a sees one word and another."""
    scores = score_likeness(["中国的首都是北京。"], "北京是中国的首都。")
    assert scores[BLEU] * 100 == pytest.approx(54.663256, abs=1e-5)
    assert scores[CHRF] * 100 == pytest.approx(43.115079, abs=1e-5)


def test_of_several_references_the_best_counts() -> None:
    scores = score_likeness(["no match at all", "the cat sat", "cat"], "the cat sat")
    assert scores == pytest.approx(dict.fromkeys((*ROUGE, CHRF, BLEU), 1.0))


def test_what_no_reference_has_is_left_out() -> None:
    assert score_likeness([], "a") == {}
    assert set(score_likeness(["👍"], "👍")) == {CHRF, BLEU}
    assert set(score_likeness(["yes"], "yes")) == {"rouge1", "rougeL", CHRF, BLEU}


def test_long_texts_have_the_same_rouge(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(2)
    pairs = [
        [" ".join(generator.choices("abcd", k=generator.randrange(2, 60))) for _ in range(2)]
        for _ in range(50)
    ]
    by_table = [score_likeness([left], right) for left, right in pairs]
    monkeypatch.setattr(text_scores, "_MOST_CELLS", 0)
    by_bits = [score_likeness([left], right) for left, right in pairs]
    assert all(one == pytest.approx(other) for one, other in zip(by_table, by_bits, strict=True))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", ["word " * 60_000, "漢" * 60_000, "👍" * 60_000, "\n" * 60_000])
def test_a_huge_answer_is_scored(text: str) -> None:
    scores = score_likeness(["a word of 漢 and 👍 " * 50], text)
    assert all(0 <= value <= 1 for value in scores.values())


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30).filter(str.strip))
def test_any_text_has_scores_from_0_to_1(text: str, reference: str) -> None:
    scores = score_likeness([reference], text)
    assert all(0 <= value <= 1 for value in scores.values())
    same = score_likeness([reference], reference)
    assert same[CHRF] == pytest.approx(1.0)
    assert {same[name] for name in ROUGE if name in same} <= {1.0}


@pytest.mark.parametrize("text", ["\ud800", "a\ud800b", "\0", "👩‍👩‍👧‍👦", "\u202e", "  "])
def test_odd_characters_are_scored(text: str) -> None:
    for references, answer in (([text + "a"], text), (["a"], text), ([text + "a"], "a")):
        assert all(0 <= one <= 1 for one in score_likeness(references, answer).values())


def test_an_answer_is_scored_by_what_it_says() -> None:
    item = Item("one", score="exact", gold=("Paris",), reference="Paris")
    scores = score_answer(item, "<think>Rome? No.</think>Paris")
    assert scores == pytest.approx(dict.fromkeys(("strict", "flexible", "rouge1", "rougeL", CHRF,
                                                  BLEU), 1.0))  # fmt: skip


def test_a_missing_package_is_said_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    text_scores._chrf.cache_clear()
    with pytest.raises(EngineError, match="sacrebleu"):
        score_likeness(["a"], "a")
    assert score_answer(Item("one", score="number", gold=("7",)), "7")["strict"] == 1
    text_scores._chrf.cache_clear()
