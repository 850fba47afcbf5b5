"""All that is known of a cell: what does not fit below the matrix is named there and read here."""

from pathlib import Path
from typing import Any

from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.results.evaluation_results import read_results
from engine.jobs.store import Store
from tests.tui.conftest import screen_text, see
from tests.tui.impact.evaluated import scored, suite_facts, write_evaluation
from tui.app import FinetopApp
from tui.glyphs import ASCII, UNICODE
from tui.impact.cell_lines import cell_lines, clip, pack
from tui.impact.notes_page import NotesPage, note_lines
from tui.styled_text import Line, length

BASE = {"fewshot": 5, "template": "raw"}
TUNED = {"fewshot": 0, "template": "own"}
RESULTS: dict[str, Any] = {
    "schema": 2,
    "suites": {"s": suite_facts("s", 60)},
    "arms": {
        "base": {"arm": "b=x", "suites": {"s": scored("s", 60, range(40)) | {"asked": BASE}}},
        "tuned": {"arm": "t=y", "suites": {"s": scored("s", 60, range(20)) | {"asked": TUNED}}},
    },
}
TABLE = build_table(read_results(RESULTS))
WARNING = "The arms were not asked alike (solved items before each question 5 for base, 0 for tuned"


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def test_a_long_note_is_broken_and_never_cut() -> None:
    lines = cell_lines(TABLE, TABLE.row("s"), "tuned", "base", "·", 60)
    assert max(map(length, lines)) <= 60
    assert WARNING in " ".join(text_of(line).strip() for line in lines)


def test_lines_that_do_not_fit_are_counted() -> None:
    lines = pack([[("a fact of some length", "")]] * 9, "·", 50)
    assert clip(lines, len(lines), 50, UNICODE) == lines
    shown = clip(lines, 2, 50, UNICODE)
    assert len(shown) == 2
    assert text_of(shown[1]) == f" a fact of some length … {len(lines) - 2} more: i"
    assert clip([*lines[:1], [(" " + "word " * 9, "dim")], *lines], 2, 40, ASCII)[1] == [
        (" word word word word word", "dim"), (f" ~ {len(lines)} more: i", "key"),
    ]  # fmt: skip


def test_all_of_a_cell_is_told_with_its_other_measures() -> None:
    lines = [text_of(line) for line in note_lines(TABLE, summarize(TABLE), TABLE.row("s"),
                                                   "tuned", "base")]  # fmt: skip
    text = "\n".join(lines)
    assert "n = 60" in text
    assert "exploratory, unadjusted" in text
    assert WARNING in text
    assert "last against base corrected by Holm" in text
    assert "change of skills not trained on: a mean over 1 skill, s" in text


async def test_i_opens_the_notes_and_esc_leads_back(tmp_path: Path) -> None:
    write_evaluation(tmp_path, "measured", RESULTS)
    app = FinetopApp(Store(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "enter impact")
        await pilot.press("enter")
        await see(pilot, "more: i")
        await pilot.press("i")
        await see(pilot, "all that is known of a cell")
        assert isinstance(app.screen, NotesPage)
        await see(pilot, "The arms were not asked alike")
        await pilot.press("escape")
        await see(pilot, "more: i")
        assert "all that is known" not in screen_text(app)


def test_controls_are_told_where_they_were_measured() -> None:
    def lines_of(results: Any) -> list[str]:
        table = build_table(read_results(results))
        made = note_lines(table, summarize(table), table.row("s"), "tuned", "base")
        return [text_of(line).strip() for line in made]

    controls = {
        "base, again": {"arm": "b", "control": "identity", "of": "base", "suites": {
            "s": scored("s", 60, range(39))}},
        **{f"null {at}": {"arm": f"n{at}=y?null={at}", "control": "null", "of": "tuned",
                          "suites": {"s": scored("s", 60, range(right))}}
           for at, right in enumerate((37, 40, 43))},
    }  # fmt: skip
    told = lines_of({**RESULTS, "arms": RESULTS["arms"] | controls})
    without = lines_of(RESULTS)
    assert "Controls of s" not in without
    at = told.index("Controls of s")
    assert told[at + 1 : at + 3] == [
        "base measured a second time: 1 of 60 items changed, by at most 1",
        "3 null adapters of tuned, on 60 items: 0.0 points (sd 5.0); tuned itself -33.3 points; "
        "z -6.7, 2 degrees of freedom, no verdict",
    ]
    assert told[:at] + told[at + 4 :] == without, "nothing else of the page changes"
