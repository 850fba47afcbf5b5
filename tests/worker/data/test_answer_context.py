"""An answer after its prompt, where a template writes the two differently: texts alone."""

import pytest

from engine.worker.data.answer_context import Unreadable, continue_prompt, opened_tag

REASONED = "<think>\nWhy.\n</think>\n\nFour."


@pytest.mark.parametrize(
    ("prompt", "whole", "content", "expected"),
    [
        ("u: a\na: ", "u: a\na: Four.|", "Four.", "u: a\na: [[Four.|"),
        # The prompt opens a block.
        ("u|<think>\n", "u|Four.|", "Four.", "u|<think>\n[[</think>\n\nFour.|"),
        ("u|<think>", "u|Four.|", "Four.", "u|<think>[[\n\n</think>\n\nFour.|"),
        ("u|<think>\n", "u|\n\nFour.|", REASONED, "u|<think>\n[[Why.\n</think>\n\nFour.|"),
        ("u|<think>", "u|Four.|", REASONED, "u|<think>[[\nWhy.\n</think>\n\nFour.|"),
        ("u|<think>\n", "u|Four.|", "Why.\n</think>\n\nFour.",
         "u|<think>\n[[Why.\n</think>\n\nFour.|"),
        ("u|<think>\n", "u|\n\nFour.|", "<think>\n\n</think>\n\nFour.",
         "u|<think>\n[[</think>\n\nFour.|"),
        ("u|<think>\n", "u|<think></think>Four.|", "Four.", "u|<think>\n[[</think>Four.|"),
        ("u|<think>\n", "u|<think>\nWhy.\n</think>\n\nFour.|", REASONED,
         "u|<think>\n[[Why.\n</think>\n\nFour.|"),
        ("u|<think>\n", "u|  Four. \n|", "  Four. \n", "u|<think>\n[[</think>\n\n  Four. \n|"),
        ("say think|<think>\n", "say think|think|", "think",
         "say think|<think>\n[[</think>\n\nthink|"),
        ("u|<think>\n", "u|<think>\n\n</think>\n\nFour.|", "Four.",
         "u|<think>\n[[</think>\n\nFour.|"),
        # The prompt has an empty block.
        ("u|<think>\n\n</think>\n\n", "u|Four.|", "Four.", "u|<think>\n\n</think>\n\n[[Four.|"),
        ("u|<think>\n\n</think>\n\n", "u|<think></think>Four.|", "Four.",
         "u|<think>\n\n</think>\n\n[[Four.|"),
        ("u|<think>\n\n</think>\n\n", f"u|{REASONED}|", REASONED, f"u|[[{REASONED}|"),
        # The template removes reasoning, without a block in the prompt.
        ("u|", "u|Four.|", REASONED, f"u|[[{REASONED}|"),
        ("u|", "u|[why] Why. [why]Four.|", REASONED, "u|[[[why] Why. [why]Four.|"),
        # The system message stands in the last user message only.
        ("<s>[S]x[/S]", "<s>x[/S] Four.|", "Four.", "<s>[S]x[/S][[ Four.|"),
        ("<s>[x]Four.</s>[S x]", "<s>[x]Four.</s>[x] Four.|", "Four.",
         "<s>[x]Four.</s>[S x][[ Four.|"),
        ("[I]sys. again[/I]", "[I]again[/I]no[I]again[/I]no|", "no", "[I]sys. again[/I][[no|"),
    ],
)  # fmt: skip
def test_the_text_is_the_prompt_and_the_answer_after_it(
    prompt: str, whole: str, content: str, expected: str
) -> None:
    text, start = continue_prompt(prompt, whole, content)
    assert f"{text[:start]}[[{text[start:]}" == expected


@pytest.mark.parametrize("whole", ["", "something else", "a template that leaves out the u: and|"])
def test_an_answer_that_is_not_written_is_refused(whole: str) -> None:
    with pytest.raises(Unreadable):
        continue_prompt("u: what?|", whole, "Four.")


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        ("a<think>\n", "think"),
        ("a<thinking>", "thinking"),
        ("a<think>\n\n</think>\n\n", ""),
        ("a <think> of it", ""),
        ("<assistant>", ""),
    ],
)
def test_a_block_that_a_prompt_leaves_open_is_named(prompt: str, tag: str) -> None:
    assert opened_tag(prompt) == tag
