"""The strings of a proof: of every kind, and the same ones on every machine."""

import hashlib
import re

from engine.worker.release.proving.probe_strings import probe_strings

SPECIAL = ("<|im_end|>", "<s>")
ROWS = [f"A held-out row, number {at}." for at in range(3000)]


def test_they_follow_from_the_seed() -> None:
    strings = probe_strings(5000, 0, SPECIAL, ROWS[:30])

    assert len(set(strings)) == len(strings) == 5000
    assert strings == probe_strings(5000, 0, SPECIAL, ROWS[:30])
    assert strings != probe_strings(5000, 1, SPECIAL, ROWS[:30])
    # Nor does it follow from the version of Python, or of its tables of Unicode.
    digest = hashlib.sha256("\0".join(strings).encode()).hexdigest()
    assert digest[:16] == "f5155f47b5b381e0"


def test_every_kind_is_there() -> None:
    strings = probe_strings(5000, 0, SPECIAL, ROWS)
    kinds = {
        "a long run of digits": r"\d{12}",
        "digits with separators": r"\d,\d{3}\.\d",
        "CJK": "[\u4e00-\u9fff\u3040-\u30ff]{4}",
        "emoji that join": "\u200d[\U0001f466-\U0001f469]",
        "flags": "[\U0001f1e6-\U0001f1ff]{2}",
        "skin tones": "[\U0001f3fb-\U0001f3ff]",
        "combining marks": "[a-z][\u0300-\u036f]",
        "letters from right to left": "[\u0590-\u06ff]{3}",
        "line ends": "\n{5}",
        "tabs": "\t{4}",
        "spaces": " {8}",
        "CRLF": "(\r\n){2}",
        "contractions": "[a-z]'(s|re|ve|ll|d|m|t)",
        "contractions in capitals": "N'T",
        "code": "def f",
        "links": "https://",
        "rare letters": "[\U00010300-\U0001ffff]",
        "control characters": "[\x01-\x08]",
        "NUL": "\x00",
        "special tokens inside a text": r"\w ?<\|im_end\|>",
        "parts of special tokens": r"<\|im(?!_end)|(?<!<\|im_)end\|>",
        "a space first": "^ ",
        "a space last": " $",
        "a row": "^A held-out row",
    }
    for kind, pattern in kinds.items():
        assert sum(bool(re.search(pattern, one)) for one in strings) >= 3, kind
    assert sum(one.startswith("A held-out row") for one in strings) == 1000
    assert max(map(len, strings)) < 700


def test_few_strings_are_the_fixed_ones() -> None:
    assert probe_strings(20, 0) == probe_strings(5000, 7)[:20]
