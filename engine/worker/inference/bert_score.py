"""BERTScore: how like its reference an answer is, by the vectors of a local encoder's tokens.

Each token of one text is matched with the token of the other whose vector is most like its own
(cosine): precision is the mean over the answer's tokens, recall over the reference's, F1 their
harmonic mean (Zhang et al. 2020, arXiv 1904.09675). Without weights by rarity and without a
baseline, as the package `bert-score` computes it by default, in float32. [CLS] and [SEP] may be
matched and are not counted, as there; an answer without tokens is 0, where the package crashes.

The number belongs to an encoder and a layer, and says nothing beside that of another: both stand
in `BertScorer.about`. Refuses to stand in for an absent encoder, to read a model that has no [CLS]
and [SEP] (a causal language model), and weights that are missing, which would be random numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from engine.checkpoints.config_json import read_json
from engine.checkpoints.context import find_context_length
from engine.errors import EngineError
from engine.jobs.summary import short_ref
from engine.worker.environment import set_environment
from engine.worker.model.loading import load_tokenizer

NO_ENCODER = "BERTScore is not measured: no encoder is named (--encoder PATH)."
ROWS = 32
"""Pairs that are scored side by side."""

_UNLIMITED = 1 << 20
"""Tokens; a tokenizer that knows no limit names a number far above it."""
_USUAL_CONTEXT = 512
"""Tokens, where neither tokenizer nor model knows a limit: attention grows by the square."""


@dataclass(frozen=True, slots=True)
class BertScore:
    """Of one answer, each -1 to 1, in practice above 0."""

    precision: float
    recall: float
    f1: float
    is_truncated: bool = False
    """The answer or a reference has more tokens than the encoder reads."""

    def to_scores(self) -> dict[str, float]:
        """By the names of its measures."""
        return {
            "bert_precision": self.precision,
            "bert_recall": self.recall,
            "bert_f1": self.f1,
        }


NOTHING = BertScore(0.0, 0.0, 0.0)
"""Of a text without tokens."""


@dataclass(frozen=True, slots=True)
class _Vectors:
    """A text as its encoder sees it."""

    vectors: Tensor
    """(tokens, width), each of length 1."""
    counted: Tensor
    """(tokens), false at [CLS] and [SEP]."""
    is_truncated: bool


class BertScorer:
    """An encoder in memory, and what it says of pairs of texts. Raises EngineError."""

    def __init__(
        self, encoder: Path, layer: int | None = None, device: torch.device | None = None
    ) -> None:
        """`layer` counts from 1 for the first above the embeddings; None: the last one."""
        self._device = device or torch.device("cpu")
        self._tokenizer = _load_encoder_tokenizer(encoder)
        self._model = _load_encoder(encoder, self._device)
        self.layers = int(self._model.config.num_hidden_layers)
        if layer is not None and not 1 <= layer <= self.layers:
            raise EngineError(
                f"The encoder has no layer {layer}.", str(encoder), f"Use 1 to {self.layers}."
            )
        self.encoder = short_ref(str(encoder))
        self.layer = layer or self.layers
        self._context = _find_context(encoder, self._tokenizer)

    @property
    def about(self) -> str:
        """What the numbers belong to, and stand beside: `bert-base-uncased, layer 9 of 12`."""
        return f"{self.encoder}, layer {self.layer} of {self.layers}"

    def describe(self, scores: Sequence[BertScore]) -> str:
        """What should be known before these numbers are read, a sentence; empty for nothing."""
        count = sum(one.is_truncated for one in scores)
        if not count:
            return ""
        return (
            f"BERTScore: {count:,} of {len(scores):,} answers or their references were truncated "
            f"to the {self._context:,} tokens of {self.encoder}."
        )

    def score(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[BertScore]:
        """One score an answer, against its references: of several the best, for each number by
        itself. Answers are what they say, without reasoning and calls. Raises ValueError for
        lengths that differ and for an answer without a reference."""
        if len(answers) != len(references) or not all(references):
            raise ValueError("one answer each for references, of which there is at least one")
        found: list[BertScore] = []
        for at in range(0, len(answers), ROWS):
            rows = list(zip(answers[at : at + ROWS], references[at : at + ROWS], strict=True))
            texts = {text for answer, golds in rows for text in (answer, *golds)}
            vectors = self._encode(sorted(texts, key=len))
            for answer, golds in rows:
                scores = [_match(vectors[answer], vectors[gold]) for gold in golds]
                found.append(
                    BertScore(
                        max(one.precision for one in scores),
                        max(one.recall for one in scores),
                        max(one.f1 for one in scores),
                        any(one.is_truncated for one in scores),
                    )
                )
        return found

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str]) -> dict[str, _Vectors]:
        found: dict[str, _Vectors] = {}
        for at in range(0, len(texts), ROWS):
            batch = texts[at : at + ROWS]
            tokenized = [self._ids(text) for text in batch]
            rows = [ids for ids, _ in tokenized]
            longest = max(map(len, rows))
            padding = self._tokenizer.pad_token_id or 0
            ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
            states = self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                output_hidden_states=True,
            ).hidden_states[self.layer]
            marks = torch.tensor([self._tokenizer.cls_token_id, self._tokenizer.sep_token_id])
            for text, (row, is_truncated), state in zip(
                batch, tokenized, states.cpu(), strict=True
            ):
                own = state[: len(row)]
                counted = ~torch.isin(torch.tensor(row), marks)
                vectors = own / own.norm(dim=-1, keepdim=True)
                found[text] = _Vectors(vectors, counted, is_truncated)
        return found

    def _ids(self, text: str) -> tuple[list[int], bool]:
        """Of a text, with [CLS] and [SEP], and whether it was truncated. Half a pair is a `?`."""
        plain = text.strip().encode("utf-8", "replace").decode()
        ids: list[int] = self._tokenizer(plain, verbose=False)["input_ids"]
        if len(ids) <= self._context:
            return ids, False
        cut = self._tokenizer(plain, truncation=True, max_length=self._context)
        return cut["input_ids"], True


def _match(answer: _Vectors, reference: _Vectors) -> BertScore:
    is_truncated = answer.is_truncated or reference.is_truncated
    if not answer.counted.any() or not reference.counted.any():
        return replace(NOTHING, is_truncated=is_truncated)
    likeness = answer.vectors @ reference.vectors.T
    precision = float(likeness.max(dim=1).values[answer.counted].mean())
    recall = float(likeness.max(dim=0).values[reference.counted].mean())
    whole = precision + recall
    f1 = 2 * precision * recall / whole if whole else 0.0
    return BertScore(precision, recall, f1, is_truncated)


def _load_encoder_tokenizer(path: Path) -> Any:
    if not (path / "config.json").is_file():
        raise EngineError(
            "The encoder of BERTScore cannot be read.",
            f"{path}: no config.json",
            "Name the folder of a checkpoint such as bert-base-uncased.",
        )
    tokenizer = load_tokenizer(path)
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise EngineError(
            "This model is not an encoder that BERTScore can use.",
            f"{path}: its tokenizer has no [CLS] and [SEP]",
            "Use one like BERT or RoBERTa; a causal language model is none.",
        )
    return tokenizer


def _load_encoder(path: Path, device: torch.device) -> Any:
    """The encoder in float32, in evaluation mode. Raises EngineError."""
    set_environment()
    from transformers import AutoModel

    try:
        model, report = AutoModel.from_pretrained(
            str(path),
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise EngineError(
            "The encoder of BERTScore cannot be loaded.",
            f"{path}: {reason}",
            "Its weights must be in safetensors.",
        ) from error
    if model.config.is_encoder_decoder:
        raise EngineError(
            "This model is not an encoder that BERTScore can use.",
            f"{path}: it has a decoder as well",
            "Use one like BERT or RoBERTa.",
        )
    # The pooler stands above the layers, and many checkpoints come without it.
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise EngineError(
            "The encoder of BERTScore lacks weights.",
            f"{path}: {', '.join(missing[:3])}" + (" …" if len(missing) > 3 else ""),
            "config.json may belong to another model, or the download is incomplete.",
        )
    return model.to(device).eval()


def _find_context(path: Path, tokenizer: Any) -> int:
    """Tokens of a text with its [CLS] and [SEP]: what the tokenizer names, at most what the model
    has positions for."""
    positions = find_context_length(read_json(path / "config.json"))
    named = tokenizer.model_max_length
    limits = [one for one in (positions, named) if one is not None and 2 < one < _UNLIMITED]
    return int(min(limits, default=_USUAL_CONTEXT))
