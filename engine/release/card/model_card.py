"""A model card: the metadata of its head and the page below it, of what was collected and proven.

Owns what it says and in which order. A pure function: reads no disk, no clock. Every text that came
from a model, a name or a user is escaped; a link leads only where an id or an address was checked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.release.card.card_facts import CardFacts, StageFacts
from engine.release.card.how_to_run import HowTo, Runnable, list_ways
from engine.release.card.hub_metadata import is_link
from engine.release.card.licenses import UNKNOWN
from engine.release.proof import CheckStatus, TargetProof
from engine.release.targets import Form
from engine.report.blocks import Block, Bullets, Grid, grid
from engine.report.markdown_page import escape_markdown, escape_start, write_block
from engine.report.number_words import write_digits
from engine.report.run_facts import RunFacts
from engine.text import clean, one_line

HUB = "https://huggingface.co"
_LIBRARIES: Mapping[Form, str] = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}
_RELATIONS: Mapping[Form, str] = {"adapter": "adapter", "merged": "finetune", "gguf": "finetune"}
"""A GGUF file is called quantized where it is its base's own weights, and these were trained."""
_FORMS: Mapping[Form, str] = {
    "adapter": "a PEFT adapter",
    "merged": "a whole model",
    "gguf": "GGUF files",
}
_STATUSES: Mapping[CheckStatus, str] = {
    "passed": "passed", "failed": "FAILED", "stated": "stated", "not proven": "not proven",
}  # fmt: skip
_NOT_STATED = "Not stated by the author."
MOST_CURVES = 12
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class CardFolder:
    """What a card needs of the folder that it lies in."""

    form: Form
    files: Mapping[str, int]
    """Sizes in bytes, by name; without the card itself."""
    dtype: str
    """Of the weights, in words."""
    runnable: Runnable
    figures: tuple[tuple[str, str], ...]
    """Of curves: file and caption."""
    impact_figure: str
    """A file; empty: none."""


def make_metadata(facts: CardFacts, form: Form) -> dict[str, Any]:
    """The head of the card, in the order in which it is written."""
    license_id, name, link = facts.stated or (
        facts.license.id,
        facts.license.name if facts.license.id == "other" else "",
        facts.license.link if facts.license.id == "other" else "",
    )
    data_sets = list(dict.fromkeys(one.data_set for one in facts.stages if one.data_set))
    metadata: dict[str, Any] = {
        "license": license_id,
        "license_name": name or None,
        "license_link": link or None,
        "base_model": facts.base.id or None,
        "base_model_relation": _RELATIONS[form] if facts.base.id else None,
        "library_name": _LIBRARIES[form],
        "pipeline_tag": "text-generation",
        "tags": _list_tags(facts, form),
        "datasets": data_sets or None,
    }
    return {key: value for key, value in metadata.items() if value is not None}


def write_page(
    facts: CardFacts, folder: CardFolder, proofs: Sequence[TargetProof]
) -> Iterator[str]:
    """The page below the head, piece by piece. `proofs` are those of this folder.

    Raises ValueError where there is none, or one of them failed: that is no export.
    """
    if not proofs or not all(proof.passed for proof in proofs):
        raise ValueError("a card of what is not proven")
    yield f"# {escape_markdown(_shorten(facts.name))}\n\n"
    yield from _write_opening(facts, folder)
    for title, pieces in (
        ("What it is", _write_model(facts, folder)),
        ("Intended use", _write_typed(facts.intended_use)),
        ("Limits", _write_typed(facts.limitations)),
        ("What it gained and what it forgot", _write_impact(facts, folder)),
        ("How to run it", _write_ways(folder.runnable)),
        ("How it was made", _write_training(facts, folder)),
        ("Data", _write_data(facts)),
        ("Proof", _write_proofs(proofs)),
        ("License", _write_license(facts, folder)),
        ("Files", _write_files(folder)),
    ):
        yield f"\n## {title}\n\n"
        yield from pieces


def _list_tags(facts: CardFacts, form: Form) -> list[str]:
    tags = ["finetop", *(["gguf"] if form == "gguf" else [])]
    for stage in facts.stages:
        settings = stage.run.settings
        method = settings.get("method.kind", "lora")
        variant = settings.get("method.variant", "plain")
        tags += [settings.get("training.objective", "sft"), method]
        tags += [variant] if variant != "plain" and method == "lora" else []
    return list(dict.fromkeys(tags))


def _write_opening(facts: CardFacts, folder: CardFolder) -> Iterator[str]:
    methods = ", then ".join(dict.fromkeys(stage.run.method for stage in facts.stages))
    how = f" ({escape_markdown(methods)})" if methods else ""
    yield f"A fine-tune{how} of {_name_base(facts)}. This folder holds {_FORMS[folder.form]}. "
    yield "All that follows was measured or copied by finetop, but for what its author typed.\n"
    terms = facts.license.terms
    if terms is not None and terms.built_with:
        yield f"\n**{escape_markdown(terms.built_with)}**\n"
    if terms is not None and terms.limit:
        yield f"\n**{escape_markdown(terms.limit)}**\n"


def _name_base(facts: CardFacts) -> str:
    """The base, as a link where the Hub has it."""
    if facts.base.id:
        return _link(facts.base.id, f"{HUB}/{facts.base.id}")
    if facts.base.is_bundled:
        return "demo-base (the small model that ships with finetop)"
    name = escape_markdown(_shorten(facts.base.name))
    return f"{name} (its id on the Hub is not known)"


def _write_model(facts: CardFacts, folder: CardFolder) -> Iterator[str]:
    base = facts.base
    rows = [
        ("base", base.id or base.name),
        ("revision of the base", base.revision or "not known"),
        ("architecture", base.architecture),
        ("parameters of the base", f"{base.parameters:,}" if base.parameters else "not known"),
        ("context", f"{base.context:,} tokens" if base.context else "not known"),
        ("weights here", folder.dtype),
        ("chat template", "yes" if folder.runnable.has_template else "none: it continues a text"),
    ]
    if facts.run:
        rows.append(("run", f"{facts.run}{f', {facts.step}' if facts.step else ''}"))
    if facts.quantized != "none":
        rows.append(
            ("while it was trained", f"the base was quantised ({facts.quantized}); here it is not")
        )
    yield from _write(_table(("", ""), rows, (0, 1)))


def _write_ways(runnable: Runnable) -> Iterator[str]:
    for at, way in enumerate(list_ways(runnable)):
        yield f"{'' if not at else chr(10)}### {way.title}\n\n"
        yield from _write_way(way)


def _write_way(way: HowTo) -> Iterator[str]:
    if way.text:
        yield f"{escape_start(way.text)}\n"
    if way.text and way.code:
        yield "\n"
    if way.code:
        yield _fence(way.code, way.language)


def _write_training(facts: CardFacts, folder: CardFolder) -> Iterator[str]:
    if not facts.stages:
        yield "Not known: it was not trained by a run of finetop.\n"
        return
    if len(facts.stages) > 1:
        yield f"In {len(facts.stages)} stages, each from the result of the one before.\n\n"
    rows = [_list_stage(stage) for stage in facts.stages]
    head = ("run", "method", "began with", "steps", "rows", "trained tokens an epoch",
            "tokens read", "held out")  # fmt: skip
    yield from _write(_table(head, rows, (0, 1, 2)))
    curves = [cells for stage in facts.stages for cells in _list_curves(stage)]
    if curves:
        yield "\n"
        names = ("run", "curve", "unit", "first", "best (step)", "last", "points")
        yield from _write(_table(names, curves, (0, 1, 2)))
        yield "\nEvery point is in `curves/`; `wall_time` counts seconds from the first one.\n"
    for file, caption in folder.figures:
        yield f"\n![{escape_markdown(caption)}]({file})\n"
    for stage in facts.stages:
        yield f"\nSettings of {escape_markdown(stage.run.id)}, all of them in `recipe.toml`"
        yield " or `recipes/`:\n\n" if len(facts.stages) > 1 else ":\n\n"
        settings = tuple(f"{key} = {value}" for key, value in stage.run.settings.items())
        yield from _write(Bullets(settings or ("not known",)))
        if stage.run.packages:
            words = ", ".join(f"{key} {value}" for key, value in stage.run.packages.items())
            yield f"\nWith {escape_markdown(words)}.\n"
        for problem in stage.run.problems:
            yield f"\nOf this run {escape_markdown(problem)}.\n"


def _list_stage(stage: StageFacts) -> tuple[str, ...]:
    run = stage.run
    evaluated = f", {stage.evaluated}" if stage.evaluated else ""
    return (
        run.id,
        run.method,
        run.base or "not known",
        f"{run.step:,} of {run.total:,}" if run.total else "not known",
        _count(stage.rows),
        _count(stage.trained_tokens),
        f"{run.tokens:,}" if run.tokens else "not known",
        f"{stage.held_out_rows:,} rows{evaluated}" if stage.held_out_rows else "none",
    )


def _list_curves(stage: StageFacts) -> Iterator[tuple[str, ...]]:
    for curve in stage.run.curves[:MOST_CURVES]:
        best = f"{write_digits(curve.best[1])} ({curve.best[0]:,})" if curve.best else "–"
        yield (
            stage.run.id, curve.tag, _name_unit(stage.run, curve.tag),
            write_digits(curve.first[1]), best, write_digits(curve.last[1]), f"{curve.points:,}",
        )  # fmt: skip


def _name_unit(run: RunFacts, tag: str) -> str:
    if tag in ("train/loss", "eval/loss"):
        return run.loss_unit
    return "nats per token" if tag.startswith("forget/") else ""


def _write_data(facts: CardFacts) -> Iterator[str]:
    rows = []
    for stage in facts.stages:
        files = ", ".join(f"{one.name} (SHA-256 {one.sha256[:16]}…)" for one in stage.files)
        terms = "Apache-2.0" if stage.is_bundled_data else stage.data_terms or "unknown"
        rows.append((stage.run.id, stage.data_set or stage.data or "not known", terms,
                     _count(stage.rows), files or "not known"))  # fmt: skip
    if rows:
        head = ("run", "trained on", "its own license", "rows", "files when it began")
        yield from _write(_table(head, rows, (0, 1, 2, 4)))
        yield "\n"
    else:
        yield "What it was trained on is not known.\n\n"
    if facts.data_license:
        yield f"License or terms of the data: {escape_markdown(facts.data_license)}\n"
    elif facts.stages and all(stage.is_bundled_data for stage in facts.stages):
        yield "The data ships with finetop, which made it by rule.\n"
    elif not facts.stages or not all(one.is_bundled_data or one.data_terms for one in facts.stages):
        yield "License or terms of the data: unknown. The author has not stated them.\n"
    yield "What the base was trained on is told by its own card, where it has one.\n"


def _write_impact(facts: CardFacts, folder: CardFolder) -> Iterator[str]:
    impact = facts.impact
    if impact is None:
        yield "Not measured. What was gained on the task, and what was forgotten of everything "
        yield "else, is not known.\n"
        if facts.run:
            yield "The author of this model can measure it:\n\n"
            yield _fence(f"finetop evaluate --tree {facts.run}", "bash")
        return
    arms = f"{impact.arm} against {impact.base}" if impact.base else impact.arm
    yield f"{escape_start(arms)}, evaluation {escape_markdown(impact.job)}. "
    yield "Intervals of changes are corrected for the number of skills.\n\n"
    yield from _write(Bullets(impact.headline))
    for table in impact.tables:
        yield "\n"
        yield from _write(table)
    if folder.impact_figure and impact.plot is not None:
        yield f"\n![{escape_markdown(impact.plot.caption)}]({folder.impact_figure})\n"


def _write_proofs(proofs: Sequence[TargetProof]) -> Iterator[str]:
    yield "Checked in a process of its own, which loaded the files of this folder anew. `stated`: "
    yield "a number that is told and has no limit; `not proven`: what would prove it was not on "
    yield "the machine. All numbers are in `proof.json`.\n"
    for proof in proofs:
        yield f"\n### {escape_markdown(f'{proof.target} ({proof.dtype})')}\n\n"
        # What a reader has to know stands above what passed.
        checks = proof.most_telling_first
        rows = [(one.name, _STATUSES[one.status], one.summary) for one in checks]
        yield from _write(_table(("check", "result", "what was found"), rows, (0, 1, 2)))


def _write_typed(text: str) -> Iterator[str]:
    """What the author typed, line by line; said to be missing where nothing was typed."""
    lines = [line.strip() for line in clean(text).splitlines()]
    if not any(lines):
        yield f"{_NOT_STATED}\n"
        return
    yield from (f"{escape_start(line)}\n" if line else "\n" for line in lines)


def _write_license(facts: CardFacts, folder: CardFolder) -> Iterator[str]:
    base, terms = facts.license, facts.license.terms
    if facts.stated is not None:
        name = facts.stated[1] or facts.stated[0]
        yield f"Of this model, as its author states: {_place(name, facts.stated[2], folder)}.\n\n"
    if base.id == UNKNOWN:
        yield "Of the base: unknown. Nothing beside it states a license. Find it out before you "
        yield "use or pass on this model.\n"
    else:
        place = _place(base.title, base.link, folder)
        yield f"Of the base: {place}, {escape_markdown(base.basis)}. "
        yield "Its terms apply to this model too.\n"
    if terms is not None:
        sentences = tuple(
            one for one in (terms.limit, terms.notice, *terms.sentences) if one
        )  # fmt: skip
        if sentences:
            yield "\n"
            yield from _write(Bullets(sentences))
    if copied := [name for name in base.files if name in folder.files]:
        yield f"\nCopied from the base: {', '.join(f'`{name}`' for name in sorted(copied))}.\n"


def _place(name: str, link: str, folder: CardFolder) -> str:
    """A license by its name, with a link where it leads somewhere."""
    is_file = link in folder.files and _PLAIN_NAME.fullmatch(link) is not None
    return _link(name, link) if is_file or is_link(link) else escape_markdown(name)


def _write_files(folder: CardFolder) -> Iterator[str]:
    rows = [(name, f"{size:,}") for name, size in sorted(folder.files.items())]
    yield from _write(_table(("file", "bytes"), rows, (0,)))
    yield "\n`sha256sum -c SHA256SUMS` checks them all.\n"


def _count(number: int | None) -> str:
    return "not known" if number is None else f"{number:,}"


def _link(text: str, place: str) -> str:
    """To an address or a file that were checked."""
    return f"[{escape_markdown(text)}]({place})"


def _fence(code: str, language: str) -> str:
    """Commands as they are; the fence is longer than any in them."""
    text = clean(code)
    marks = "```"
    while marks in text:
        marks += "`"
    return f"{marks}{language}\n{text}\n{marks}\n"


def _shorten(name: str) -> str:
    line = one_line(name).strip()
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: tuple[int, ...]) -> Grid:
    return grid(tuple(head), [tuple(row) for row in rows], texts)


def _write(block: Block) -> Iterator[str]:
    yield from write_block(block)
