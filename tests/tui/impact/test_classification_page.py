"""Classification: scores, confusions and labels as lines, and the page that shows them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from engine.impact.changes.classified_suite import Way, classify_suite
from engine.impact.results.evaluation_results import EvaluationResults
from engine.jobs.store import Store
from engine.text import is_safe
from tests.impact.labelled import labelled
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.impact.classification_lines import classification_lines
from tui.impact.classification_page import ClassificationPage
from tui.runs.list_page import RunListPage
from tui.styled_text import Line, length

TRUTH = ["anger"] * 40 + ["fear"] * 30 + ["joy"] * 30
BASE = ["joy"] * 100
TUNED = ["anger"] * 36 + ["fear"] * 4 + ["fear"] * 30 + ["joy"] * 20 + ["anger"] * 10
ANSWERED = ["anger"] * 40 + [""] * 30 + ["joy"] * 30
HOSTILE = (
    "\x1b]0;owned\x07",
    "\u202eevil",
    "价格查询与比较服务" * 9,
    "a\nb",
    "x" * 300,
    "[b]",
    " ",
)


def results() -> EvaluationResults:
    return labelled(
        TRUTH, {"base": (BASE, None), "instruct": (TUNED, None), "tuned": (TUNED, ANSWERED)}
    )


def lines_of(
    shown: EvaluationResults,
    width: int = 160,
    way: Way = "likelihood",
    glyphs: Glyphs = UNICODE,
    arms: Sequence[str] = (),
    *,
    as_difference: bool = False,
) -> list[Line]:
    counted = classify_suite(shown, "emotion", way, arms)
    return classification_lines(counted, width, glyphs, as_difference=as_difference)


def squeeze(text: str) -> str:
    """With one blank between its parts."""
    return " ".join(text.split())


def texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def roles_of(lines: Sequence[Line], text: str) -> list[str]:
    """Of the pieces of the lines that begin with a text, but for white space."""
    return [role for line in lines if texts([line])[0].strip().startswith(text)
            for piece, role in line if piece.strip()]  # fmt: skip


def test_scores_stand_beside_their_bars() -> None:
    shown = texts(lines_of(results()))
    assert squeeze(shown[0]) == "95% intervals majority class: anger, .40"
    assert shown[1].split()[:4] == ["base", "accuracy", ".30", "[.22,.40]"]
    assert shown[5].split()[:4] == ["tuned", "accuracy", ".86", "[.78,.91]"]
    assert shown[5].count("█") / shown[1].count("█") == pytest.approx(0.86 / 0.3, rel=0.05)
    assert shown[2].count("▒") == pytest.approx(0.1538 * 80, abs=1.6)  # macro-F1 of the base


def test_matrices_stand_side_by_side() -> None:
    lines = lines_of(results(), arms=("base", "tuned"))
    shown = texts(lines)
    at = next(y for y, text in enumerate(shown) if text.startswith(" Confusions"))
    assert shown[at + 1].split() == ["base", "│", "tuned"]
    assert [text.split() for text in shown[at + 2 : at + 6]] == [
        ["1", "2", "3", "│", "1", "2", "3"],
        ["1", "anger", "0", "0", "40", "│", "36", "4", "0"],
        ["2", "fear", "0", "0", "30", "│", "0", "30", "0"],
        ["3", "joy", "0", "0", "30", "│", "10", "0", "20"],
    ]
    assert roles_of(lines[at + 3 :], "1 anger")[2:] == [
        "dim", "dim", "bad", "dim", "good", "warn", "dim",
    ]  # fmt: skip


def test_the_difference_has_signs_and_says_what_is_better() -> None:
    lines = lines_of(results(), arms=("base", "tuned"), as_difference=True)
    shown = texts(lines)
    at = next(y for y, text in enumerate(shown) if text.startswith(" Changes of the confusions"))
    assert [text.split()[2:] for text in shown[at + 3 : at + 6]] == [
        ["+36", "+4", "-40"], ["0", "+30", "-30"], ["+10", "0", "-10"],
    ]  # fmt: skip
    assert roles_of(lines[at + 3 :], "1 anger")[2:] == ["good", "bad", "good"]
    assert roles_of(lines[at + 3 :], "3 joy")[2:] == ["bad", "dim", "bad"]


def test_answers_that_are_no_label_have_a_column() -> None:
    shown = texts(lines_of(results(), way="generated"))
    assert " Predictions that are no label, counted as wrong: tuned 30" in shown
    assert any(text.split()[-4:] == ["1", "2", "3", "none"] for text in shown)
    assert any(text.split() == ["2", "fear", "0", "0", "0", "30"] for text in shown)
    assert " base: not measured by generated answer." in shown


def test_above_eight_labels_the_commonest_confusions_are_listed() -> None:
    labels = [f"label {at}" for at in range(9)]
    truth = [label for label in labels for _ in range(20)]
    off = [labels[(labels.index(one) + 1) % 9] if at % 20 < labels.index(one) + 1 else one
           for at, one in enumerate(truth)]  # fmt: skip
    many = labelled(truth, {"base": (off, None), "tuned": (truth, None)}, labels)
    shown = texts(lines_of(many))
    at = shown.index(" The ten commonest confusions  of all items")
    assert squeeze(shown[at + 2]) == "label 8 → label 0 9 │ no confusions"
    assert squeeze(shown[at + 2 + 8]) == "label 0 → label 1 1 │"
    changed = texts(lines_of(many, as_difference=True))
    at = changed.index(" The ten confusions that changed most")
    assert squeeze(changed[at + 2]) == "label 8 → label 0 9 → 0"


def test_every_label_has_its_scores_by_arm() -> None:
    shown = texts(lines_of(results(), arms=("base", "tuned")))
    at = next(y for y, text in enumerate(shown) if text.startswith(" Labels"))
    row = "anger base 40 .00 [.00,1.00] .00 [.00,.09] .00 [.00,.16]"
    assert squeeze(shown[at + 1]) == row
    assert squeeze(shown[at + 2]) == "tuned .78 [.64,.88] .90 [.77,.96] .84 [.74,.90]"


def test_the_change_is_said_with_its_test() -> None:
    shown = texts(lines_of(results(), arms=("base", "tuned")))
    (change,) = (text for text in shown if text.startswith(" base → tuned"))
    assert "accuracy +.56 [" in change
    assert "gained (paired proportions)" in change
    assert " Exploratory, unadjusted. This checkpoint, one seed." in shown
    same = texts(lines_of(labelled(TRUTH, {"base": (BASE, None), "tuned": (BASE, None)})))
    (change,) = (text for text in same if text.startswith(" base → tuned"))
    assert change.endswith("macro-F1 .00  all predictions are the same")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("as_difference", [False, True])
@pytest.mark.parametrize("labels", [HOSTILE, (*HOSTILE, "more", "and more")])
def test_hostile_labels_and_arms_stay_in_their_cells(
    labels: tuple[str, ...], as_difference: bool, width: int, glyphs: Glyphs
) -> None:
    truth = list(labels) * 30
    turned = [labels[(labels.index(one) + at % 2) % len(labels)] for at, one in enumerate(truth)]
    arms = {"\x1b[31m" + "臂" * 40: (truth, None), "b" * 200: (turned, None), "c\n": (truth, None)}
    lines = lines_of(
        labelled(truth, arms, labels), width, glyphs=glyphs, as_difference=as_difference
    )
    for line in lines:
        assert all(is_safe(text) for text, _ in line)
        assert length(line) <= width, texts([line])


@given(
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=40),
    st.integers(20, 200),
    st.booleans(),
)
def test_any_counts_are_drawn(found: list[str], width: int, as_difference: bool) -> None:
    truth = ["abc"[at % 3] for at in range(len(found))]
    shown = labelled(truth, {"x": (found, None), "y": (truth, None)}, ["a", "b", "c"])
    assert lines_of(shown, width, as_difference=as_difference)


def test_without_right_labels_it_says_why() -> None:
    shown = labelled(["", ""], {"base": (["joy", "fear"], None)}, ["fear", "joy"])
    assert texts(lines_of(shown)) == [
        " Nothing to count.",
        " 2 items with no right label: left out.",
    ]


@asynccontextmanager
async def showing(
    page: ClassificationPage, folder: Path, size: tuple[int, int] = (160, 50)
) -> AsyncIterator[Pilot[Any]]:
    app = FinetopApp(Store(folder))
    async with app.run_test(size=size) as pilot:
        await app.push_screen(page)
        yield pilot


async def test_keys_turn_the_way_and_the_difference(tmp_path: Path) -> None:
    page = ClassificationPage(results(), "emotion")
    async with showing(page, tmp_path) as pilot:
        await see(pilot, "labels by likelihood · 100 items")
        await see(pilot, "v generated answer  d diff")
        await pilot.press("d")
        await see(pilot, "Changes of the confusions")
        await see(pilot, "d counts")
        await pilot.press("v")
        await see(pilot, "labels by generated answer")
        assert "d counts" not in screen_text(pilot.app)  # one arm alone was measured so
        await see(pilot, "Predictions that are no label")
        await pilot.press("v", "d")
        await see(pilot, "row: right label")
        await pilot.press("question_mark")
        await see(pilot, "Labels by likelihood, or by generated answer.")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunListPage))


async def test_it_scrolls_to_the_last_label(tmp_path: Path) -> None:
    async with showing(ClassificationPage(results(), "emotion"), tmp_path, (80, 24)) as pilot:
        await see(pilot, "Confusions")
        assert "precision" not in screen_text(pilot.app)
        await pilot.press("end")
        await see(pilot, "precision")


async def test_it_opens_with_what_was_measured(tmp_path: Path) -> None:
    generated = labelled(TRUTH, {"base": (None, BASE), "tuned": (None, ANSWERED)})
    async with showing(ClassificationPage(generated, "emotion"), tmp_path) as pilot:
        await see(pilot, "labels by generated answer · 100 items")
        await pilot.press("v")
        await see(pilot, "base: not measured by likelihood.")


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (300, 100)])
async def test_any_size_will_do(tmp_path: Path, size: tuple[int, int]) -> None:
    async with showing(ClassificationPage(results(), "emotion"), tmp_path) as pilot:
        await see(pilot, "Confusions")
        await pilot.resize_terminal(*size)
        await pilot.press("d", "end", "v", "a")
        await pilot.resize_terminal(100, 60)
        await see(pilot, "labels by generated")
