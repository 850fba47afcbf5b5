"""The card of a file of rows made, in the Hub's format for data sets: its head and the page below.

Owns what it says and in which order. A pure function of `CardFacts`: reads no disk, no clock, and
needs no library of the Hub, since a JSON value is YAML too. Every text that came from a model, a
name or a user is escaped. What nobody stated is `unknown`; rows that nobody reviewed are called so.
"""

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.release.card.hub_metadata import PIPELINES, SIZES, list_data_problems
from engine.release.card.licenses import UNKNOWN, parse_license
from engine.report.blocks import Block, Bullets, Grid, Paragraph, grid
from engine.report.markdown_page import escape_markdown, fence, write_block
from engine.synthesis.gates.light_gates import GateSetting
from engine.synthesis.generator_facts import GeneratorFacts
from engine.synthesis.made_statistics import JackknifeEstimate, MadeStatistics, TextStatistics
from engine.synthesis.review_sample import SampledReview
from engine.synthesis.shares import Share
from engine.synthesis.tally import Tally
from engine.text import one_line

PUBLISHED = "README.md"
"""What the card is called in a repository of the Hub."""
SEVERAL_TERMS = "terms-in-the-card"
"""`license_name` where the source has one license and the generator asks for something else."""


@dataclass(frozen=True, slots=True)
class DataCardFacts:
    """All that a card says, without a path, host or user of the machine."""

    name: str
    rows_file: str
    provenance_file: str
    source: str
    """By its short name."""
    source_license: tuple[str, str]
    """The license of the source and what states it, see `find_source_license`."""
    recipe: SynthesizeRecipe
    generators: Sequence[GeneratorFacts]
    gates: Sequence[GateSetting]
    tally: Tally
    statistics: MadeStatistics
    accepted: int
    """Rows that a reviewer accepted as they were made."""
    edited: int
    overruled: int
    """Rows that a reviewer accepted in spite of a gate."""
    unreviewed: int
    """Rows that passed the gates and that nobody reviewed."""
    unjudged: Mapping[str, int]
    """Gate to rows written that it could not judge."""
    repaired: Mapping[str, int]
    """Kind of repair to rows written that needed it."""
    sample: SampledReview


def write_card(facts: DataCardFacts) -> str:
    """The whole card. Raises EngineError where the Hub would refuse its head."""
    metadata = make_metadata(facts)
    files = (PUBLISHED, glob.escape(facts.rows_file), facts.provenance_file)
    if problems := list_data_problems(metadata, files):
        raise EngineError(
            "The data card breaks the rules of the Hub.",
            "\n".join(map(one_line, problems)),
            "Check source.license and the name of the file.",
        )
    head = "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in metadata.items()
    )
    return f"---\n{head}---\n\n{''.join(write_page(facts))}"


def make_metadata(facts: DataCardFacts) -> dict[str, Any]:
    """The head, in the order in which it is written."""
    rows = facts.statistics.rows
    license_id, name, link = combine_terms(facts.source_license[0], facts.generators)
    language = facts.recipe.gates.language
    people = ["expert-generated"] if facts.accepted or facts.edited else []
    metadata: dict[str, Any] = {
        "license": license_id,
        "license_name": name or None,
        "license_link": link or None,
        "language": [language] if language not in ("", "source") else None,
        "pretty_name": one_line(facts.name),
        "size_categories": [next((word for most, word in SIZES if rows < most), SIZES[-1][1])],
        "task_categories": list(PIPELINES),
        "annotations_creators": ["machine-generated", *people],
        "tags": ["finetop", "synthetic"],
        "configs": [{"config_name": "default", "data_files": glob.escape(facts.rows_file)}],
    }
    return {key: value for key, value in metadata.items() if value is not None}


def combine_terms(source: str, generators: Sequence[GeneratorFacts]) -> tuple[str, str, str]:
    """`license`, `license_name` and `license_link` of rows that come from a source and were written
    by generators.

    That of the source where no generator asks for anything; `unknown` where either is; else
    `other`, with the card as its text.
    """
    if source == UNKNOWN or not generators or any(one.terms == UNKNOWN for one in generators):
        return UNKNOWN, "", ""
    if all(one.is_permissive for one in generators):
        try:
            return parse_license(source)
        except EngineError:
            pass  # in the user's own words
    return "other", SEVERAL_TERMS, PUBLISHED


def write_page(facts: DataCardFacts) -> Iterator[str]:
    """The page below the head, piece by piece."""
    yield f"# {escape_markdown(facts.name)}\n\n"
    yield from write_block(Paragraph(_describe(facts)))
    for title, blocks in (
        ("Review", _list_review(facts)),
        ("Terms", _list_terms(facts)),
        ("How the rows were made", _list_making(facts)),
        ("What became of the sources", _list_outcomes(facts.tally)),
        ("Gates", _list_gates(facts)),
        ("Statistics", _list_statistics(facts.statistics)),
        ("Files", _list_files(facts)),
    ):
        yield f"\n## {title}\n"
        for block in blocks:
            yield "\n"
            yield from write_block(block)
        if title == "How the rows were made":
            yield from _write_wording(facts.recipe)


def _describe(facts: DataCardFacts) -> str:
    statistics = facts.statistics
    models = ", ".join(dict.fromkeys(one.model for one in facts.generators)) or UNKNOWN
    made = f"made of raw texts ({facts.source}) by a language model ({models})"
    if facts.recipe.mode == "votes":
        made = f"preference pairs of what people voted on: answers ({facts.source}) of {models}"
    return (
        f"Rows to train on, {made}, with finetop. Rows: {statistics.rows:,}. Sources: "
        f"{statistics.sources:,}. Texts in them were generated: what they say was not checked for "
        "being true."
    )


def _list_review(facts: DataCardFacts) -> Iterator[Block]:
    if not facts.accepted and not facts.edited:
        yield Paragraph(
            "No row was reviewed by a person: every row that passed the gates was accepted."
        )
        return
    counts = (
        ("accepted as they were made", facts.accepted),
        ("edited", facts.edited),
        ("in spite of a gate, of these", facts.overruled),
        ("not reviewed by a person", facts.unreviewed),
        ("rejected, and not here", facts.tally.standings["rejected"]),
    )
    yield grid(("review", "rows"), [(name, f"{count:,}") for name, count in counts])
    if facts.unreviewed and facts.sample.words:
        yield Paragraph(f"{facts.sample.words[0].upper()}{facts.sample.words[1:]}.")


def _list_terms(facts: DataCardFacts) -> Iterator[Block]:
    source, basis = facts.source_license
    yield Paragraph(f"License of the source: {source}{f' ({basis})' if basis else ''}.")
    for one in facts.generators:
        what = "a hosted model, whose terms of use the rows carry" if one.is_hosted else "a model"
        yield Paragraph(f"Terms of the generator {one.model} ({what}): {one.terms}")


def _list_making(facts: DataCardFacts) -> Iterator[Block]:
    recipe = facts.recipe
    rows = [("mode", recipe.mode)]
    rows += [("generator", one.name) for one in facts.generators]
    if recipe.mode == "votes":  # its answers were given before, as the job that was voted on says
        rows.append(("rubric", recipe.pairs.rubric or "which answer was chosen"))
        yield grid(("setting", "value"), rows, texts=(0, 1))
        return
    rows += [
        (name, f"{getattr(recipe.decode, name):g}")
        for name in ("temperature", "top_p", "top_k", "max_new_tokens", "seed")
    ]
    rows += [
        ("answers to a question, at most", str(recipe.asking.tries)),
        ("grammar", recipe.asking.grammar),
        ("answers", f"{facts.tally.answers:,}"),
        ("tokens read, written",
         f"{facts.tally.input_tokens:,}, {facts.tally.output_tokens:,}"),
    ]  # fmt: skip
    yield grid(("setting", "value"), rows, texts=(0, 1))


def _write_wording(recipe: SynthesizeRecipe) -> Iterator[str]:
    """The templates as they are; sources are put into them as marked, defused text."""
    templates = [
        ("System message", recipe.asking.system),
        ("Instructions", recipe.asking.instructions),
        ("Prompt of the pairs", recipe.pairs.prompt),
        ("Instructions for the chosen answer", recipe.pairs.chosen_instructions),
        ("Instructions for the rejected answer", recipe.pairs.rejected_instructions),
    ]
    for name, one in recipe.fields.items():
        kind = f"{one.type}: {', '.join(one.choices)}" if one.choices else one.type
        how = "is taken from the source" if one.take else "is asked for"
        templates.append((f"{name} ({kind}) {how}", one.take or one.ask))
    for title, template in templates:
        if template.strip():
            yield f"\n{escape_markdown(title)}:\n\n{fence(template)}"


def _list_outcomes(tally: Tally) -> Iterator[Block]:
    left = tally.sources - tally.finished
    rows = [
        ("passed all gates", "", tally.passed),
        ("held back by a gate", "", tally.held_back),
        *(("", one.name, tally.share(one)) for one in tally.reasons if one.state == "held back"),
        ("set aside, no row could be made", "", tally.set_aside),
        *(("", one.name, tally.share(one)) for one in tally.reasons if one.state == "set aside"),
    ]
    yield grid(
        ("outcome", "reason", "sources", "share [95%]"),
        [(state, name, f"{share.count:,}", _percent(share)) for state, name, share in rows],
        texts=(0, 1),
        title=f"Of {tally.finished:,} sources"
        + (f"; {left:,} more were not asked about" if left else ""),
    )
    yield Paragraph(
        "A source with several reasons counts in each of them. The intervals (Wilson) are of the "
        "rate at which others like these sources would come to this."
    )
    if tally.faults:
        yield grid(
            ("fault of an answer, after which it was asked for again", "answers"),
            [(name, f"{count:,}") for name, count in tally.faults.items()],
        )


def _list_gates(facts: DataCardFacts) -> Iterator[Block]:
    yield grid(
        ("gate", "limit", "held back", "could not judge"),
        [_gate_row(setting, facts) for setting in facts.gates],
        texts=(0, 1),
    )
    if facts.tally.cut:
        yield Paragraph(f"{facts.tally.cut:,} rows were made of a source that was cut to the "
                        "generator's context.")  # fmt: skip
    repaired = [(kind, f"{count:,}") for kind, count in facts.repaired.items()]
    if repaired:
        yield grid(("repair of an answer that was not quite JSON", "rows"), repaired)
    else:
        yield Paragraph("No answer was repaired.")


def _gate_row(setting: GateSetting, facts: DataCardFacts) -> tuple[str, str, str, str]:
    if setting.off:
        return setting.name, f"off: {setting.off}", "", ""
    held = sum(one.sources for one in facts.tally.reasons if one.name == setting.name)
    return setting.name, setting.limit, f"{held:,}", f"{facts.unjudged.get(setting.name, 0):,}"


def _list_statistics(found: MadeStatistics) -> Iterator[Block]:
    if found.texts:
        yield _grid_texts(found.texts)
        yield Paragraph(
            "Words of a text: median (least, most). Diversity depends on how many texts it is "
            "of. Its intervals are those of leaving out blocks of sources."
        )
    for field, labels in found.labels.items():
        yield grid(
            (field, "rows", "share [95%]"),
            [(label, f"{share.count:,}", _percent(share)) for label, share in labels.items()],
        )
    if found.pair_lengths is not None:
        words = found.pair_lengths.words
        yield Paragraph(f"{words[0].upper()}{words[1:]}.")


def _grid_texts(texts: Sequence[TextStatistics]) -> Grid:
    return grid(
        ("field", "texts", "words", "measured", "distinct-1", "distinct-2", "self-BLEU"),
        [
            (
                one.field,
                f"{one.texts:,}",
                f"{one.words[2]:g} ({one.words[0]:g}, {one.words[4]:g})",
                f"{one.measured:,}",
                _number(one.distinct_1),
                _number(one.distinct_2),
                _number(one.self_bleu),
            )
            for one in texts
        ],
    )


def _list_files(facts: DataCardFacts) -> Iterator[Block]:
    yield Bullets(
        (
            f"{facts.rows_file}: the rows. Those with the same value of group were made of one "
            "source, and belong on one side of every split.",
            f"{facts.provenance_file}: of each row, in their order, its source, the model, the "
            "SHA-256 of each prompt, seed, settings, repairs, gates and the reviewer's decision.",
        )
    )


def _percent(share: Share) -> str:
    return share.words.partition(": ")[2] if share.of else ""


def _number(one: JackknifeEstimate | None) -> str:
    if one is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
