"""Samples to take away: Markdown, CSV, JSONL, one HTML page, and the JSON of LLM Comparator.

Owns the formats; overwrites no file unasked. What models said is escaped for each format, so that
an answer can neither break the table nor run in a reader's browser.
"""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import output_file
from engine.answer_parts import split_text
from engine.chat import Message, ToolCall
from engine.compare.answer_length import measure
from engine.compare.arms import parse_arm
from engine.compare.repetition import basis_of, repetition
from engine.compare.samples import Sample, to_table
from engine.errors import EngineError
from engine.text import clean, spreadsheet_cell
from engine.tool_calls import format_call, same_call, tool_names
from engine.word_diff import compare


@dataclass(frozen=True, slots=True)
class PromptAnswers:
    """One prompt and what each arm answered; arms that did not are left out."""

    prompt_id: str
    prompt: str
    """The conversation up to the answer; the roles are named where there is more than one turn,
    and the arms where their earlier answers are not the same."""
    answers: Mapping[str, Sample]
    """By the arm's name."""


def pages(samples: Sequence[Sample]) -> list[PromptAnswers]:
    """The samples by prompt, in the order in which prompts first came; the newest of each counts.

    Raises EngineError where there is nothing to export.
    """
    if not samples:
        raise EngineError("No samples to export.", hint="Run finetop generate first.")
    by_prompt: dict[str, dict[str, Sample]] = {}
    for sample in samples:
        by_prompt.setdefault(sample.prompt_id, {})[parse_arm(sample.arm).name] = sample
    return [
        PromptAnswers(prompt, _prompt(answers), answers) for prompt, answers in by_prompt.items()
    ]


def as_jsonl(samples: Sequence[Sample]) -> str:
    """Every sample whole, with token ids, one JSON object a line."""
    return "".join(json.dumps(to_table(one), ensure_ascii=False) + "\n" for one in samples)


def as_csv(samples: Sequence[Sample]) -> str:
    """One line a sample: what was asked, by whom and how it was answered, and its counts.

    `answer` is all that was written, `words` counts what is said.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ("prompt_id", "prompt", "arm", "answer", "finish", "tokens", "words", "seconds",
         "temperature", "seed", "max_new_tokens", "template_hash", "dtype", "batch", "reasoning",
         "tool_calls", "malformed_calls", "lost_calls", "repeated_4grams", "repeated_counted_on")
    )  # fmt: skip
    for page in pages(samples) if samples else ():
        for name, one in page.answers.items():
            counts = measure(one)
            cells = (
                page.prompt_id, page.prompt, name, written_out(one), one.finish, counts.tokens,
                counts.words, f"{counts.seconds:.3f}", one.decode.temperature, one.seed,
                one.decode.max_new_tokens, one.template_hash, one.dtype, one.batch,
                one.parts.reasoning, _call_lines(one.parts.tool_calls),
                "\n".join(f"{each.text} ({each.reason})" for each in one.parts.malformed),
                _call_lines(one.parts.lost), f"{repetition(one):.4g}", basis_of(one),
            )  # fmt: skip
            writer.writerow(
                [spreadsheet_cell(cell) if isinstance(cell, str) else cell for cell in cells]
            )
    return out.getvalue()


def as_markdown(samples: Sequence[Sample]) -> str:
    """A section a prompt, the answers fenced, so that their own Markdown does nothing."""
    parts = ["# Answers compared\n"]
    for page in pages(samples):
        parts.append(f"## {_plain(page.prompt_id)}\n\n{_fenced(page.prompt)}")
        for name, one in page.answers.items():
            parts.append(f"**{_plain(name)}** · {_about(one)}\n\n{_fenced(written_out(one))}")
    return "\n".join(parts)


def as_html(samples: Sequence[Sample]) -> str:
    """One page that needs nothing else: no script, no font, no address outside of it.

    With two arms, the words that only one of them has are marked, and not by colour alone.
    """
    body = []
    for page in pages(samples):
        texts = {name: html.escape(clean(written_out(one))) for name, one in page.answers.items()}
        if len(texts) == 2:
            texts = dict(zip(texts, _marked(*page.answers.values()), strict=True))
        cells = "".join(
            f"<div><h3>{html.escape(clean(name))}</h3><pre dir=auto>{texts[name]}</pre>"
            f"<p>{html.escape(_about(one))}</p></div>"
            for name, one in page.answers.items()
        )
        body.append(
            f"<section><h2>{html.escape(clean(page.prompt_id))}</h2>"
            f"<pre class=prompt dir=auto>{html.escape(clean(page.prompt))}</pre>"
            f"<div class=arms>{cells}</div></section>"
        )
    return _HTML.replace("BODY", "\n".join(body))


def as_llm_comparator(
    samples: Sequence[Sample],
    scores: Mapping[str, float] | None = None,
    skills: Mapping[str, str] | None = None,
) -> str:
    """The JSON file of PAIR's LLM Comparator, for the first two arms.

    Both by prompt id: `scores` are positive where the first arm is better, `skills` become tags.
    Raises EngineError where no prompt was answered by two arms.
    """
    both = [page for page in pages(samples) if len(page.answers) >= 2]
    if not both:
        raise EngineError(
            "No prompt has answers from two arms.", hint="LLM Comparator needs two models."
        )
    first, second = list(both[0].answers)[:2]
    examples = []
    for page in both:
        if first in page.answers and second in page.answers:
            examples.append(
                {
                    "input_text": page.prompt,
                    "tags": [skill] if (skill := (skills or {}).get(page.prompt_id)) else [],
                    "output_text_a": written_out(page.answers[first]),
                    "output_text_b": written_out(page.answers[second]),
                    "score": (scores or {}).get(page.prompt_id, 0.0),
                    "individual_rater_scores": [],
                    "custom_fields": {"prompt_id": page.prompt_id},
                }
            )
    table = {
        "metadata": {
            "source_path": "finetop",
            "custom_fields_schema": [{"name": "prompt_id", "type": "string"}],
        },
        "models": [{"name": first}, {"name": second}],
        "examples": examples,
    }
    return json.dumps(table, ensure_ascii=False, indent=1) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Sample]], str]] = {
    ".md": as_markdown,
    ".csv": as_csv,
    ".jsonl": as_jsonl,
    ".html": as_html,
    ".json": as_llm_comparator,
}
"""By the suffix of the file that is asked for."""


def write(
    path: Path,
    samples: Sequence[Sample],
    scores: Mapping[str, float] | None = None,
    skills: Mapping[str, str] | None = None,
    *,
    force: bool = False,
    hint: str = "Choose another name.",
) -> None:
    """Write samples in the format of the file's suffix, whole or not at all.

    `scores` and `skills` as for `as_llm_comparator`, `force` and `hint` as for `output_file`.
    Raises EngineError.
    """
    check(path, force=force, hint=hint)
    if path.suffix == ".json":
        text = as_llm_comparator(samples, scores, skills)
    else:
        text = FORMATS[path.suffix](samples)
    output_file.write(path, [text.encode("utf-8", "backslashreplace")], force=force, hint=hint)


def check(path: Path, *, force: bool = False, hint: str = "Choose another name.") -> None:
    """Raise EngineError where the suffix is of no format, or no file can be written there."""
    if path.suffix not in FORMATS:
        raise EngineError(
            "Unknown export format.",
            f"{path}: {path.suffix or 'no suffix'}",
            f"Use one of the suffixes {', '.join(FORMATS)}; .json is for LLM Comparator.",
        )
    output_file.check(path, force=force, hint=hint)


def only(samples: Sequence[Sample], arms: Sequence[str]) -> list[Sample]:
    """The samples of these arms, by name, those of the first before those of the second.

    Raises EngineError where an arm has none.
    """
    by_name: dict[str, list[Sample]] = {}
    for one in samples:
        by_name.setdefault(parse_arm(one.arm).name, []).append(one)
    missing = [name for name in arms if name not in by_name]
    if missing:
        raise EngineError(f"Unknown arm {missing[0]!r}.", f"Arms: {', '.join(by_name) or 'none'}.")
    return [one for name in arms for one in by_name[name]]


def written_out(sample: Sample) -> str:
    """An answer as one text: as it was written, with the calls that a server delivered apart."""
    written = split_text(sample.text)
    found = (*written.tool_calls, *written.lost)
    apart = [
        call for call in sample.parts.tool_calls if not any(same_call(call, one) for one in found)
    ]
    garbled = [one.text for one in sample.parts.malformed if one not in written.malformed]
    return "\n".join(filter(None, (sample.text, _call_lines(apart), *garbled)))


def _call_lines(calls: Sequence[ToolCall]) -> str:
    return "\n".join(map(format_call, calls))


def _prompt(answers: Mapping[str, Sample]) -> str:
    first = next(iter(answers.values()))
    offered = {name: ", ".join(tool_names(one.tools)) for name, one in answers.items()}
    if len(set(offered.values())) == 1:
        offered = {"": offered[next(iter(offered))]}
    tools = [
        f"tools{f' ({name})' if name else ''}: {names}" for name, names in offered.items() if names
    ]
    if len(first.messages) == 1:
        return "\n\n".join([*tools, _content(first.messages[0])])
    turns = []
    for at, message in enumerate(first.messages):
        last_turns = {name: one.messages[at : at + 1] for name, one in answers.items()}
        if len(set(last_turns.values())) == 1:
            turns.append(f"{message.role}: {_content(message)}")
        else:
            turns += [
                f"{one.role} ({name}): {_content(one)}"
                for name in last_turns
                for one in last_turns[name]
            ]
    return "\n\n".join([*tools, *turns])


def _content(message: Message) -> str:
    """What a turn says, and what it calls."""
    return "\n".join(filter(None, (message.content, _call_lines(message.tool_calls))))


def _about(sample: Sample) -> str:
    counts, decode = measure(sample), sample.decode
    how = (
        "greedy" if decode.temperature == 0 else f"temp {decode.temperature:g}, seed {sample.seed}"
    )
    calls = f"{counts.calls} call{'s' * (counts.calls != 1)} · " if counts.calls else ""
    return f"{counts.words} words · {calls}{counts.ended} · {how} · {counts.seconds:.1f} s"


def _plain(text: str) -> str:
    """A name within Markdown, without a meaning there."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~])", r"\\\1", clean(text).replace("\n", " "))


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{clean(text)}\n{fence}\n"


def _marked(left: Sample, right: Sample) -> tuple[str, str]:
    sides = ["", ""]
    for change in compare(clean(written_out(left)), clean(written_out(right))).changes:
        for at, text in enumerate((change.left, change.right)):
            escaped = html.escape(text)
            sides[at] += f"<mark>{escaped}</mark>" if change.kind != "same" and text else escaped
    return sides[0], sides[1]


_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Answers compared</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
section{border-top:1px solid #8888;margin-top:2rem}
.arms{display:flex;gap:1.5rem;flex-wrap:wrap}.arms>div{flex:1 1 20rem;min-width:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;margin:.5rem 0}
.prompt{opacity:.75}mark{background:none;color:inherit;border-bottom:2px solid #d80;font-weight:600}
p{opacity:.6;font-size:.85em}
</style></head><body><h1>Answers compared</h1>
BODY
</body></html>
"""
