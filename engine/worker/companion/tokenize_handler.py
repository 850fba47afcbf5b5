"""The companion's request about tokenizers: several of them on the same texts and conversation.

A tokenizer that cannot be used says why, and does not keep the others from answering.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.chat import Message
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.jobs.summary import hub_name
from engine.tokenizers.tokenizer_output import TokenizerOutput, to_table
from engine.worker.companion import request_fields
from engine.worker.companion.model_pool import ModelPool
from engine.worker.companion.protocol import Cancelled, Event, Request
from engine.worker.tokenizers import load
from engine.worker.tokenizers.tokenize import added_around, kind_of, render, tokenize

MOST_TEXTS, MOST_TOKENIZERS = 200, 16
_KEPT = 6
"""Tokenizers that stay in memory, of those used last."""


class TokenizeHandler:
    """Answers requests about tokenizers; keeps the last few, for whoever types asks again."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool
        self._kept: OrderedDict[tuple[str, int], tuple[Any, tuple[str, ...]]] = OrderedDict()

    def tokenize(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"tokenizers", "texts", "messages", "forms", "answer_next"}: what tokenizers make of it.

        `tokenizers` are refs (see `load.load`), `texts` pairs of name and text, `forms` the
        templates that write `messages` down ("" is a tokenizer's own). An event `reading` for each
        tokenizer holds its `reading`: `engine.tokenizers.tokenizer_output.from_table` reads it.
        """
        refs, texts = _strings(request, "tokenizers"), _pairs(request.get("texts", []))
        turns = request.get("messages") or []
        messages = request_fields.parse_conversation(turns) if turns else []
        forms = _strings(request, "forms") if "forms" in request else ["", "raw"]
        opened = request.get("answer_next") is True
        runs = self._pool.runs()
        for output in self.read(refs, texts, messages, forms, runs, answer_next=opened):
            if cancelled():
                break
            yield {"event": "reading", "reading": to_table(output)}
        yield {"event": "done"}

    def read(
        self,
        refs: Sequence[str],
        texts: Sequence[tuple[str, str]],
        messages: Sequence[Message],
        forms: Sequence[str],
        runs: Sequence[Path],
        *,
        answer_next: bool = False,
    ) -> Iterator[TokenizerOutput]:
        """An output for each of `refs`: of each text (name, text), and of `messages` in each form.

        Raises EngineError where too much is asked; a tokenizer's own trouble stands in its output.
        """
        if not refs or len(refs) > MOST_TOKENIZERS or len(texts) > MOST_TEXTS:
            raise EngineError(
                "Too many tokenizers or texts." if refs else "No tokenizer given.",
                f"{len(refs)} tokenizers, {len(texts)} texts",
                f"Up to {MOST_TOKENIZERS} tokenizers and {MOST_TEXTS} texts at once.",
            )
        for ref, name in zip(refs, names_of(refs), strict=True):
            try:
                tokenizer, notes = self._load(ref, runs)
                yield TokenizerOutput(
                    ref,
                    name,
                    kind_of(tokenizer),
                    len(tokenizer),
                    added_around(tokenizer),
                    notes,
                    tuple(tokenize(tokenizer, name, text) for name, text in texts),
                    tuple(
                        render(tokenizer, messages, form, answer_next=answer_next)
                        for form in (forms if messages else ())
                    ),
                )
            except EngineError as error:
                yield TokenizerOutput(ref, name, trouble=(error.title, error.detail, error.hint))

    def _load(self, ref: str, runs: Sequence[Path]) -> tuple[Any, tuple[str, ...]]:
        path = load.find(ref, runs)
        changed = max((one.stat().st_mtime_ns for one in _files(path)), default=0)
        key = (str(path), changed)
        if key not in self._kept:
            self._kept[key] = load.load(ref, runs)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def names_of(refs: Sequence[str]) -> list[str]:
    """Short names that tell the tokenizers apart."""
    short = [_short(ref, 1) for ref in refs]
    return [
        name if short.count(name) == 1 else _short(ref, 2)
        for ref, name in zip(refs, short, strict=True)
    ]


def _short(ref: str, parts: int) -> str:
    if ref.startswith(("bundled:", RUN)):
        return ref.partition(":")[2]
    path = Path(ref)
    is_file = path.name in ("tokenizer.json", "tokenizer.model")
    folder = path.parent if is_file else path
    model = hub_name(str(folder))
    if model is not None:  # its folder is the hash of a commit, which tells two of them apart
        model += f"@{folder.name[:8]}" if parts > 1 else ""
        return f"{model}/{path.name}" if is_file else model
    return "/".join(path.parts[-parts - is_file :]) or ref


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [one for one in path.iterdir() if one.is_file() and "token" in one.name]


def _strings(request: Request, field: str) -> list[str]:
    value = request.get(field)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise EngineError(f"The request needs {field}, a list of strings.", repr(value)[:200])
    return value


def _pairs(value: object) -> list[tuple[str, str]]:
    """Names and texts."""
    right = isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one)
        for one in value
    )
    if not right or not isinstance(value, list):
        raise EngineError(
            "The request needs texts, a list of names and strings.", repr(value)[:200]
        )
    return [(one[0], one[1]) for one in value]
