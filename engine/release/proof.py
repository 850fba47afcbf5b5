"""What was checked of an export, and what came of it: values, and as JSON.

Owns the contract between those who measure, the model card and the screens. Computes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import EngineError
from engine.safe_open import read_bounded

CheckStatus = Literal["passed", "failed", "stated", "not proven"]
"""`stated`: a number that is told and has no limit, as the cost of quantising; `not proven`: what
would prove it is not on this machine."""
CHECK_STATUSES: tuple[CheckStatus, ...] = get_args(CheckStatus)
MOST_TELLING_FIRST: tuple[CheckStatus, ...] = ("failed", "not proven", "stated", "passed")
VERSION = 1
PROOF_FILE = "proof.json"
_MOST_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked of one target."""

    name: str
    """Short and fixed, as in "weights differ from the base"."""
    status: CheckStatus
    summary: str
    """One sentence with the numbers, their n and their interval; clean, in one line."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The numbers, by name: plain JSON."""
    differences: tuple[str, ...] = ()
    """What differs, the most telling first, a clean line each; only of a check that failed."""


@dataclass(frozen=True, slots=True)
class TargetProof:
    """All that was checked of one target."""

    target: str
    """As `--as` has it, its own type named: "merged", "gguf:q8_0"."""
    file: str
    """Of the folder or the file, relative to the export."""
    dtype: str
    """Of the weights, as in "bfloat16" or "q8_0"."""
    checks: tuple[Check, ...]

    @property
    def most_telling_first(self) -> list[Check]:
        """The checks in the order in which they are shown."""
        return sorted(self.checks, key=lambda one: MOST_TELLING_FIRST.index(one.status))

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and something passed: what is only stated or not proven is no
        proof."""
        statuses = {check.status for check in self.checks}
        return "passed" in statuses and "failed" not in statuses


def encode_check(check: Check) -> dict[str, Any]:
    """A check as JSON has it."""
    return {
        "name": check.name,
        "status": check.status,
        "summary": check.summary,
        "facts": dict(check.facts),
        "differences": list(check.differences),
    }


def decode_check(value: Any) -> Check:
    """The check that `encode_check` wrote. Raises EngineError where it is none."""
    try:
        if value["status"] not in CHECK_STATUSES:
            raise ValueError(value["status"])
        return Check(
            str(value["name"]),
            value["status"],
            str(value["summary"]),
            dict(value["facts"]),
            tuple(str(line) for line in value["differences"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError("A check of a proof cannot be read.", repr(error)) from error


def encode_proofs(proofs: tuple[TargetProof, ...], remarks: Sequence[str] = ()) -> dict[str, Any]:
    """The content of `proof.json`. `remarks` are what the user should know before publishing, a
    sentence each; they stay in the job's directory."""
    return {
        "version": VERSION,
        **({"remarks": list(remarks)} if remarks else {}),
        "targets": [
            {
                "target": proof.target,
                "file": proof.file,
                "dtype": proof.dtype,
                "passed": proof.passed,
                "checks": [encode_check(check) for check in proof.checks],
            }
            for proof in proofs
        ],
    }


def decode_remarks(value: Any) -> tuple[str, ...]:
    """The remarks that `encode_proofs` wrote; none in a file of before there were any. Raises
    EngineError where they are none."""
    remarks = value.get("remarks", []) if isinstance(value, dict) else None
    if not isinstance(remarks, list):
        raise EngineError("The proof of an export cannot be read.", "remarks are no list")
    return tuple(str(one) for one in remarks)


def decode_proofs(value: Any) -> tuple[TargetProof, ...]:
    """The proofs that `encode_proofs` wrote. Raises EngineError where they are none."""
    try:
        if value["version"] != VERSION:
            raise ValueError(f"version {value['version']!r}")
        return tuple(
            TargetProof(
                str(one["target"]),
                str(one["file"]),
                str(one["dtype"]),
                tuple(decode_check(check) for check in one["checks"]),
            )
            for one in value["targets"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError("The proof of an export cannot be read.", repr(error)) from error


def read_proofs(path: Path) -> tuple[TargetProof, ...]:
    """The proofs in a file of `encode_proofs`. Raises EngineError where there is none, or where it
    cannot be read."""
    return decode_proofs(_read(path))


def read_remarks(path: Path) -> tuple[str, ...]:
    """The remarks in a file of `encode_proofs`. Raises EngineError as `read_proofs` does."""
    return decode_remarks(_read(path))


def _read(path: Path) -> Any:
    try:
        return json.loads(read_bounded(path, _MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise EngineError("The proof of an export cannot be read.", f"{path}: no JSON") from error
