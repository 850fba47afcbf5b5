"""Sections of a report that are tables: skills, changes, other measures, classes, form, stages."""

import math
from collections.abc import Iterator, Sequence

from engine.impact.changes.classified_suite import WAY_WORDS, ClassifiedSuite
from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.format_words import MEASURE_NAMES
from engine.impact.changes.real_or_format import FormatVerdict
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillRow
from engine.impact.changes.stage_path import find_trained
from engine.number_format import write_number, write_points
from engine.report.blocks import Block, Grid, GridCell, Paragraph, Section, grid
from engine.report.number_words import (
    NONE,
    verdict_cell,
    write_change,
    write_digits,
    write_interval,
    write_p,
    write_score,
)
from engine.report.plots import plot_changes, plot_scores
from engine.report.report_values import ReportValues

SHOWN_ARMS = 4
"""Columns of arms beside each other; more stand in further tables."""


def show_skills(values: ReportValues) -> Section | None:
    """The scores of all arms, and the verdict of the last one against the first."""
    table = values.table
    blocks: list[Block] = [
        plot for plot in (plot_changes(values), plot_scores(values)) if plot is not None
    ]
    arms = table.arms
    for at in range(0, len(arms), SHOWN_ARMS):
        part = arms[at : at + SHOWN_ARMS]
        title = "Scores, with their 95% intervals" if len(arms) <= SHOWN_ARMS else (
            f"Scores, arms {at + 1} to {at + len(part)} of {len(arms)}"
        )  # fmt: skip
        rows = (
            (
                name_row(row),
                f"{row.items:,}",
                *(write_score(row, row.results.get(arm)) for arm in part),
            )
            for row in table.skills
        )
        blocks.append(grid(("skill", "n", *part), rows, title=title))
    if len(arms) > 1:
        title = f"{values.last} against {values.base}: the primary family"
        blocks.append(_list_changes(table.skills, values.last, title))
    return Section("skills", "Skills", tuple(blocks))


def show_other_arms(values: ReportValues) -> Section | None:
    """Every other change: of the arms between against the base, and of stages against the one
    before."""
    table = values.table
    blocks: list[Block] = []
    for arm in table.arms[1:-1]:
        title = f"{arm} against {values.base} (exploratory)"
        blocks.append(_list_changes(table.skills, arm, title))
    for arm in table.arms:
        rows = [row for row in table.skills if arm in row.stage_changes]
        if rows:
            before = rows[0].stage_changes[arm].before
            title = f"{arm} against the stage before it, {before} (exploratory)"
            blocks.append(_list_changes(rows, arm, title, is_stage=True))
    return Section("other-changes", "Every other change", tuple(blocks)) if blocks else None


def show_measures(values: ReportValues) -> Section | None:
    """The same skills by every other measure."""
    rows = values.table.secondary
    if not rows:
        return None
    blocks: list[Block] = [
        Paragraph(
            "The same answers by other measures, all of them exploratory. nll and gold_nll are "
            "nats per token, of which less is better; strict is the item's own score, flexible "
            "whether a right answer is found anywhere in what was answered."
        )
    ]
    arms = values.table.arms
    for at in range(0, len(arms), SHOWN_ARMS):
        part = arms[at : at + SHOWN_ARMS]
        is_last = values.last in part and len(arms) > 1
        head = ("skill", "measure", "n", *part, *(("change of the last arm",) if is_last else ()))
        cells = []
        for row in rows:
            change = row.changes.get(values.last)
            last = (GridCell(write_change(row, change)) if change else GridCell(NONE, "dim"),)
            scores = (write_score(row, row.results.get(arm)) for arm in part)
            cells.append(
                (row.name, row.measure, f"{row.items:,}", *scores, *(last if is_last else ()))
            )
        blocks.append(grid(head, cells, (0, 1)))
    return Section("measures", "Other measures", tuple(blocks))


def show_texts(values: ReportValues) -> Section | None:
    """Perplexity and bits per byte of texts that are read."""
    rows = [row for row in values.table.skills if row.is_perplexity and row.results]
    if not rows:
        return None
    cells = []
    for row in rows:
        for arm, result in row.results.items():
            suite = values.table.results.arms[arm].suites[row.name]
            tokens = sum(suite.tokens.get(item, 0) for item in result.scores)
            bits = NONE if result.bits_per_byte is None else write_number(result.bits_per_byte, 4)
            cells.append((row.name, arm, f"{len(result.scores):,}", f"{tokens:,}",
                          write_score(row, result), bits))  # fmt: skip
    head = ("texts", "arm", "n", "tokens", "perplexity", "bits per byte")
    return Section(
        "texts",
        "Texts that are read",
        (
            Paragraph(
                "Less is better for both. Bits per byte can be compared across tokenizers, "
                "perplexity cannot."
            ),
            grid(head, cells, (0, 1)),
        ),
    )


def show_stages(values: ReportValues) -> Section | None:
    """The means over skills, and which stage trained what."""
    summary, table = values.summary, values.table
    if len(table.stages) < 2:
        return None
    cells = []
    for measure in summary.measures:
        skills = f"{len(measure.skills)}"
        cells.append((measure.name, *_write_measure(measure), skills, measure.reason or ""))
    trained = find_trained(table.results, table.stages)
    names = (f"{stage} on {', '.join(found)}" for stage, found in trained.items() if found)
    known = "; ".join(names) or "no stage is known to be trained on one of these skills"
    return Section(
        "stages",
        "Over the stages",
        (
            Paragraph(f"Stages: {' → '.join(table.stages)}. Trained: {known}."),
            Paragraph(
                "Backward transfer: the last score less the one right after the stage that trained "
                "the skill. Peak forgetting: the best score before the last less the last. "
                "Relative forgetting: the share of the base's score that is gone."
            ),
            grid(
                ("mean over skills", "value", "95% interval", "skills", "why none"), cells, (0, 4)
            ),
        ),
    )


def show_format(values: ReportValues) -> Section | None:
    """Whether a change is of knowledge or of form alone."""
    cells = [
        (verdict.suite, one.arm, f"{verdict.items:,}", verdict.word,
         _write_states(verdict), verdict.reason)
        for compared in values.formats.values()
        for one in compared
        for verdict in one.asked
    ]  # fmt: skip
    if not cells:
        return None
    head = ("skill", "arm", "n", "word", "what moved", "why")
    return Section(
        "format",
        "Real or only format",
        (
            Paragraph(
                "A format shift: strict scores fall and the likelihood of the right answers holds; "
                "a knowledge shift: that likelihood falls. Each arm against the first."
            ),
            grid(head, cells, (0, 1, 3, 4, 5)),
        ),
    )


def show_classes(values: ReportValues) -> Section | None:
    """Suites of labels, class by class."""
    if not values.classified:
        return None
    blocks: list[Block] = []
    for one in values.classified:
        blocks += _list_classes(one, values.base, values.last)
    return Section("classes", "Classification", tuple(blocks))


def name_row(row: SkillRow) -> str:
    """The skill, with its measure where that is no score between 0 and 1."""
    if row.is_perplexity:
        return f"{row.name} (perplexity)"
    return row.name if row.unit == "score" else f"{row.name} ({row.measure})"


def _write_measure(measure: StageMeasure) -> tuple[str, str]:
    """A mean over skills and its interval: changes in points, an average as a score, what is
    relative in percent."""
    if measure.value is None:
        return NONE, NONE
    if measure.name == "average":
        value, *ends = (write_number(one, 3) for one in _list_ends(measure))
    elif measure.name == "relative forgetting":
        value, *ends = (f"{write_points(one)}%" for one in _list_ends(measure))
    else:
        value, *ends = map(write_points, _list_ends(measure))
        value = f"{value} points"
    return value, f"[{', '.join(ends)}]" if ends else NONE


def _list_ends(measure: StageMeasure) -> Iterator[float]:
    """The value, and the ends of its interval where it has one."""
    for one in (measure.value, measure.low, measure.high):
        if one is not None:
            yield one


def _list_changes(
    rows: Sequence[SkillRow], arm: str, title: str, *, is_stage: bool = False
) -> Grid:
    cells = []
    for row in rows:
        change = (row.stage_changes if is_stage else row.changes).get(arm)
        if change is None:
            cells.append((name_row(row), NONE, GridCell(NONE, "dim"), NONE, NONE, NONE, NONE, NONE))
        else:
            cells.append((name_row(row), f"{change.test.items:,}", verdict_cell(row, change),
                          write_change(row, change), *_count_flips(change), write_p(change.p),
                          change.test.name))  # fmt: skip
    head = ("skill", "n", "verdict", "change", "lost", "gained", "p", "test")
    return grid(head, cells, (0, 2, 7), title)


def _count_flips(change: SkillChange) -> tuple[str, str]:
    if change.flips is None:
        return NONE, NONE
    return f"{len(change.lost):,}", f"{len(change.gained):,}"


def _write_states(verdict: FormatVerdict) -> str:
    found = (verdict.changes[name] for name in MEASURE_NAMES if name in verdict.changes)
    return "; ".join(
        f"{MEASURE_NAMES[one.measure]} {write_digits(one.before)} to {write_digits(one.after)} "
        f"({one.state})"
        for one in found
    )


def _list_classes(one: ClassifiedSuite, base: str, last: str) -> Iterator[Block]:
    label, share = one.majority
    way = WAY_WORDS[one.way]
    yield Paragraph(
        f"{one.name}, by {way}: {one.items:,} items of {len(one.labels)} labels. Answering "
        f"{label!r} always would score {write_number(share, 2)}. {' '.join(one.notes)}".strip()
    )
    cells = []
    for arm, found in one.arms.items():
        change = one.changes.get(arm)
        f1 = NONE
        if change is not None:
            interval = "every prediction is the same"
            if not change.is_same and all(map(math.isfinite, change.macro_f1_interval)):
                interval = write_interval(*change.macro_f1_interval, 3, signed=True)
            f1 = f"{write_number(change.macro_f1, 3, signed=True)} {interval}"
        cells.append((
            arm,
            f"{write_number(found.accuracy, 3)} {write_interval(*found.accuracy_interval)}",
            f"{write_number(found.macro_f1, 3)} {write_interval(*found.macro_f1_interval)}",
            f1, f"{found.no_label:,}",
        ))  # fmt: skip
    head = (
        "arm",
        "accuracy",
        "macro-F1",
        f"change of macro-F1 from {next(iter(one.arms))}",
        "no label",
    )
    yield grid(head, cells, title=f"{one.name} by arm, by {way}")
    arms = [arm for arm in dict.fromkeys((base, last)) if arm in one.arms]
    scores = {arm: one.arms[arm].by_label() for arm in arms}
    rows = []
    for at, name in enumerate(one.labels):
        row = [name, f"{scores[arms[0]][at].items:,}"] if arms else [name, NONE]
        for arm in arms:
            one_label = scores[arm][at]
            row += [
                _with_interval(one_label.recall, one_label.recall_interval),
                _with_interval(one_label.precision, one_label.precision_interval),
                write_number(one_label.f1, 2),
            ]
        rows.append(row)
    columns = (f"{word}, {arm}" for arm in arms for word in ("recall", "precision", "F1"))
    yield grid(("label", "n", *columns), rows, title=f"{one.name} class by class, by {way}")
    if last in one.arms:
        pairs = [
            (true, predicted or "no label", f"{count:,}")
            for true, predicted, count in one.arms[last].commonest_confusions(8)
        ]
        if pairs:
            yield grid(("right label", f"predicted by {last}", "items"), pairs, (0, 1),
                       f"Commonest confusions of {last} on {one.name}, by {way}")  # fmt: skip


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{write_number(value, 2)} {write_interval(*interval)}"
