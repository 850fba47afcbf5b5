import json

import pytest

from engine.chat import Message
from engine.errors import EngineError
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import (
    Count,
    RenderedTemplate,
    Token,
    Tokenized,
    TokenizerOutput,
    describe_loss,
    differ,
    format_conversation,
    from_table,
    parse_conversation,
    to_table,
)


def test_counts_by_word_and_by_byte() -> None:
    count = Count("x", 10, 20, 4, 8, 0, ())
    assert (count.tokens_per_word, count.bytes_per_token) == (2.0, 2.5)
    empty = Count("x", 0, 0, 0, 0, 0, ())
    assert (empty.tokens_per_word, empty.bytes_per_token) == (None, None)


@pytest.mark.parametrize(
    ("text", "back", "found"),
    [
        ("same", "same", ()),
        ("a  b", "a b", ("whitespace",)),
        ("a b", "ab", ("whitespace",)),
        ("Straße", "strasse", ("letter case",)),
        ("Hello, World", "hello , world", ("whitespace", "letter case")),
        ("ﬁne ½", "fine 1⁄2", ("character forms (Unicode NFKC)",)),
        ("Café", "Cafe", ("accents",)),
        ("Über Uns", "uber uns", ("letter case", "accents")),
        ("می‌رود", "میرود", ("invisible characters",)),
        ("a雨b", "a<unk>b", ("characters: '雨' became '<unk>'",)),
        ("a雨", "a", ("characters: '雨' became nothing",)),
        ("a", "a<s>", ("characters: '<s>' was added",)),
    ],
)
def test_what_a_round_trip_loses(text: str, back: str, found: tuple[str, ...]) -> None:
    assert describe_loss(text, back) == found


def test_a_reading_through_json() -> None:
    token = Token("ü", ("Ã", "¼"), (1, 2), "special")
    count = Count("x", 1, 2, 1, 2, 0, ("accents",), cut=3)
    output = TokenizerOutput(
        "ref", "name", "BPE", 10, ("<s>",), ("note",), (Tokenized(count, (token,)),),
        (RenderedTemplate("", "chat", "ü", (token,), 2, ("dated",)),), ("title", "detail", "hint"),
    )  # fmt: skip
    assert from_table(json.loads(json.dumps(to_table(output)))) == output


def rendered(*words: str) -> RenderedTemplate:
    marks = [Token(word, (word,), (1,), "special" if "<" in word else "") for word in words]
    return RenderedTemplate("", "chat", "".join(words), tuple(marks), len(words))


def test_two_templates_differ_by_whole_special_tokens() -> None:
    one, other = (
        rendered("<s>", "Hi", " you", "<|end|>"),
        rendered("<|begin|>", "Hi you", "<|end|>"),
    )
    changes = differ(one, other)
    assert [(change.kind, change.left or change.right) for change in changes] == [
        ("only_left", "<s>"),
        ("only_right", "<|begin|>"),
        ("same", "Hi you<|end|>"),
    ]
    assert "".join(change.left for change in changes) == one.text
    assert "".join(change.right for change in changes) == other.text


def test_a_difference_of_huge_texts_is_bounded_and_whole() -> None:
    one, other = rendered(*["a "] * 9000), rendered(*["a "] * 9001, "<s>")
    changes = differ(one, other)
    assert "".join(change.left for change in changes) == one.text
    assert "".join(change.right for change in changes) == other.text


def test_conversations_are_written_by_role() -> None:
    said = parse_conversation("system: Be kind.\nUser: first: a list\n- one\n\nassistant:ok")
    assert said == (
        Message("system", "Be kind."),
        Message("user", "first: a list\n- one"),
        Message("assistant", "ok"),
    )
    assert parse_conversation("no marks at all") == (Message("user", "no marks at all"),)
    assert parse_conversation(format_conversation(CONVERSATION)) == CONVERSATION
    with pytest.raises(EngineError, match="must start with a role"):
        parse_conversation("hello\nuser: hi")


def test_the_bundled_lines_are_parallel_and_of_several_scripts() -> None:
    assert [line.name for line in LINES if line.parallel] == [
        "English", "Persian", "German", "Chinese",
    ]  # fmt: skip
    assert len({line.name for line in LINES}) == len(LINES)
    assert any("\u200d" in line.text for line in LINES), "emoji that join"
