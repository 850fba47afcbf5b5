"""What was checked of an export, as lines: of the terminal and of a page. Pure text, clean."""

import textwrap
from collections.abc import Sequence

from engine.release.proof import CheckStatus, TargetProof
from engine.text import one_line
from tui.styled_text import Line

_ROLES: dict[CheckStatus, str] = {
    "passed": "good", "failed": "bad", "stated": "", "not proven": "warn",
}  # fmt: skip
_MARK_WIDTH = max(len(status) for status in _ROLES)
_MOST_DIFFERENCES = 10


def proof_lines(proofs: Sequence[TargetProof], width: int) -> list[Line]:
    """Each target with its checks: status, name, and what was found, in lines of `width` cells."""
    lines: list[Line] = []
    for proof in proofs:
        lines += [[]] if lines else []
        words = ("proven", "good") if proof.passed else ("not proven", "bad")
        file = f"  {one_line(proof.file)}" if proof.file != proof.target else ""
        head = f" {one_line(proof.target)}{file}, {one_line(proof.dtype)}: "
        lines.append([(head, "title"), words])
        for check in proof.checks:
            status = f"   {check.status:<{_MARK_WIDTH}}  "
            lines.append([(status, _ROLES[check.status]), (one_line(check.name), "strong")])
            lines += _wrap(one_line(check.summary), width, "")
            for difference in check.differences[:_MOST_DIFFERENCES]:
                lines += _wrap(one_line(difference), width, "bad")
            more = len(check.differences) - _MOST_DIFFERENCES
            lines += _wrap(f"and {more:,} more", width, "dim") if more > 0 else []
    return lines


def _wrap(text: str, width: int, role: str) -> list[Line]:
    indent = " " * (_MARK_WIDTH + 5)
    wrapped = textwrap.wrap(
        text, max(width, len(indent) + 20), initial_indent=indent, subsequent_indent=indent
    )
    return [[(line, role)] for line in wrapped]
