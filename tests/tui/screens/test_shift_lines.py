"""Answers laid out with marks: token shift, word differences, strengths, tokens, and their flow."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine import word_diff
from engine.compare.token_shift import Candidate, Shift, ShiftedToken
from tui.compare.strengths import StrengthSweep
from tui.compare.views import layouts, token_lines
from tui.glyphs import ASCII, UNICODE
from tui.screens.answer_side import Span, TokenPieces
from tui.screens.diff_lines import diff_line, diff_lines, pairs
from tui.screens.shift_lines import levels_of, next_shifted, probability, shift_lines, shift_panel
from tui.styled_text import Line
from tui.widgets.flow import flow

NAMES = (("base", "base"), ("tuned", "tuned"))
TOP = (Candidate(1, " a", 0.41), Candidate(2, "\x1b[31m", 0.004))


def said(*tokens: tuple[str, int]) -> Shift:
    """An answer of pieces and their ranks under the base."""
    return Shift("base", "tuned", "", True, tuple(
        ShiftedToken(at, piece, rank, 0.5, 0.9, 0.1 * rank, TOP, TOP)
        for at, (piece, rank) in enumerate(tokens)
    ))  # fmt: skip


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def test_each_kind_has_marks_of_its_own_and_neighbours_share_them() -> None:
    shift = said(("The", 1), (" dog", 2), (" is", 1), (" very", 9), (" sad", 30), ("\n", 1),
                 ("joy", 4), ("<|end|>", 1))  # fmt: skip
    assert text(shift_lines(shift, -1, UNICODE)) == "The ‹dog› is ⟦very sad⟧\n⟦joy⟧<|end|>"
    assert text(shift_lines(shift, -1, ASCII)) == "The <dog> is {very sad}\n{joy}<|end|>"


def test_the_cursor_lies_on_one_token_even_where_that_is_a_line_break() -> None:
    shift = said(("a", 1), ("\n", 5), (" b", 1))
    picked = [
        [part for line in shift_lines(shift, at, UNICODE) for part, role in line if role == "pick"]
        for at in range(3)
    ]
    assert picked == [["a"], ["⏎"], [" b"]]


def test_a_character_of_several_tokens_is_whole_and_counts_as_the_worst() -> None:
    shift = said(("�", 1), ("�", 7), ("ok", 1))
    lines = shift_lines(shift, 0, UNICODE, ("", "😀", "ok"))
    assert text(lines) == "⟦😀⟧ok"
    assert ("😀", "pick") in lines[0]
    assert "�" in text(shift_lines(shift, 0, UNICODE)), "where the pieces are not known"


def test_the_panel_has_shares_curve_and_both_models_choices() -> None:
    shift = said((" x", 1), ("\x07", 2), ("y", 300))
    lines = text(shift_panel(shift, 2, NAMES, 100, UNICODE)).split("\n")
    assert "unshifted 33%" in lines[0]
    assert "‹marginal› 33%" in lines[0]
    assert "⟦shifted⟧ 33%" in lines[0]
    assert "over 3 tokens" in lines[0]
    assert "max 30.00 at token 3" in lines[1]
    assert '3/3  "y"' in lines[2]
    assert "rank 300 under base" in lines[2]
    assert lines[3].startswith(' base  p " a" .41')
    assert "\x1b" not in text(shift_panel(shift, 1, NAMES, 100, UNICODE))
    assert text(shift_panel(said(), 0, NAMES, 100, UNICODE)) == " token shift  the answer is empty"


def test_the_curve_keeps_its_spikes_and_its_cursor_at_any_width() -> None:
    shift = said(*(("w", 1 + 900 * (at == 57)) for at in range(200)))
    for width, at in itertools.product((20, 45, 80, 300), (0, 57, 199)):
        curve = shift_panel(shift, at, NAMES, width, UNICODE)[1]
        assert cell_len(text([curve])) <= max(width, 60)
    assert levels_of([0.0] * 57 + [9.0] + [0.0] * 142, 10).count(9.0) == 1
    assert levels_of([1.0], 0) == []


def test_jumps_go_from_shifted_to_shifted_and_stay_at_the_ends() -> None:
    shift = said(("a", 1), ("b", 2), ("c", 1), ("d", 9))
    assert [next_shifted(shift, at, 1) for at in range(4)] == [1, 3, 3, 3]
    assert [next_shifted(shift, at, -1) for at in range(4)] == [0, 1, 1, 1]


def test_probabilities_take_four_cells() -> None:
    assert [probability(one) for one in (1.0, 0.994, 0.41, 0.004, 0.0)] == [
        "1.00", ".99", ".41", "<.01", "<.01",
    ]  # fmt: skip


def test_what_one_answer_alone_says_is_marked_in_each() -> None:
    difference = word_diff.compare("The old dog\nsat here", "The dog\nran here now")
    left = text(diff_lines(difference.changes, "left", "base", UNICODE))
    right = text(diff_lines(difference.changes, "right", "tuned", ASCII))
    assert left == "The ⟦old⟧ dog\n⟦sat⟧ here"
    assert right == "The dog\n{ran} here {now}"
    line = text([diff_line(difference, NAMES, UNICODE)])
    assert "2 only in base" in line
    assert "2 only in tuned" in line
    same = word_diff.compare("as is", "as  is")
    assert "identical words" in text([diff_line(same, NAMES, UNICODE)])


@given(st.text(max_size=80), st.text(max_size=80))
def test_without_the_marks_both_texts_are_whole(left: str, right: str) -> None:
    changes = word_diff.compare(left, right).changes
    for side, whole in (("left", left), ("right", right)):
        shown = text(diff_lines(changes, side, "base", ASCII))  # type: ignore[arg-type]
        if not set("{}") & set(whole):
            assert shown.replace("{", "").replace("}", "") == whole


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_characters="\n\t"), max_size=40),
                       st.sampled_from(["", "base"])), max_size=8),
    st.integers(2, 40),
)  # fmt: skip
def test_flow_loses_nothing_but_spaces_at_breaks(line: list[tuple[str, str]], width: int) -> None:
    lines = flow(line, width)
    whole = "".join(part for part, _ in line)
    assert text(lines).replace("\n", "").replace(" ", "") == whole.replace(" ", "")
    for one in lines:
        shown = "".join(part for part, _ in one)
        # Joined to its neighbours a character may be narrower, never wider.
        assert sum(cell_len(character) for character in shown) <= width or len(shown) == 1


def test_words_of_several_pieces_break_only_between_words() -> None:
    pieces = [("un", ""), ("break", "base"), ("able", ""), (" words", "")]
    assert text(flow(pieces, 13)) == "unbreakable \nwords"
    assert text(flow([("x" * 10_000, "")], 80)).count("\n") == 124


def test_the_first_pane_stays_and_the_others_come_in_turn() -> None:
    assert layouts(1, 80) == [(0,)]
    assert layouts(2, 80) == [(0, 1), (1,), (0,)]
    assert layouts(4, 80) == [(0, 1), (0, 2), (0, 3), (1,), (2,), (3,), (0,)]
    assert layouts(4, 120)[:2] == [(0, 1, 2), (0, 2, 3)]
    assert layouts(4, 160)[0] == (0, 1, 2, 3)
    assert layouts(3, 20) == [(0,), (1,), (2,)]
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]


def test_tokens_show_their_spaces_their_ids_and_which_are_special() -> None:
    mark = Span("<|user|>", (4,), special=True, pieces=("<|user|>",))
    word = Span(" hé", (7, 8), pieces=("Ġh", "<0xE9>\x1b"))
    pieces = TokenPieces((mark,), (word,))
    prompt, answer = "⟦<|user|>⟧<|user|> 4 ", "⟦·hé⟧Ġh 7 <0xE9>␛ 8 "
    lines = token_lines(pieces, UNICODE)
    assert text(lines) == f"prompt, 1 token\n{prompt}\nanswer, 2 tokens\n{answer}"
    assert ("⟦<|user|>⟧", "warn") in lines[1]
    assert "{_hé}Ġh 7" in text(token_lines(pieces, ASCII))


def test_strengths_say_where_the_answer_turns() -> None:
    assert "send first" in text(StrengthSweep().panel(0, NAMES[1]))
    sweep = StrengthSweep(subject=True)
    told = {"words": 1, "sentences": 1, "lines": 1, "tokens": 1, "seconds": 0.1, "finish": "stop"}
    assert "0 of 5 generated" in text([*sweep.panel(0, NAMES[1])])
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        sample = {"text": "a" if strength < 0.5 else "b"}
        sweep = sweep.heard({"strength": strength, "sample": sample, "behaviour": told})
    assert "[0.25]" in text(sweep.panel(1, NAMES[1]))
    assert "changes at 0.25-0.5" in text(sweep.panel(1, NAMES[1]))
    assert text(sweep.lines(4, UNICODE)) == "b"
