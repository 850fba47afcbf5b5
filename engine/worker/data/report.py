"""What training would learn from a data set, before anything is trained: one report as JSON.

Looks at the first rows of the file, so that a big one answers soon, and says how many. Changes no
row: what is odd (a second BOS, marks in the text, answers without an end) is counted and told.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from engine.data import rows
from engine.data.rows import Example, Reject
from engine.data.unpaired import LABELLED_FALSE
from engine.recipes.settings import Data, Replay
from engine.worker.data import lengths
from engine.worker.data.chat_template import FORMS, SUFFIXES, leading_ids, own_template, prompt_ids
from engine.worker.data.encode import IGNORE_INDEX, Encoded, Template, end_token_ids, suggest_remedy
from engine.worker.data.loss_spans import drop_refused_greeting, opens_with_answer
from engine.worker.data.preview import (
    MOST_TEXT,
    PreviewRow,
    Shown,
    about,
    encode_rows,
    show_row,
    side_by_side,
    special_ids,
)
from engine.worker.data.replay import count_rows, open_pool
from engine.worker.data.split import RowExamples, describe_sources
from engine.worker.data.survey import compare_sides, open_survey, part_sides
from engine.worker.tokenizers.detokenize import decode_ids

SAMPLE = 2000
"""Rows that are looked at where nothing else is asked for."""
SHOWN = 3
"""Rows whose tokens are shown."""
SHOWN_REJECTS = 5
_SLICE = 50
"""Rows between two looks at whether the request was cancelled."""


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What is asked of an inspection."""

    data: Data
    sample: int = SAMPLE
    shown: int = SHOWN
    templates: bool = False
    """Whether the first row is shown under every template."""
    seed: int = 7
    """Of the split, as `training.seed`."""
    runs: tuple[Path, ...] = ()
    """Job directories that `run:ID` may mean."""
    replay: Replay = Replay()
    """What is mixed in."""
    embeddings: int | None = None
    """How many tokens the model knows."""
    objective: str = "sft"
    """As `training.objective`."""
    length_note: str = ""
    """What is said of rows that may be longer than its context."""


@dataclass(slots=True)
class Occurrences:
    """One oddity: how often, and where first."""

    rows: int = 0
    example: str = ""
    """`path:line` of the first."""

    def add(self, row: PreviewRow) -> None:
        self.rows += 1
        self.example = self.example or row.example.source


@dataclass(slots=True)
class Findings:
    """What was counted over the rows that a template takes."""

    bos: dict[int, Occurrences] = field(
        default_factory=lambda: {0: Occurrences(), 1: Occurrences(), 2: Occurrences()}
    )
    """By how many BOS tokens a row has; 2 is two or more."""
    marks: Occurrences = field(default_factory=Occurrences)
    """Rows whose own text holds special tokens."""
    endless: Occurrences = field(default_factory=Occurrences)
    """Rows with an answer that ends in no end token, though nothing was cut."""
    seams: Occurrences = field(default_factory=Occurrences)
    """Rows whose prompt, alone, becomes other tokens than before its answer."""
    greetings: Occurrences = field(default_factory=Occurrences)
    """Rows of the data that open with an answer, which is not trained on."""
    unusable_pairs: Occurrences = field(default_factory=Occurrences)
    """Rows that are trained on, and have a rejected answer that DPO could not use."""
    kept: int = 0
    cut: Occurrences = field(default_factory=Occurrences)
    """Rows that are shortened and kept."""
    dropped: Occurrences = field(default_factory=Occurrences)
    """Rows that are too long to be kept."""
    target_tokens: int = 0
    """Trained tokens of the rows that are kept."""
    target_tokens_uncut: int = 0
    """Those there would be without a limit."""


def inspect(
    request: ReportRequest, tokenizer: Any, template: Template, cancelled: Callable[[], bool]
) -> Iterator[Shown | None]:
    """The report, after a None for each slice of the work; nothing more once it is cancelled.

    Raises EngineError for data that cannot be read.
    """
    if request.objective == "dpo":
        request = replace(request, data=replace(request.data, answers="chosen"))
    survey = open_survey(request.data, request.runs, request.objective)
    dataset = survey.dataset
    good_rows: list[tuple[Example, ...]] = []
    rejects: list[Reject] = []
    encoded: list[PreviewRow] = []
    limit = min(request.sample, request.data.limit or request.sample)
    for looked, one in enumerate(islice(survey.file.rows, limit), 1):
        if isinstance(one, Reject):
            rejects.append(one)
        else:
            good_rows.append(one)
            for example in one:
                encoded += _encode_rows(example, tokenizer, template, request)
        if looked % _SLICE == 0:
            yield None
            if cancelled():
                return
    if not good_rows:
        raise rows.refuse_all(dataset.path, rejects, whole=True)
    unread, labelled_false = survey.file.unread, _count_labelled_false(rejects)
    looked_at = len(good_rows) + len(rejects)
    rejects = [reject for reject in rejects if reject.reason != LABELLED_FALSE]
    train, held_out = part_sides(survey, good_rows, request.data, request.seed, request.sample)
    good = [row for row in encoded if row.whole.kept]
    counted = look(good, tokenizer, template)
    refused = [_reject(row) for row in encoded if not row.taken.kept]
    bad = sorted([*rejects, *refused], key=lambda one: (one.file, one.line))
    measured = lengths.measure([len(row.whole.input_ids) for row in good]) if good else None
    replayed = _replayed(request, held_out, tokenizer, template)
    cut = max(good, key=lambda row: (row.removed_target_tokens, len(row.removed)), default=None)
    yield {
        "data": {
            "ref": dataset.ref,
            "path": str(dataset.path),
            "schema": survey.file.schema,
            "columns": {
                field: column
                for field, column in survey.columns.items()
                if column not in unread.columns
            },
            "unused": list(unread.columns),
            "labels": list(survey.file.labels),
            "rows": dataset.rows,
            "estimated": dataset.estimated,
            "looked_at": looked_at,
        },
        "unread": asdict(unread),
        "labelled_false": asdict(labelled_false),
        "greetings": asdict(counted.greetings),
        "unusable_pairs": asdict(counted.unusable_pairs),
        "sides": compare_sides(train, held_out),
        "rejected": len(bad),
        "rejects": [asdict(one) for one in bad[:SHOWN_REJECTS]],
        "remedy": suggest_remedy(one.reason for one in refused) if refused else "",
        "notes": [
            *([request.length_note] if request.length_note else []),
            *describe_sources(train, held_out, request.data),
        ],
        "template": about(template),
        "rows": [
            *(show_row(row, tokenizer) for row in encoded[: request.shown]),
            *(show_row(row, tokenizer, replayed=True) for row in _some(replayed, request)),
        ],
        "replay": _about_replay(replayed, request.replay) if replayed else None,
        "lengths": asdict(measured) if measured else None,
        "learned_tokens": counted.target_tokens,
        "kept": counted.kept,
        "divided": {
            "examples": sum(row.part == 1 for row in encoded if row.parts > 1),
            "rows": sum(row.parts > 1 for row in encoded),
        },
        "too_long": {
            "max_length": request.data.max_length,
            "policy": request.data.too_long,
            "cut": asdict(counted.cut),
            "dropped": asdict(counted.dropped),
            "share_of_learned": 1 - counted.target_tokens / counted.target_tokens_uncut
            if counted.target_tokens_uncut
            else 0.0,
            "removed": _removed(cut, tokenizer),
        },
        "bos": _bos(counted, tokenizer),
        "ends": {
            "tokens": [
                decode_ids(tokenizer, [one]) for one in sorted(end_token_ids(tokenizer, template))
            ],
            "endless": asdict(counted.endless),
        },
        "marks": asdict(counted.marks),
        "seams": asdict(counted.seams),
        "templates": _templates(request, good_rows[0][0], tokenizer) if request.templates else [],
    }


def look(good: Sequence[PreviewRow], tokenizer: Any, template: Template) -> Findings:
    """Count what a person should know of these rows, each of which the template takes."""
    findings = Findings()
    ends = end_token_ids(tokenizer, template)
    marks = _marks(tokenizer)
    for row in good:
        findings.bos[min(2, count_bos(row.whole, tokenizer))].add(row)
        findings.target_tokens_uncut += row.whole.target_tokens
        if row.taken.kept:
            findings.kept += 1
            findings.target_tokens += row.taken.target_tokens
        if row.taken.cut:
            (findings.cut if row.taken.kept else findings.dropped).add(row)
        if not begins_with_prompt(row, tokenizer, template):
            findings.seams.add(row)
        if any(last not in ends for last in last_target_tokens(row.whole)):
            findings.endless.add(row)
        texts = [message.content for message in row.example.messages] or [row.example.text]
        if any(marks.search(text) for text in texts):
            findings.marks.add(row)
        if row.part == 1 and opens_with_answer(row.example.messages):
            findings.greetings.add(row)
        if row.taken.kept and row.rejected is not None and not row.rejected.kept:
            findings.unusable_pairs.add(row)
    return findings


def _count_labelled_false(rejects: Sequence[Reject]) -> Occurrences:
    found = [reject for reject in rejects if reject.reason == LABELLED_FALSE]
    return Occurrences(len(found), f"{found[0].file}:{found[0].line}" if found else "")


def _encode_rows(
    example: Example, tokenizer: Any, template: Template, request: ReportRequest
) -> list[PreviewRow]:
    return encode_rows(
        example, tokenizer, template, request.data, request.embeddings, request.objective
    )


def count_bos(row: Encoded, tokenizer: Any) -> int:
    """BOS tokens of a row. Where the end token is the same one, only those that it begins with."""
    bos = tokenizer.bos_token_id
    if bos is None:
        return 0
    if bos != tokenizer.eos_token_id:
        return row.input_ids.count(bos)
    return next((at for at, one in enumerate(row.input_ids) if one != bos), len(row.input_ids))


def last_target_tokens(row: Encoded) -> list[int]:
    """The last token of each trained stretch: of each answer, where templates part them."""
    following = [*row.labels[1:], IGNORE_INDEX]
    return [
        label
        for label, after in zip(row.labels, following, strict=True)
        if label != IGNORE_INDEX and after == IGNORE_INDEX
    ]


def begins_with_prompt(row: PreviewRow, tokenizer: Any, template: Template) -> bool:
    """Whether a conversation, encoded, begins with what the model is given to answer.

    Not so where a token reaches over the seam, as `: ` and ` joy` do: what is answered is then not
    quite what was trained.
    """
    if not row.whole.answers:
        return True
    before = row.example.messages[: row.whole.answers[-1]]
    messages = drop_refused_greeting(before, tokenizer, template)
    prompt = template.render(messages, tokenizer, answer_next=True)
    ids = prompt_ids(prompt, tokenizer, None)
    return row.whole.input_ids[: len(ids)] == ids


def _marks(tokenizer: Any) -> re.Pattern[str]:
    """Any special token as text; white space that some tokenizers add is none."""
    words = {str(one) for one in tokenizer.added_tokens_decoder.values()}
    words |= {decode_ids(tokenizer, [one]) for one in special_ids(tokenizer)}
    known = sorted((re.escape(word) for word in words if word.strip()), key=len, reverse=True)
    return re.compile("|".join(known) or r"\Z.")


def _bos(findings: Findings, tokenizer: Any) -> Shown:
    return {
        "token": tokenizer.bos_token or "",
        "wanted": bool(leading_ids(tokenizer)),
        "none": asdict(findings.bos[0]),
        "one": asdict(findings.bos[1]),
        "several": asdict(findings.bos[2]),
    }


def _removed(row: PreviewRow | None, tokenizer: Any) -> Shown | None:
    """What the row that loses most loses; None where no row loses anything."""
    if row is None or not row.taken.cut:
        return None
    ids = row.removed if row.taken.kept else row.whole.input_ids
    return {"source": row.example.source, "text": decode_ids(tokenizer, ids)[:MOST_TEXT]}


def _reject(row: PreviewRow) -> Reject:
    file, _, line = row.example.source.rpartition(":")
    texts = [message.content for message in row.example.messages] or [row.example.text]
    return Reject(file, int(line), row.taken.reason, texts[-1][:MOST_TEXT])


def _replayed(
    request: ReportRequest, held_out: Sequence[RowExamples], tokenizer: Any, template: Template
) -> list[PreviewRow]:
    """What may be replayed, of the first rows of its data; nothing where nothing is mixed in."""
    if not request.replay.data or not request.replay.share:
        return []
    pool = open_pool(
        request.replay, held_out, request.data, request.seed, request.runs, first=request.sample
    )
    each = (example for row in pool.rows for example in row)
    return [row for example in each for row in _encode_rows(example, tokenizer, template, request)]


def _some(replayed: Sequence[PreviewRow], request: ReportRequest) -> Sequence[PreviewRow]:
    """As many as are mixed into the rows that are shown; one at least, and no more than those."""
    return replayed[: min(request.shown, max(1, count_rows(request.shown, request.replay.share)))]


def _about_replay(replayed: Sequence[PreviewRow], replay: Replay) -> Shown:
    """Of the rows that are taken: how many, and all their tokens, as training has them."""
    encoded = [row.taken for row in replayed if row.taken.kept]
    return {
        "ref": replay.data,
        "share": replay.share,
        "looked_at": len(replayed),
        "kept": len(encoded),
        "tokens": sum(len(row.input_ids) for row in encoded),
        "learned_tokens": sum(row.target_tokens for row in encoded),
        "most": max((len(row.input_ids) for row in encoded), default=0),
    }


def _templates(request: ReportRequest, example: Example, tokenizer: Any) -> list[Shown]:
    """An example under each form, the user's own file last; `chat` only where there is one."""
    forms = [form for form in FORMS if form != "chat" or own_template(tokenizer) is not None]
    if request.data.template.endswith(SUFFIXES):
        forms.append(request.data.template)
    return side_by_side(example, tokenizer, request.data, forms, request.embeddings)
