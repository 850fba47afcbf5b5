"""What was checked of an export, as lines: of the terminal and of a page. Pure text, clean.

What matters comes first: a target of which a check failed before the others, and in each what
failed, then what is not proven, what is only stated, what passed.
"""

import textwrap
from collections import Counter
from collections.abc import Sequence

from engine.release.proof import MOST_TELLING_FIRST, CheckStatus, TargetProof
from engine.text import one_line
from tui.styled_text import Line, Piece

_ROLES: dict[CheckStatus, str] = {
    "failed": "bad", "not proven": "warn", "stated": "", "passed": "good",
}  # fmt: skip
_MARK_WIDTH = max(len(status) for status in _ROLES)
_MOST_DIFFERENCES = 10


def count_lines(proofs: Sequence[TargetProof], width: int) -> list[Line]:
    """A line a target: how many of its checks came to what."""
    return [_head(proof, width)[0] for proof in _sort(proofs)]


def proof_lines(proofs: Sequence[TargetProof], width: int) -> list[Line]:
    """Each target with its checks: status, name, and what was found, in lines of `width` cells."""
    lines: list[Line] = []
    for proof in _sort(proofs):
        lines += [[]] if lines else []
        lines += _head(proof, width)
        for check in proof.most_telling_first:
            status = f"   {check.status:<{_MARK_WIDTH}}  "
            lines.append([(status, _ROLES[check.status]), (one_line(check.name), "strong")])
            lines += _wrap(one_line(check.summary), width, "")
            for difference in check.differences[:_MOST_DIFFERENCES]:
                lines += _wrap(one_line(difference), width, "bad")
            more = len(check.differences) - _MOST_DIFFERENCES
            lines += _wrap(f"and {more:,} more", width, "dim") if more > 0 else []
    return lines


def _sort(proofs: Sequence[TargetProof]) -> list[TargetProof]:
    return sorted(proofs, key=lambda one: one.passed)


def _head(proof: TargetProof, width: int) -> list[Line]:
    """The target, its file, and how many of its checks came to what."""
    found = Counter(check.status for check in proof.checks)
    counts: list[Piece] = []
    for status in MOST_TELLING_FIRST:
        if found[status]:
            counts += [(", ", "dim")] if counts else []
            counts.append((f"{found[status]} {status}", _ROLES[status]))
    counts = counts or [("nothing was checked", "bad")]
    name = f" {one_line(proof.target)}, {one_line(proof.dtype)}: "
    file = f"   {one_line(proof.file)}" if proof.file != proof.target else ""
    lines: list[Line] = [[(name, "title"), *counts]]
    return [*lines, [(file[:width], "dim")]] if file else lines


def _wrap(text: str, width: int, role: str) -> list[Line]:
    indent = " " * (_MARK_WIDTH + 5)
    wrapped = textwrap.wrap(
        text, max(width, len(indent) + 20), initial_indent=indent, subsequent_indent=indent
    )
    return [[(line, role)] for line in wrapped]
