"""What changed, in about ten lines: verdicts first, grouped by their words, with few numbers.

Owns what is left out at the top of a report. All of it stands in full below: skill by skill in
sentences, and in tables.
"""

from collections.abc import Iterator, Sequence

from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.tradeoff_words import say_pairs
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.report.blocks import Block, Bullets, Paragraph, Section
from engine.report.number_words import write_change
from engine.report.report_values import ReportValues
from engine.report.sentences import say_others, say_primary, say_shifts, say_skill, say_summary

MOST_NAMED = 6
"""Skills in a line; and arms of other steps."""
_NO_VERDICT = "items only"
_ORDER = ("lost", "gained", "changed within", "the same within", "not enough evidence", "higher",
          "lower")  # fmt: skip
_SILENT = frozenset(("the same within",))
"""Verdicts whose skills are named without a number."""


def show_headline(values: ReportValues) -> Section | None:
    """What changed, for a reader who has half a minute."""
    if len(values.table.arms) < 2:
        return Section("headline", "What changed", (Bullets(tuple(say_primary(values))),))
    count = len(values.table.skills)
    intro = (
        f"{values.last} against {values.base}, {count:,} skill{'s' * (count != 1)}. Verdicts and "
        "their intervals are corrected for the number of skills; what is called exploratory is not."
    )
    return Section(
        "headline", "What changed", (Paragraph(intro), Bullets(tuple(say_headline(values))))
    )


def show_sentences(values: ReportValues) -> Section | None:
    """The same, skill by skill and step by step, with n, scores and flips."""
    if len(values.table.arms) < 2:
        return None
    blocks: list[Block] = []
    for intro, sentences in (
        (f"{values.last} against {values.base}, corrected for the number of skills:",
         (text for row in values.table.skills for text in say_skill(values.table, row))),
        ("Each other step, exploratory:", say_others(values)),
        ("Real or only format, exploratory:", say_shifts(values)),
    ):  # fmt: skip
        if found := tuple(sentences):
            blocks += [Paragraph(intro), Bullets(found)]
    return Section("sentences", "Skill by skill, in sentences", tuple(blocks))


def say_headline(values: ReportValues) -> Iterator[str]:
    """A line for each verdict, then what came back, other steps, format, and equal gain."""
    table = values.table
    yield from say_summary(values.summary)
    yield from _say_verdicts(table)
    if returned := [_say_returned(row) for row in table.skills if row.ever_lost]:
        yield f"Of items lost at a stage between, right again at the last: {_join(returned)}."
    if steps := [*_list_steps(values)]:
        yield f"Other steps, exploratory: {_join(steps, '; ')}."
    shifts = [
        f"{verdict.suite or skill} {verdict.word}"
        for skill, compared in values.formats.items()
        for one in compared
        for verdict in (one.asked if one.arm == values.last else ())
        if verdict.word.endswith((" shift", " gained"))
    ]
    if shifts:
        yield f"Real or only format, exploratory: {_join(shifts)}."
    if values.tradeoff and any(one.is_less_forgotten for one in values.tradeoff.tradeoff.pairs):
        yield say_pairs(values.tradeoff.tradeoff)[0]


def _say_verdicts(table: SkillTable) -> Iterator[str]:
    last = table.arms[-1]
    changes = [(row, row.changes.get(last)) for row in table.skills if row.results]
    by_words: dict[tuple[int, bool, str], list[str]] = {}
    for row, change in changes:
        if change is not None and change.verdict is not None and change.verdict.word in _ORDER:
            place = (_ORDER.index(change.verdict.word), not change.verdict.is_beyond)
            key = (*place, _name_verdict(row, change))
            by_words.setdefault(key, []).append(_say_skill(row, change))
    for (_, _, words), named in sorted(by_words.items()):
        yield f"{words}: {_join(named)}."
    few = [row.name for row, change in changes
           if change and change.verdict and change.verdict.word == _NO_VERDICT]  # fmt: skip
    if few:
        yield f"No verdict, fewer than {LEAST_ITEMS} items: {_join(few)}."
    if diverged := [row.name for row, change in changes if change and change.verdict is None]:
        yield f"Diverged, not finite under one of the two arms: {_join(diverged)}."
    if missing := [row.name for row, change in changes if change is None]:
        yield f"Not measured on both arms: {_join(missing)}."


def _name_verdict(row: SkillRow, change: SkillChange) -> str:
    """How the line of a verdict begins."""
    assert change.verdict is not None, "it is in order"
    words = change.verdict.words
    if change.verdict.word in ("higher", "lower") and row.unit == "nats per token":
        words = "less likely texts" if change.verdict.word == "higher" else "more likely texts"
    elif change.verdict.word == "not enough evidence":
        words = change.verdict.word
    return words[:1].upper() + words[1:]


def _say_skill(row: SkillRow, change: SkillChange) -> str:
    is_silent = change.verdict is not None and change.verdict.word in _SILENT
    return row.name if is_silent else f"{row.name} {write_change(row, change)}"


def _say_returned(row: SkillRow) -> str:
    return f"{row.name} {len(row.regained):,} of {len(row.ever_lost):,}"


def _list_steps(values: ReportValues) -> Iterator[str]:
    """What each other step gained and lost, skills by name."""
    table = values.table
    for arm in table.arms[1:]:
        words: dict[str, list[str]] = {"gained": [], "lost": []}
        before = table.arms[0]
        for row in table.skills:
            change = row.stage_changes.get(arm) or (
                row.changes.get(arm) if arm != table.arms[-1] else None
            )
            if change is not None and change.verdict is not None:
                before = change.before
                if change.verdict.word in words:
                    words[change.verdict.word].append(row.name)
        parts = [f"{word} {_join(names)}" for word, names in words.items() if names]
        if parts:
            yield f"{arm} against {before} {' and '.join(parts)}"


def _join(names: Sequence[str], between: str = ", ") -> str:
    shown = between.join(names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else shown
