"""The matrix as lines: marks, verdict words, columns that fit, at every width and in ASCII."""

import pytest

from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.results.evaluation_results import read_results
from tests.tui.impact.evaluated import scored, staged_results, suite_facts
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.impact.cell_lines import cell_lines, pack, summary_lines
from tui.impact.matrix_lines import head_line, lay_out, row_line
from tui.impact.verdict_words import change_of, interval_text, mark, row_verdict, score_text
from tui.styled_text import Line, length

TABLE = build_table(read_results(staged_results()))


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def drawn(table: SkillTable, width: int, column: int = 2, glyphs: Glyphs = UNICODE) -> list[str]:
    layout = lay_out(table, table.skills, width, column, 0)
    lines = [head_line(table, layout, glyphs)]
    lines += [row_line(table, row, layout, "parent", glyphs, None) for row in table.skills]
    return [text_of(line).rstrip() for line in lines]


def row(name: str) -> SkillRow:
    return TABLE.row(name)


def many_arms(count: int, word: str = "step") -> SkillTable:
    """As many arms as there are checkpoints of a long run."""
    arms = {
        f"{word} {at}": {"arm": f"s{at}=run:r{at}", "suites": {"s": scored("s", 30, range(at))}}
        for at in range(count)
    }
    return build_table(
        read_results({"schema": 2, "suites": {"s": suite_facts("s", 30)}, "arms": arms})
    )


def test_80_columns_have_a_short_line_a_skill() -> None:
    lines = drawn(TABLE, 80)
    assert lines[0].split() == [
        "skill", "n", "base", "emotion", "counsel", "last", "against", "base",
    ]  # fmt: skip
    assert lines[1].split() == [
        "arithmetic", "300", "1.00", ".87", "▼", ".96", "▲", "lost,", "27", "of", "39", "back",
    ]  # fmt: skip
    assert lines[4].split()[:5] == ["song", "3", "3/3", "0/3", "3/3"]
    assert lines[4].endswith("items only, 3 of 3 back")
    assert max(map(len, lines)) <= 80


def test_wide_terminals_have_intervals_and_whole_verdicts() -> None:
    lines = drawn(TABLE, 156)
    assert "1.00 [.99,1.00]" in lines[1]
    assert lines[1].endswith("lost; 27 of 39 regained")
    assert lines[2].endswith("gained beyond 5 points; 192 lost since emotion")
    assert "the same within 5 points" in lines[3]
    assert lines[5].endswith("higher")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 109, 110, 160, 300])
def test_the_arm_of_the_cursor_is_in_sight_at_every_width(width: int) -> None:
    table = many_arms(24)
    first = 0
    for column in (0, 5, 23, 12, 0):
        layout = lay_out(table, table.skills, width, column, first)
        assert column in layout.arms
        assert layout.arms.stop <= 24
        first = layout.first


def test_what_is_out_of_sight_is_counted_at_both_ends() -> None:
    table = many_arms(24)
    layout = lay_out(table, table.skills, 80, 12, 10)
    head = text_of(head_line(table, layout, UNICODE))
    assert f"{layout.first}<" in head
    assert f">{24 - layout.arms.stop}" in head


def test_names_are_cut_only_where_the_line_ends() -> None:
    head = drawn(many_arms(24, "later step"), 80, column=20)[0]
    assert "later step 20" in head
    assert len(head) <= 80
    assert "checkpoint-of-step 2 " in drawn(many_arms(3, "checkpoint-of-step"), 300)[0]


def test_marks_say_where_a_score_went_against_parent_and_base() -> None:
    def signs(skill: str, arm: str) -> tuple[str, str]:
        found = row(skill)
        marks = [mark(found, change_of(found, arm, against), UNICODE)[0]
                 for against in ("parent", "base")]  # fmt: skip
        return marks[0], marks[1]

    assert signs("arithmetic", "emotion") == ("▼", "▼")
    assert signs("arithmetic", "counsel") == ("▲", "▼")
    assert signs("french", "counsel") == ("=", "=")
    assert signs("song", "counsel") == (" ", " ")
    assert signs("arithmetic", "base") == (" ", " ")
    # A perplexity that rose is worse: its mark has the role of a loss.
    worse = mark(row("prose"), row("prose").changes["emotion"], UNICODE)
    assert worse == ("▲", "bad")


def test_marks_and_lines_are_plain_in_ascii() -> None:
    lines = drawn(TABLE, 80, glyphs=ASCII)
    assert lines[1].split()[3:6] == [".87", "v", ".96"]
    assert all(line.isascii() for line in lines)


def test_too_few_items_show_counts_and_no_interval() -> None:
    song = row("song")
    assert [score_text(song, song.results[arm]) for arm in TABLE.arms] == ["3/3", "0/3", "3/3"]
    assert interval_text(song, song.results["base"]) == ""
    assert score_text(song, None) == "—"


def test_hostile_names_neither_break_the_line_nor_reach_the_terminal() -> None:
    name = "日本語の\x1b[2J\u202e試験\nline" * 4
    results = {
        "schema": 2,
        "suites": {name: suite_facts("q", 30)},
        "arms": {
            "\x1b]0;base\x07": {"arm": "b=x", "suites": {name: scored("q", 30, range(9))}},
            "tuned\u200b" * 9: {"arm": "t=y", "suites": {name: scored("q", 30, range(20))}},
        },
    }
    table = build_table(read_results(results))
    for width in (40, 80, 160):
        layout = lay_out(table, table.skills, width, 1, 0)
        lines = [head_line(table, layout, UNICODE)]
        lines.append(row_line(table, table.skills[0], layout, "parent", UNICODE, 1))
        starts = []
        for line in lines:
            text = text_of(line)
            assert not set("\x1b\x07\n\u202e") & set(text)
            starts.append(length(line[:4]))
        assert starts[0] == starts[1], "the columns stand under their heads"


def test_the_cell_names_its_test_its_family_and_its_scope() -> None:
    def said(skill: str, arm: str, against: str = "base") -> str:
        assert against in ("base", "parent")
        lines = cell_lines(TABLE, row(skill), arm, against, "·", 80)  # type: ignore[arg-type]
        return " ".join(text_of(line).strip() for line in lines)

    primary = said("emotion", "counsel")
    assert "gained beyond 5 points" in primary
    assert "paired proportions, primary family, corrected by Holm" in primary
    assert "at 98.3%" in primary
    exploratory = said("emotion", "emotion")
    assert "paired proportions, exploratory, unadjusted" in exploratory
    assert "trained on by this stage" in exploratory
    assert "lost beyond 5 points" in said("emotion", "counsel", "parent")
    assert "exploratory" in said("emotion", "counsel", "parent")
    assert "items only" in said("song", "counsel")
    assert "n = 300" in said("french", "base")
    assert "bits per byte" in said("prose", "base")


def test_no_evidence_says_how_many_items_would_do() -> None:
    results = {
        "schema": 2,
        "suites": {"s": suite_facts("s", 40)},
        "arms": {
            "base": {"arm": "b=x", "suites": {"s": scored("s", 40, range(20))}},
            "tuned": {"arm": "t=y", "suites": {"s": scored("s", 40, range(3, 22))}},
        },
    }
    table = build_table(read_results(results))
    words = row_verdict(table, table.skills[0])
    assert words.startswith("not enough evidence: about ")
    assert words.endswith(" items would do")
    assert row_verdict(table, table.skills[0], short=True) == "not enough"


def test_the_first_number_is_the_change_of_the_skills_that_were_not_trained() -> None:
    lines = summary_lines(summarize(TABLE), TABLE, "·", 80)
    text = " ".join(text_of(line).strip() for line in lines)
    assert text.startswith("skills not trained -.02 [")
    for words in ("BWT -.32 [-.36, -.28]", "average", "peak forgetting", "relative forgetting",
                  "this checkpoint, one seed", "0 items seen in training",
                  "exploratory, unadjusted"):  # fmt: skip
        assert words in text
    assert all(length(line) <= 80 for line in lines)


def test_contamination_that_is_not_known_is_unknown_and_not_0() -> None:
    results = staged_results()
    for suite in results["arms"]["counsel"]["suites"].values():
        suite["seen"] = None
    table = build_table(read_results(results))
    lines = summary_lines(summarize(table), table, "·", 200)
    text = " ".join(map(text_of, lines))
    assert "Whether counsel saw these items in training is unknown." in text
    assert "0 items" not in text


def test_facts_fill_a_line_and_then_the_next() -> None:
    facts: list[Line] = [[("a" * 10, "")], [("b" * 10, "")], [("c" * 30, "")]]
    assert [text_of(line) for line in pack(facts, "·", 25)] == [
        " aaaaaaaaaa · bbbbbbbbbb", f" {'c' * 24}", f" {'c' * 6}",
    ]  # fmt: skip


def test_verdicts_are_shortened_and_then_intervals_left_out_before_an_arm_is_hidden() -> None:
    tables = [many_arms(count) for count in (3, 5, 7)]
    layouts = [lay_out(table, table.skills, 156, 0, 0) for table in tables]
    assert row_verdict(tables[1], tables[1].skills[0]).startswith("not enough evidence: about ")
    assert [(one.is_wide, one.is_long, one.shown) for one in layouts] == [
        (True, True, 3), (True, False, 5), (False, True, 7),
    ]  # fmt: skip


def test_a_cell_has_the_notes_of_its_own_arm() -> None:
    results = staged_results()
    suite = results["arms"]["emotion"]["suites"]["arithmetic"]
    suite["seen"] = {"arithmetic-50": "question"}
    suite["finish"] = {"arithmetic-60": "length"}
    table = build_table(read_results(results))

    def said(arm: str) -> str:
        lines = cell_lines(table, table.row("arithmetic"), arm, "base", "·", 80)
        return " ".join(text_of(line).strip() for line in lines)

    assert "1 item was seen in training: 0.870 with it, 0.870 without." in said("emotion")
    assert "1 answer was cut by the length limit" in said("emotion")
    assert "emotion: 1" not in said("emotion"), "the head of the cell names the arm"
    assert "1 item was seen" not in said("counsel")
