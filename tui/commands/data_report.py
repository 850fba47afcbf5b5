"""The report of `finetop data inspect` as lines of text, for a terminal or a file.

Trained text is between marks, so that no information is in colour alone. All text comes from
untrusted data and templates: it is cleaned here.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from engine.data.unread import describe_unread
from engine.number_format import write_percent
from engine.text import clean, one_line
from tui.glyphs import Glyphs

Report = Mapping[str, Any]
_LONGEST = 30
"""Lines of a row; the rest is counted."""
_BAR = 40
_LEARNED, _SPECIAL, _STRONG, _QUIET, _WARNING = "1;32", "36", "1", "2", "1;33"


@dataclass(frozen=True, slots=True)
class ReportStyle:
    """Where it is written."""

    glyphs: Glyphs
    width: int
    coloured: bool

    @property
    def marks(self) -> tuple[str, str, str]:
        """Before and after trained text, and in place of a newline."""
        return ("<<", ">>", "\\n") if self.glyphs.is_ascii else ("‹", "›", "⏎")

    def write(self, report: Report) -> Iterator[str]:
        """All of it, section by section."""
        yield from self._data(report)
        yield from self._template(report)
        opening, closing, _ = self.marks
        learned = self._style(f"{opening}trained{closing}", _LEARNED)
        yield from [
            "",
            self._style("rows", _STRONG) + f"  {learned} = in the loss; the rest is context",
        ]
        for number, row in enumerate(report["rows"], 1):
            yield from self._row(f"row {number}", row)
        yield from self._lengths(report)
        yield from self._too_long(report["too_long"], report)
        if report["templates"]:
            yield from ["", self._style("first row with each template", _STRONG)]
        for shown in report["templates"]:
            yield from self._under(shown)

    def _data(self, report: Report) -> Iterator[str]:
        data, sides = report["data"], report["sides"]
        yield self._style(one_line(data["ref"]), _STRONG) + f"  {one_line(data['schema'])}"
        columns = ", ".join(
            field if field == column else f"{field} = {column}"
            for field, column in data["columns"].items()
        )
        yield from self._fact("columns", columns)
        if data["labels"]:
            yield from self._fact("labels", ", ".join(data["labels"]))
        looked, total = data["looked_at"], data["rows"]
        about = "about " if data["estimated"] else ""
        of = f" of {about}{total:,}" if total and total > looked else ""
        yield from self._fact(
            "rows read",
            f"{looked:,} rows{of}: {report['kept']:,} usable, {report['rejected']:,} rejected",
        )
        if divided := report["divided"]["examples"]:
            yield from self._fact(
                "divided",
                f"{divided:,} conversations are {report['divided']['rows']:,} training rows; "
                "usable and rejected count training rows",
            )
        yield from self._fact(
            "sides",
            f"{sides['train']:,} train, {sides['eval']:,} eval; {sides['duplicates']:,} duplicates "
            f"in train; {sides['leaked']:,} eval rows occur in train, "
            f"{sides['asked']:,} occur with another answer",
            _WARNING if sides["leaked"] else "",
        )
        if left_out := report["labelled_false"]["rows"]:
            where = _short(report["labelled_false"]["example"])
            yield from self._fact(
                "!", f"{left_out:,} rows labelled false are not trained on, e.g. {where}", _WARNING
            )
        if greetings := report["greetings"]["rows"]:
            where = _short(report["greetings"]["example"])
            yield from self._fact(
                "!", f"{greetings:,} rows open with an answer to nothing, e.g. {where}: it is not "
                "trained on", _WARNING,
            )  # fmt: skip
        if pairs := report["unusable_pairs"]["rows"]:
            where = _short(report["unusable_pairs"]["example"])
            yield from self._fact(
                "!", f"{pairs:,} rows have a rejected answer that DPO could not use, e.g. {where}",
                _WARNING,
            )  # fmt: skip
        for line in describe_unread(**report["unread"]):
            yield from self._fact("!", line, _WARNING)
        if replay := report["replay"]:
            yield from self._fact(
                "replay",
                f"{write_percent(replay['share'])} of all rows from {replay['ref']}: "
                f"{replay['looked_at']:,} read, {replay['kept']:,} usable, "
                f"max {replay['most']:,} tokens",
            )
        for reject in report["rejects"]:
            where = f"{os.path.basename(reject['file'])}:{reject['line']}"
            yield from self._fact("rejected", f"{where}: {reject['reason']}", _WARNING)
        more = report["rejected"] - len(report["rejects"])
        if more > 0:
            yield from self._fact("", f"and {more:,} more")
        if report["remedy"]:
            yield from self._fact("hint", report["remedy"])

    def _template(self, report: Report) -> Iterator[str]:
        template, bos, ends = report["template"], report["bos"], report["ends"]
        yield from self._fact("template", f"{template['name']}  {template['hash'][:12]}")
        if template["system"]:
            yield from self._fact("system", template["system"])
        for note in [*report["notes"], *template["notes"]]:
            yield from self._fact("note", note)
        if not bos["token"]:
            yield from self._fact("BOS", "the tokenizer has none")
        else:
            counts = [("none", "none"), ("one", "one"), ("several", "two or more")]
            said = ", ".join(
                f"{bos[key]['rows']:,} rows have {words}"
                for key, words in counts
                if bos[key]["rows"]
            )
            yield from self._fact("BOS", f"{bos['token']}: {said or 'no usable row'}")
        if bos["several"]["rows"]:
            where = _short(bos["several"]["example"])
            yield from self._fact(
                "!", f"two BOS tokens, e.g. in {where}: the template or the row adds one", _WARNING
            )
        yield from self._fact("end", f"answers end with {' or '.join(ends['tokens'])}")
        if ends["endless"]["rows"]:
            yield from self._fact(
                "!", f"{ends['endless']['rows']:,} rows have an answer without an end token, "
                f"e.g. {_short(ends['endless']['example'])}", _WARNING,
            )  # fmt: skip
        if report["marks"]["rows"]:
            yield from self._fact(
                "!", f"{report['marks']['rows']:,} rows contain special tokens as text, e.g. "
                f"{_short(report['marks']['example'])}: they are encoded as special "
                "tokens", _WARNING,
            )  # fmt: skip

        if report["seams"]["rows"]:
            yield from self._fact(
                "!", f"{report['seams']['rows']:,} rows have a token that spans the end of the "
                     "prompt "
                f"and the start of the answer, e.g. {_short(report['seams']['example'])}: at "
                "inference "
                "the prompt is tokenized differently than in training", _WARNING,
            )  # fmt: skip

    def _row(self, title: str, row: Report) -> Iterator[str]:
        size = sum(len(token["ids"]) for token in row["tokens"])
        about = f"{title}  {_short(row['source'])}  {size:,} tokens, {row['learned']:,} trained"
        if row["parts"] > 1:
            about += f", part {row['part']} of {row['parts']}"
        about += ", replayed" if row["replayed"] else ""
        yield from ["", self._style(about, _QUIET)]
        if not row["kept"]:
            yield from self._fact("rejected", row["reason"], _WARNING)
        yield from self._tokens(row["tokens"])
        if row["rejected"]:
            yield self._style("  rejected answer:", _QUIET)
            yield from self._tokens(row["rejected"])
        if row["removed"]:
            yield from self._fact("truncated", _excerpt(row["removed"]), _WARNING)

    def _under(self, shown: Report) -> Iterator[str]:
        template = shown["template"]
        system = " with the system prompt" if template["system"] else ""
        if "tokens" not in shown:
            yield from ["", f"{template['name']}{system}: {one_line(shown['reason'])}"]
            return
        yield from self._row(f"{one_line(template['name'])}{system} {template['hash'][:12]}", shown)
        for note in template["notes"]:
            yield from self._fact("note", note)

    def _lengths(self, report: Report) -> Iterator[str]:
        lengths = report["lengths"]
        if lengths is None:
            return
        yield ""
        yield self._style("lengths", _STRONG) + (
            f"  tokens per row: min {lengths['least']:,}, median {lengths['median']:,}, "
            f"95th percentile {lengths['p95']:,}, max {lengths['most']:,}"
        )
        largest = max(one["rows"] for one in lengths["bins"])
        names = [f"{one['least']:,}-{one['most']:,}" for one in lengths["bins"]]
        wide = max(map(len, names))
        room = max(5, min(_BAR, self.width - wide - 12))
        for name, one in zip(names, lengths["bins"], strict=True):
            full = max(round(room * one["rows"] / largest), one["rows"] > 0)
            bar = self.glyphs.bar_full * full
            yield f"  {name:>{wide}}  {bar:<{room}}  {one['rows']:,}".rstrip()

    def _too_long(self, too_long: Report, report: Report) -> Iterator[str]:
        cut, dropped = too_long["cut"]["rows"], too_long["dropped"]["rows"]
        limit, share = too_long["max_length"], too_long["share_of_learned"]
        yield ""
        head = self._style("too long", _STRONG)
        if not cut and not dropped:
            yield f"{head}  no rows longer than {limit:,} tokens"
            return
        of = report["lengths"]["rows"]
        yield from self._wrap(
            f"too long  {cut:,} of {of:,} rows are truncated at {limit:,} tokens, {dropped:,} "
            f"dropped; {write_percent(share, 1)} of the trained tokens are lost",
            "",
            _WARNING,
        )
        if too_long["removed"]:
            where = _short(too_long["removed"]["source"])
            yield from self._fact("lost", f"{where}: {_excerpt(too_long['removed']['text'])}")

    def _tokens(self, tokens: Sequence[Report]) -> Iterator[str]:
        """The text of a row in lines; trained text is between marks, across newlines too."""
        opening, closing, newline = self.marks
        cells: list[tuple[str, str]] = []
        learning = False
        for token in tokens:
            if token["learned"] != learning:
                cells.append((closing if learning else opening, _LEARNED))
                learning = token["learned"]
            style = _LEARNED if learning else _SPECIAL if token["special"] else ""
            for letter in clean(token["text"]).replace("\t", "    "):
                cells.append((newline if letter == "\n" else letter, style))
                if letter == "\n":
                    cells.append(("\n", ""))
        if learning:
            cells.append((closing, _LEARNED))
        lines = list(self._lines(cells))
        yield from lines[:_LONGEST]
        if len(lines) > _LONGEST:
            yield self._style(f"  and {len(lines) - _LONGEST:,} more lines", _QUIET)

    def _lines(self, cells: Iterable[tuple[str, str]]) -> Iterator[str]:
        room = max(10, self.width - 2)
        line: list[tuple[str, str]] = []
        used = 0
        for text, style in cells:
            size = 0 if text == "\n" else cell_len(text)
            if text == "\n" or used + size > room:
                yield "  " + self._painted(line)
                line, used = [], 0
            if text != "\n":
                line.append((text, style))
                used += size
        if line:
            yield "  " + self._painted(line)

    def _painted(self, cells: Sequence[tuple[str, str]]) -> str:
        """Cells of one style together, so that a line has few escape sequences."""
        out, run, current = "", "", ""
        for text, style in cells:
            if style != current:
                out += self._style(run, current)
                run, current = "", style
            run += text
        return out + self._style(run, current)

    def _fact(self, name: str, value: str, style: str = "") -> Iterator[str]:
        yield from self._wrap(f"{name:>9}  {one_line(value)}", " " * 11, style)

    def _wrap(self, text: str, indent: str, style: str) -> Iterator[str]:
        """Words in lines of the width; a word that is longer than a line stays whole."""
        line = ""
        for at, word in enumerate(text.split(" ")):
            longer = word if at == 0 else f"{line} {word}"
            if cell_len(longer) > self.width and line.strip():
                yield self._style(line, style)
                longer = indent + word
            line = longer
        yield self._style(line, style)

    def _style(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.coloured and style and text else text


def _short(source: str) -> str:
    """`path:line` without the folders."""
    return one_line(os.path.basename(source))


def _excerpt(text: str, most: int = 160) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
