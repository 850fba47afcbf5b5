"""The license of a base: what states it, the files that go along with it, what a card must say.

Owns the order of evidence: the text of a license file, then what the base's README.md states, then
the publisher's own repositories. A family's name alone is no evidence. Never a default: what is not
known is `unknown`.
"""

import importlib.metadata
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.bundled import BASE
from engine.errors import EngineError
from engine.release.card.base_identity import is_bundled
from engine.release.card.hub_metadata import LICENSE_NAME, LICENSES, is_link
from engine.release.card.license_terms import (
    LicenseTerms,
    find_publisher_terms,
    find_terms,
    recognise_text,
)
from engine.safe_open import list_files, read_bounded
from engine.text import clean

UNKNOWN = "unknown"
_MOST_BYTES = 1 << 20
_FILES = re.compile(
    r"(licen[cs]e|copying|notice|use[_-]policy|acceptable[_-]use|prohibited[_-]use|terms)"
    r"([ ._-].*)?", re.IGNORECASE,
)  # fmt: skip
"""The names of files that come with a license; none of code."""
_ENDINGS = ("", ".txt", ".md", ".pdf", ".rst")
_NOT_THE_LICENSE = re.compile(r"(notice|use|acceptable|prohibited)", re.IGNORECASE)
NOTICE = "NOTICE"


@dataclass(frozen=True, slots=True)
class BaseLicense:
    """The license of a model, and what says so."""

    id: str
    """As the Hub names it; `unknown`."""
    name: str
    """`license_name` of `other`; else empty."""
    link: str
    """Of `other`, a file's name or an address; else where its text is, where that is known."""
    basis: str
    """What states it, as the end of a sentence."""
    terms: LicenseTerms | None
    files: Mapping[str, bytes]
    """By name: those that came with the model."""
    remarks: tuple[str, ...] = ()
    """What should be known before publishing, a sentence each."""

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.terms.title if self.terms else self.name or self.id

    @property
    def has_text(self) -> bool:
        """Whether its text lies among the files."""
        return any(not _NOT_THE_LICENSE.match(name) for name in self.files)


def find_license(
    root: Path, base_id: str, metadata: Mapping[str, Any], model_type: str = ""
) -> BaseLicense:
    """The license of the model in a folder. `metadata` is that of its README.md, `model_type` that
    of its config. Raises EngineError where a file cannot be read."""
    files = read_license_files(root)
    texts = [
        (name, content)
        for name, content in files.items()
        if not _NOT_THE_LICENSE.match(name) and not name.lower().endswith(".pdf")
    ]
    written = next(
        ((name, terms) for name, content in texts
         if (terms := recognise_text(clean(content.decode("utf-8", "replace"))))), None,
    )  # fmt: skip
    stated, name, link, remarks = _read_stated(metadata)
    if written is not None:
        file, terms = written
        if stated not in ("", UNKNOWN, terms.id):
            remarks.append(
                f"The README.md of the base states {stated}, its file {file} is the {terms.title}: "
                "the file is what counts here."
            )
        place = file if terms.id == "other" else terms.link
        return BaseLicense(terms.id, terms.name, place, f"by the text of its file {file}",
                           terms, files, tuple(remarks))  # fmt: skip
    if stated == "other":
        link = link if link in files or is_link(link) else next((one for one, _ in texts), "")
        if name and link:
            return BaseLicense("other", name, link, "as its README.md states",
                               find_terms("other", name), files, tuple(remarks))  # fmt: skip
        remarks.append("The README.md of the base states `other` without a name and a link.")
    elif stated not in ("", UNKNOWN):
        terms_of_id = find_terms(stated)
        place = terms_of_id.link if terms_of_id else ""
        return BaseLicense(stated, "", place, "as its README.md states", terms_of_id, files,
                           tuple(remarks))  # fmt: skip
    if texts:
        return BaseLicense("other", "license-of-the-base", texts[0][0],
                           f"by its file {texts[0][0]}, which is none that finetop knows",
                           None, files, tuple(remarks))  # fmt: skip
    if (published := find_publisher_terms(base_id)) is not None:
        return BaseLicense(published.id, "", published.link,
                           f"by the publisher's terms for {base_id}; nothing beside the base "
                           "states it", published, files, tuple(remarks))  # fmt: skip
    if model_type.startswith("gemma"):
        remarks.append(
            "The architecture of the base is Gemma's: where it derives from Gemma 1, 2 or 3, the "
            "Gemma Terms of Use apply (https://ai.google.dev/gemma/terms)."
        )
    return BaseLicense(UNKNOWN, "", "", "nothing beside the base states it", None, files,
                       tuple(remarks))  # fmt: skip


def read_license_files(root: Path) -> dict[str, bytes]:
    """The files of a folder that come with a license, by name. Raises EngineError for one that is
    too large, or a link to elsewhere."""
    names = sorted(
        name for name in list_files(root)
        if _FILES.fullmatch(name) and Path(name).suffix.lower() in _ENDINGS and name.isprintable()
        and "\\" not in name
    )  # fmt: skip
    for name in names:
        _check_place(root, root / name)
    found = {name: read_bounded(root / name, _MOST_BYTES) for name in names}
    if not found and is_bundled(root):
        text = _find_project_license()
        return {"LICENSE": read_bounded(text, _MOST_BYTES)} if text is not None else {}
    return found


def _check_place(root: Path, file: Path) -> None:
    """Raise EngineError for a link to somewhere else, whose content would be published; the Hub's
    cache has links to its own blobs."""
    place = Path(os.path.realpath(file))
    is_blob = place.parent.name == "blobs" and place.parent.parent.name.startswith("models--")
    if not is_blob and Path(os.path.realpath(root)) not in place.parents:
        raise EngineError(
            "A license file of the base is a link to another place.",
            f"{file} -> {place}",
            "Put the file itself into the folder of the base.",
        )


def parse_license(text: str) -> tuple[str, str, str]:
    """What the user calls the license of the result: the Hub's id, or `NAME=LINK` for one that
    the Hub has not; as `license`, `license_name`, `license_link`. Raises EngineError."""
    name, equals, link = text.strip().partition("=")
    if not equals and name.lower() in LICENSES - {"other"}:
        return name.lower(), "", ""
    if equals and LICENSE_NAME.fullmatch(name) and is_link(link):
        return "other", name, link
    raise EngineError(
        f"Unknown license {text!r}.",
        "",
        "Use an identifier of the Hub such as apache-2.0 or cc-by-nc-4.0, or NAME=https://LINK "
        "for another license.",
    )


def obey_naming(name: str, base: BaseLicense) -> str:
    """A model's name as the license of its base wants it: Llama's asks for "Llama" at its start."""
    prefix = base.terms.prefix.replace(" ", "-") if base.terms else ""
    spelled = re.sub(r"[ _-]+", "-", name).lower()
    return f"{prefix}-{name}" if prefix and not spelled.startswith(prefix.lower()) else name


def write_notice(base: BaseLicense) -> dict[str, bytes]:
    """The files that go along: those of the base, and a NOTICE where its license asks for one and
    none of them has its sentence."""
    files = dict(base.files)
    sentence = base.terms.notice if base.terms else ""
    notices = [name for name in files if name.lower().startswith("notice")]
    spaced = [" ".join(files[name].decode("utf-8", "replace").split()) for name in notices]
    if sentence and not any(sentence in one for one in spaced):
        own = f"{sentence}\n".encode()
        place = next((name for name in notices if not name.lower().endswith(".pdf")), NOTICE)
        files[place] = files[place].rstrip() + b"\n\n" + own if place in files else own
    return files


def _read_stated(metadata: Mapping[str, Any]) -> tuple[str, str, str, list[str]]:
    """License, its name, its link and remarks, as a card states them; empty where it does not."""
    value = metadata.get("license")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return "", "", "", []
    if not isinstance(value, str):
        return "", "", "", ["The README.md of the base states several licenses, or none that is a "
                            "text."]  # fmt: skip
    license_id = re.sub(r"[\s_]+", "-", value.strip().lower())
    if license_id not in LICENSES:
        return "", "", "", [f"The README.md of the base states {clean(value)[:80]!r}, which is no "
                            "license of the Hub."]  # fmt: skip
    name, link = (metadata.get(key) for key in ("license_name", "license_link"))
    name = re.sub(r"[\s_]+", "-", name.strip().lower()) if isinstance(name, str) else ""
    return (license_id, name if LICENSE_NAME.fullmatch(name) else "",
            link.strip() if isinstance(link, str) else "", [])  # fmt: skip


def _find_project_license() -> Path | None:
    """The project's own LICENSE, in its repository or as it was installed."""
    beside = BASE.parents[2] / "LICENSE"
    if beside.is_file():
        return beside
    try:
        files = importlib.metadata.files("finetop") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name == "LICENSE"]
    return next((path for path in found if path.is_file()), None)
