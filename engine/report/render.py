"""From the inputs of a report to its files: a pure function, the same bytes everywhere.

Owns the names of the files. Reads no clock, no locale, no disk and no environment.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.charts.svg import draw
from engine.impact.changes.control_json import controls_to_json
from engine.impact.changes.table_json import table_to_json
from engine.impact.changes.tradeoff_json import tradeoff_to_json
from engine.json_output import format_json
from engine.judge.judge_report import result_to_json
from engine.report.blocks import Plot, Section
from engine.report.csv_files import CSV_FILES, write_csv
from engine.report.html_page import write_html
from engine.report.json_values import round_numbers, to_json
from engine.report.limits import list_detectable, list_limits
from engine.report.markdown_page import write_markdown
from engine.report.report_inputs import VERSION, ReportInputs, decode_inputs
from engine.report.report_values import ReportValues, compute_values
from engine.report.sections import list_sections
from engine.report.sentences import list_sentences

SUMS = "SHA256SUMS"
"""Of every other file, as `sha256sum -c` reads it."""
MARKDOWN, HTML, JSON = "report.md", "report.html", "report.json"


def render_report(data: Mapping[str, bytes]) -> dict[str, bytes]:
    """All files of a report by name, the inputs among them, from the content of its inputs.

    Raises EngineError where these are damaged.
    """
    files = dict(data)
    for name, pieces in render_pages(decode_inputs(data)):
        files[name] = "".join(pieces).encode("utf-8", "backslashreplace")
    files[SUMS] = write_sums(files)
    return files


def render_pages(inputs: ReportInputs) -> Iterator[tuple[str, Iterable[str]]]:
    """Each file by name, but for inputs and sums."""
    values = compute_values(inputs)
    sections = tuple(list_sections(values))
    title = name_report(values)
    yield MARKDOWN, write_markdown(title, sections)
    yield HTML, write_html(title, sections)
    yield JSON, [_encode(values)]
    for name, list_rows in CSV_FILES.items():
        yield name, write_csv(list_rows(values))
    for plot in _list_plots(sections):
        yield f"figures/{plot.name}.svg", [draw(plot.sketch)]


def name_report(values: ReportValues) -> str:
    """The title: what was compared."""
    arms = values.table.arms
    if len(arms) == 1:
        return f"Report on {arms[0]}"
    others = f", and {len(arms) - 2} more" if len(arms) > 2 else ""
    return f"Report: {values.last} against {values.base}{others}"


def write_sums(files: Mapping[str, bytes]) -> bytes:
    """A line for each file, in order of name."""
    return format_sums(
        {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    )


def format_sums(digests: Mapping[str, str]) -> bytes:
    """`SHA256SUMS` of files by their names, as `sha256sum -c` reads it, in order of name."""
    lines = (f"{digests[name]}  {name}\n" for name in sorted(digests) if name != SUMS)
    return "".join(lines).encode()


def read_sums(content: bytes) -> Iterable[tuple[str, str]]:
    """Name and digest of each line that `format_sums` wrote."""
    for line in content.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _list_plots(sections: Iterable[Section]) -> Iterator[Plot]:
    for section in sections:
        yield from (block for block in section.blocks if isinstance(block, Plot))


def _encode(values: ReportValues) -> str:
    """`report.json`: strict JSON without any terminal control."""
    table: dict[str, Any] = {
        "version": VERSION,
        "sentences": list(list_sentences(values)),
        "table": table_to_json(values.table, values.summary),
        "format": [
            {"skill": skill, "arm": one.arm, "suite": verdict.suite, "word": verdict.word,
             "items": verdict.items, "reason": verdict.reason or None}
            for skill, compared in values.formats.items()
            for one in compared
            for verdict in one.asked
        ],
        "runs": to_json(values.facts.runs),
        "aspects": to_json(values.facts.aspects),
        "votes": to_json(values.facts.votes),
        "judges": [
            {"id": facts.id, "judged": facts.judged, "state": facts.state, "judge": facts.name,
             "model": facts.model, "reading": facts.reading, "prompt": facts.prompt,
             "arms": [facts.left, facts.right], **result_to_json(result),
             "notes": list(facts.notes)}
            for facts, result in zip(values.facts.judges, values.judges, strict=True)
        ],
        "telling": to_json(values.telling),
        "tradeoff": tradeoff_to_json(values.tradeoff.tradeoff, values.tradeoff.table)
        if values.tradeoff
        else None,
        "controls": controls_to_json(values.controls, values.power),
        "detectable": {row.name: least for row, _, least in list_detectable(values)},
        "limits": list(list_limits(values)),
    }  # fmt: skip
    return format_json(round_numbers(table)) + "\n"
