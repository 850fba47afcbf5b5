"""Names of models and files in a report: nothing in them of the machine that made it.

Owns how a ref, an arm and a sentence lose their paths, hosts and addresses, and that two paths of
one name stay two. Refuses to touch what a suite asks and what models answered.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from engine.compare.arms import Arm, format_arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.jobs.summary import hub_name
from engine.text import number_name

ENDPOINT = "endpoint"
"""In place of a server's address."""
_OUTPUTS = ("adapter", "model", "base")
"""Folders of a run that hold weights: the run's own name says which they are."""
_RUN_ID = re.compile(r".+-[0-9a-f]{4}")
"""How the ids of our runs end."""
_ADDRESS = re.compile(r"\bhttps?://[^\s,;)'\"]+")
_PATH = re.compile(r"(?<![\w./:~-])(?:~|[A-Za-z]:)?/(?:[^\s,;:'\"()/]+/)+[^\s,;:'\"()/]*")
"""An absolute path of two parts or more, in a sentence of ours."""


class ShortNames:
    """Short names by ref, numbered where two refs would have one, in the order of their coming."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name_ref(self, ref: str) -> str:
        """`bundled:NAME` and `run:ID` as they are, of a path its last part, of the Hub's cache
        OWNER/NAME; empty for none."""
        if not ref:
            return ""
        if ref not in self._names:
            self._names[ref] = number_name(shorten_ref(ref), self._names.values())
        return self._names[ref]

    def name_arm(self, spec: str, name: str = "") -> str:
        """An arm in its grammar, by another name where one is given; what is no arm as a
        sentence."""
        try:
            arm = parse_arm(spec)
        except EngineError:
            return self.clear_text(spec)
        cleared = replace(
            arm,
            name=name or arm.name,
            checkpoint=ENDPOINT if arm.is_endpoint else self.name_ref(arm.checkpoint),
            adapter=self.name_ref(arm.adapter) if arm.adapter is not None else None,
            tools=self.name_ref(arm.tools) if arm.tools is not None else None,
            key=None,
        )
        return format_arm(cleared)

    def clear_text(self, text: str) -> str:
        """A sentence of ours: refs that are known, other paths and addresses by their names."""
        for ref in sorted(self._names, key=len, reverse=True):
            if "/" in ref:
                text = text.replace(ref, self._names[ref])
        text = _ADDRESS.sub(ENDPOINT, text)
        return _PATH.sub(lambda match: self.name_ref(match[0]), text)


def shorten_ref(ref: str) -> str:
    """The name alone, without asking what else has it."""
    scheme, colon, rest = ref.partition(":")
    if colon and scheme in ("bundled", "run") and "/" not in rest:
        return ref
    if ref.startswith(("http://", "https://")):
        return ENDPOINT
    if name := hub_name(ref):
        return name
    parts = PurePosixPath(ref.replace("\\", "/")).parts
    if run := find_run_id(ref):
        return f"{run}/{parts[-1]}"
    return parts[-1] if parts else ref


def find_run_id(ref: str) -> str:
    """The run that a ref names, also by the path of its output or of a checkpoint; else empty.

    By the words alone: the runs may have been moved since.
    """
    if ref.startswith(RUN):
        return ref.removeprefix(RUN).rpartition("/")[2]
    parts = PurePosixPath(ref).parts
    above = parts[-3:-2] if parts[-2:-1] == ("checkpoints",) else ()
    above = parts[-2:-1] if parts[-1:] and parts[-1] in _OUTPUTS else above
    return above[0] if above and _RUN_ID.fullmatch(above[0]) else ""


def name_endpoint(arm: Arm, taken: Collection[str]) -> str:
    """The name of an arm; of a server that was called by its host, that of its model."""
    if not arm.is_endpoint:
        return arm.name
    parts = urlsplit(arm.checkpoint)
    if arm.name not in (parts.netloc, parts.hostname):
        return arm.name
    return number_name(arm.model or ENDPOINT, taken)
