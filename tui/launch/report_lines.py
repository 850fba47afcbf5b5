"""The companion's report on data, as panels show it: rows, lengths, templates, oddities.

The shapes are those of `engine.worker.data.report`. All text of the report is untrusted and is
cleaned here. What is learned has brackets about it, and not only a colour.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.unread import describe_unread
from engine.number_format import write_percent
from engine.text import clean, one_line
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece

Report = Mapping[str, Any]

LEARNED = "learned"
BAR = 40
"""Cells of the longest bar, where there is room."""
MOST_TOKENS = 1_500
"""Of one row: more is not shown, and said."""


def rows_lines(report: Report, glyphs: Glyphs) -> list[Line]:
    """Each row as training sees it."""
    lines: list[Line] = [[(f"! {one}", "warn")] for one in oddities(report)]
    lines += [[]] if lines else []
    lines += reject_lines(report)
    for row in report["rows"]:
        lines += [_row_head(row, glyphs), *token_lines(row["tokens"], glyphs)]
        if row["rejected"]:
            lines += [[("rejected answer", "dim")], *token_lines(row["rejected"], glyphs)]
        if row["removed"]:
            lines += [[("truncated: ", "warn"), (one_line(row["removed"]), "dim")]]
        lines.append([])
    return lines


def reject_lines(report: Report) -> list[Line]:
    """The first rows that cannot be used, with file, line and reason; how many more there are."""
    lines: list[Line] = []
    for one in report["rejects"]:
        where = f"{one_line(Path(one['file']).name)}:{one['line']}"
        lines.append([(f"invalid {where}: {one_line(one['reason'])}", "bad")])
    more = report["rejected"] - len(report["rejects"])
    if more > 0:
        lines.append([(f"and {more:,} more invalid", "bad")])
    if report["remedy"]:
        lines.append([(one_line(report["remedy"]), "dim")])
    return [*lines, []] if lines else []


def token_lines(tokens: Sequence[Report], glyphs: Glyphs) -> list[Line]:
    """The text of tokens; learned stretches in brackets, special tokens dim."""
    lines: list[list[Piece]] = [[]]
    inside = False
    for token in tokens[:MOST_TOKENS]:
        if token["learned"] != inside:
            inside = token["learned"]
            lines[-1].append((glyphs.opening if inside else glyphs.closing, LEARNED))
        role = LEARNED if inside else "dim" if token["special"] else ""
        first, *others = clean(token["text"]).split("\n")
        for text, goes_on in [(first, False), *((other, True) for other in others)]:
            if goes_on:
                lines.append([])
            if text:
                lines[-1].append((text, role))
    if inside:
        lines[-1].append((glyphs.closing, LEARNED))
    more = len(tokens) - MOST_TOKENS
    if more > 0:
        lines.append([(f"and {more:,} more tokens", "dim")])
    return [_joined(line) for line in lines]


def lengths_lines(report: Report, glyphs: Glyphs, cells: int) -> list[Line]:
    """A histogram of rows by tokens, `cells` wide, and what the limit takes away."""
    lengths = report["lengths"]
    if not lengths:
        return [[("no rows that this template accepts", "warn")], [], *reject_lines(report)]
    limit = report["too_long"]["max_length"]
    lines: list[Line] = [
        [("tokens per row  ", "dim")]
        + [
            (f"{name} {lengths[key]:,}  ", "strong" if key == "median" else "")
            for name, key in (
                ("median", "median"),
                ("p95", "p95"),
                ("min", "least"),
                ("max", "most"),
            )
        ],
        [],
    ]
    most = max(one["rows"] for one in lengths["bins"])
    width = max(len(f"{one['least']:,}-{one['most']:,}") for one in lengths["bins"])
    bar = max(4, min(BAR, cells - width - 26))
    for one in lengths["bins"]:
        span = f"{one['least']:,}-{one['most']:,}"
        full = -(-one["rows"] * bar // most)
        beyond = one["least"] > limit
        line = [(f"{span:>{width}}  ", "dim"), (glyphs.bar_full * full, "warn" if beyond else "")]
        line.append((f" {one['rows']:,}", ""))
        if one["least"] <= limit < one["most"]:
            line.append((f"  (max length {limit:,})", "dim"))
        elif beyond:
            line.append(("  longer than max length", "warn"))
        lines.append(line)
    return [*lines, [], *too_long_lines(report)]


def too_long_lines(report: Report) -> list[Line]:
    """How many rows the limit cuts or drops, and what the one that loses most loses."""
    long = report["too_long"]
    cut, dropped = long["cut"]["rows"], long["dropped"]["rows"]
    if not cut and not dropped:
        return [[(f"no rows longer than {long['max_length']:,} tokens", "good")]]
    lost = write_percent(long["share_of_learned"], 1)
    lines: list[Line] = [
        [
            (f"{cut:,} truncated, {dropped:,} dropped", "warn"),
            (f" at {long['max_length']:,} tokens: ", ""),
            (f"{lost} of the trained tokens are lost", "warn"),
        ]
    ]
    removed = long["removed"]
    if removed:
        where = one_line(Path(removed["source"]).name)
        lines.append([(f"longest cut, {where}: ", "dim"), (f"“{one_line(removed['text'])}”", "")])
    return lines


def template_lines(report: Report, glyphs: Glyphs) -> list[Line]:
    """The first row under every template; the one in use says so."""
    used = report["template"]
    lines: list[Line] = []
    for one in report["templates"]:
        template = one["template"]
        head: list[Piece] = [(one_line(template["name"]), "strong")]
        if template["system"]:
            head.append(("  with the system prompt", "dim"))
        if "tokens" not in one:
            lines += [[*head, (f"  {one_line(one['reason'])}", "bad")], []]
            continue
        head.append((f"  {_counts(one)}", "dim"))
        if (template["hash"], template["system"]) == (used["hash"], used["system"]):
            head.append((f"  {glyphs.done} in use", "good"))
        lines.append(head)
        lines += [[(one_line(note), "warn")] for note in template["notes"]]
        lines += [*token_lines(one["tokens"], glyphs), []]
    return lines


def oddities(report: Report) -> Iterator[str]:
    """What a person should know before these rows are learned."""
    bos, ends = report["bos"], report["ends"]
    yield from map(one_line, report["notes"])
    for note in report["template"]["notes"]:
        yield one_line(note)
    if report["labelled_false"]["rows"]:
        yield f"{report['labelled_false']['rows']:,} rows labelled false: not trained on"
    if report["greetings"]["rows"]:
        yield f"{report['greetings']['rows']:,} rows open with an answer: it is not trained on"
    if bos["several"]["rows"]:
        yield f"{bos['several']['rows']:,} rows start with two {one_line(bos['token'])}"
    if bos["wanted"] and bos["none"]["rows"]:
        yield f"{bos['none']['rows']:,} rows do not start with {one_line(bos['token'])}"
    if ends["endless"]["rows"]:
        yield f"{ends['endless']['rows']:,} answers have no end token"
    if report["marks"]["rows"]:
        yield f"the text of {report['marks']['rows']:,} rows contains special tokens"
    if report["seams"]["rows"]:
        yield f"{report['seams']['rows']:,} rows have a token that spans prompt and answer"
    yield from describe_unread(**report["unread"])


def facts(report: Report) -> list[str]:
    """What is known of the whole set, for one line."""
    data, long, sides = report["data"], report["too_long"], report["sides"]
    looked, total = data["looked_at"], data["rows"]
    where = f"in the first {looked:,} rows: " if total and looked < total else ""
    known = [one_line(data["schema"] or ""), f"{where}{report['rejected']:,} invalid"]
    for count, word in (
        (report["divided"]["rows"], f"rows of {report['divided']['examples']:,} conversations"),
        (long["cut"]["rows"], "truncated"),
        (long["dropped"]["rows"], "dropped"),
        (sides["duplicates"], "duplicates"),
        (sides["leaked"], "eval rows also in train"),
        (sides["asked"], "eval prompts also in train"),
    ):
        if count:
            known.append(f"{count:,} {word}")
    if replay := report["replay"]:
        known.append(f"{write_percent(replay['share'])} replayed")
    known.append(f"{report['learned_tokens']:,} trained tokens")
    return [fact for fact in known if fact]


def _row_head(row: Report, glyphs: Glyphs) -> Line:
    where = one_line(Path(row["source"]).name)
    counts = _counts(row) if row["kept"] else _token_count(row)
    line: list[Piece] = [(f"{where}  {counts}", "dim")]
    if row["parts"] > 1:
        line.append((f"  part {row['part']} of {row['parts']}", "dim"))
    if row["replayed"]:
        line.append(("  replayed", "strong"))
    if not row["kept"]:
        line.append((f"  {glyphs.failed} not trained: {one_line(row['reason'])}", "bad"))
    elif row["cut"]:
        line.append(("  ! truncated", "warn"))
    return line


def _counts(row: Report) -> str:
    return f"{_token_count(row)}, {row['learned']:,} trained"


def _token_count(row: Report) -> str:
    return f"{sum(len(one['ids']) for one in row['tokens']):,} tokens"


def _joined(line: Sequence[Piece]) -> Line:
    """Neighbours of one role as one piece: a word is then not broken between its tokens."""
    joined: list[Piece] = []
    for text, role in line:
        if joined and joined[-1][1] == role:
            joined[-1] = (joined[-1][0] + text, role)
        else:
            joined.append((text, role))
    return joined
