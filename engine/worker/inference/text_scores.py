"""All scores of one answer to one item; how like its references it is, by ROUGE, chrF and BLEU.

    rouge1 rouge2 rougeL   F1 by the package rouge-score, without stemming, over the tokens of
                           `engine.impact.scores.rouge_tokens`: every script has some
    chrf                   chrF2 of sacrebleu: 1 to 6 characters, recall counted twice
    bleu                   sentence BLEU of sacrebleu, exponentially smoothed, over the orders that
                           the answer has; a mean of it over items is no corpus BLEU

All are 0 to 1; sacrebleu's own numbers are a hundred times as much. Of several references the best
one counts, for each score by itself; BLEU takes them together, as it is defined. A score whose
tokens no reference has (ROUGE of an emoji) is left out, never 0.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from engine.answer_parts import AnswerParts, split_text
from engine.compare.items import Item
from engine.compare.text_metrics import script_of
from engine.errors import EngineError
from engine.impact.scores.answer_scores import references_of, score_answers
from engine.impact.scores.rouge_tokens import rouge_tokens
from engine.word_diff import common_length

ROUGE = ("rouge1", "rouge2", "rougeL")
CHRF = "chrf"
BLEU = "bleu"

_MOST_CELLS = 1_000_000
"""Tokens by tokens for which rouge-score fills a table, in Python: it takes 0.3 s. For more
ROUGE-L is the same formula over the same length, which is found by bits."""
_BY_CHARACTERS = ("hiragana", "katakana", "thai")
"""Scripts without spaces that sacrebleu would need a dictionary or a download to cut."""


def score_answer(item: Item, text: str, parts: AnswerParts | None = None) -> dict[str, float]:
    """Every score of an answer that applies to its item, by name, 0 to 1.

    As for `engine.impact.scores.answer_scores.score_answers`, and against the item's references.
    Raises EngineError where it has some and a package is missing.
    """
    if parts is None:
        parts = split_text(text)
    return score_answers(item, text, parts) | score_likeness(references_of(item), parts.spoken)


def score_likeness(references: Sequence[str], text: str) -> dict[str, float]:
    """ROUGE, chrF and BLEU of a text against its references; nothing without any."""
    if not references:
        return {}
    scores = _score_rouge(references, text)
    hundredths = {
        CHRF: _chrf().sentence_score(text, list(references)).score,
        BLEU: _bleu(_bleu_tokenizer(references)).sentence_score(text, list(references)).score,
    }
    # Sums of logarithms end a hair above 100.
    return scores | {name: min(1.0, float(value) / 100) for name, value in hundredths.items()}


def _score_rouge(references: Sequence[str], text: str) -> dict[str, float]:
    tokens = rouge_tokens(text)
    found: dict[str, float] = {}
    for reference in references:
        reference_tokens = rouge_tokens(reference)
        for name, value in _score_tokens(reference_tokens, tokens).items():
            found[name] = max(value, found.get(name, 0.0))
    return found


def _score_tokens(reference: list[str], tokens: list[str]) -> dict[str, float]:
    """Of ROUGE what the reference has n-grams for; one word against one word has no ROUGE-2."""
    if not reference:
        return {}
    is_long = len(reference) * len(tokens) > _MOST_CELLS
    names = [
        name
        for name in ROUGE
        if not (name == "rouge2" and len(reference) < 2) and not (name == "rougeL" and is_long)
    ]
    scored = _rouge(tuple(names)).score(reference, tokens)
    scores = {name: float(scored[name].fmeasure) for name in names}
    if is_long:
        scores["rougeL"] = 2 * common_length(reference, tokens) / (len(reference) + len(tokens))
    return scores


class _TokensAsTheyAre:
    """The tokenizer of `rouge-score`, which is handed lists of tokens in place of texts."""

    def tokenize(self, tokens: list[str]) -> list[str]:
        return tokens


@cache
def _rouge(names: tuple[str, ...]) -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise _missing("rouge-score", error) from error
    return RougeScorer(list(names), tokenizer=_TokensAsTheyAre())


@cache
def _chrf() -> Any:
    return _sacrebleu().CHRF()


@cache
def _bleu(tokenizer: str) -> Any:
    return _sacrebleu().BLEU(tokenize=tokenizer, effective_order=True)


def _bleu_tokenizer(references: Sequence[str]) -> str:
    """Of sacrebleu, by the script of the first reference: `zh` cuts Han into characters."""
    script = script_of(references[0])
    if script in _BY_CHARACTERS:
        return "char"
    return "zh" if script == "cjk" else "13a"


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise _missing("sacrebleu", error) from error
    return metrics


def _missing(package: str, error: ImportError) -> EngineError:
    return EngineError(
        f"The package {package} is missing.",
        str(error),
        "Install it, for items with reference answers: pip install 'finetop[train]'.",
    )
