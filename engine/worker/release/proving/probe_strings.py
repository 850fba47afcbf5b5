"""Strings on which tokenizers that are not the same come apart: the same ones for the same seed.

Owns the kinds of strings. Draws only characters that Unicode has had since version 3.2 and a few
emoji of later ones: what is newer, two libraries of different age may rightly know or not know.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from unicodedata import ucd_3_2_0

_WORDS = (
    "the", "house", "is", "not", "far", "from", "here", "and", "we'd", "seen", "it", "before",
    "Straße", "naïve", "coöperate", "déjà", "vu", "Zürich", "don't", "WON'T", "it's", "they're",
    "I'll", "you've", "she'd", "he'S", "rock'n'roll", "o'clock", "thisIsCamelCase", "snake_case",
    "MixedCASEWord", "unbelievable", "antidisestablishmentarianism", "a", "I", "x1y2", "3rd",
    "2nd", "e.g.", "i.e.", "U.S.A.", "привет", "мир", "Ελλάδα", "ἀρχή", "Україна", "Việt", "Nam",
    "ñandú", "İstanbul", "ıŞığ",
)  # fmt: skip
_CJK = (
    "我们今天去北京看长城的人很多日本語を話せますか"
    "カタカナひらがな한국어를배우고있어요漢字龍鬱々〆ヶ、。「」！？，：；（）ー～"
)
_RTL = (
    "السلام عليكم", "كيف حالك؟", "١٢٣٤٥", "שלום עולם", "זה מבחן", "فارسی می‌نویسم", "اُردُو",
    "مُحَمَّد", "עִבְרִית", "\u202bמעורב mixed\u202c", "\u200fabc\u200e",
)  # fmt: skip
_INDIC = (
    "नमस्ते",
    "क्षत्रिय",
    "বাংলা",
    "தமிழ்",
    "ภาษาไทยไม่มีเว้นวรรค",
    "ខ្មែរ",
    "မြန်မာ",
    "ქართული",
    "አማርኛ",
    "བོད་ཡིག",
)
_EMOJI = (
    "😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇭🇯🇵", "👨🏿‍💻", "❤️", "❤", "☀︎", "1️⃣", "🧑‍🚀", "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "🤷🏻‍♀️", "✌🏾", "👁️‍🗨️", "🇦", "🏽",
)  # fmt: skip
_MARKS = ("\u0301", "\u0308", "\u0327", "\u0323", "\u20dd", "\u0489", "\u3099", "\u0345", "\ufe0f")
_GAPS = (
    " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\r\n", "\r\n\r\n", "\r", " \n", "\n ",
    "\t\n", "\u00a0", "\u3000", "\u2009", "\u2028", "\u2029", "\u0085", "\v", "\f", "\u200b",
    "\ufeff", "\u00ad",
)  # fmt: skip
_CODE = (
    "def f(x: int) -> str:\n    return f\"{x!r}\"\n",
    "for (int i = 0; i < n; ++i) {\n\t\ta[i] <<= 2;\n}",
    "SELECT * FROM t WHERE a <> 'it''s' AND b >= 10.5e-3;",
    "<div class=\"a b\">&nbsp;&lt;x&gt;</div>",
    "{\"a\": [1, 2.0, -3e+10, null], \"b\\n\": \"\\u00e9\"}",
    "#include <stdio.h>\r\nint main(){return 0;}\r\n", "a==b!=c===d&&e||!f?g:h;//###***",
    "\\begin{align}x_{i}^{2}&=\\frac{1}{2}\\end{align}",
    "$HOME/.bashrc | grep -v '^#' > /dev/null 2>&1",
    "    if True:\n        pass\n\n\n        # TODO\n", "```python\nprint('hi')\n```",
    "    \t  mixed\t indent", "x = y ** -1 // 3 % 2 @ z",
)  # fmt: skip
_LINKS = (
    "https://example.org/a_b/c-d?e=f&g=%20h#i", "user.name+tag@mail.example.co.uk",
    "ftp://10.0.0.1:2121/~x", "www.例え.jp/パス", "C:\\Users\\me\\file.txt",
    "/usr/local/lib/python3.12/site-packages", "@handle #hash_tag", "v1.2.3-rc.4+build.5",
)  # fmt: skip
_SEPARATED = (
    "1,234,567.89", "1.234.567,89", "1 234 567", "12:34:56", "2024-07-26T08:09:10Z",
    "+41 44 123 45 67", "0x1F3A", "3.14159e-10", "1/2", "50%", "$1,000", "№7", "½ ¾ ²³ Ⅷ ①",
    "٣٫١٤", "१२३", "100km", "x2y10", "007", "1_000_000",
)  # fmt: skip
_LAST = 0x20000
"""Rare characters are drawn below this code point."""


def probe_strings(
    count: int, seed: int, special: Sequence[str] = (), texts: Sequence[str] = ()
) -> list[str]:
    """`count` different strings of 1 to some 300 characters; the same ones for the same `seed`.

    `special` are the tokenizer's added tokens, which then stand inside texts; `texts` are those of
    rows that were held out, which take at most a fifth of the strings.
    """
    draw = random.Random(seed)
    kinds = [*_KINDS, *([_with_special(tuple(special))] * 2 if special else [])]
    shown = [text[:400] for text in texts if text]
    if len(shown) > count // 5:
        shown = draw.sample(shown, count // 5)
    strings = dict.fromkeys([*_FIXED, *shown][:count])
    while len(strings) < count:
        for kind in kinds:
            strings[kind(draw)] = None
    return list(strings)[:count]


_Kind = Callable[[random.Random], str]


def _join(draw: random.Random, parts: Sequence[str], most: int, gaps: Sequence[str] = " ") -> str:
    chosen = [draw.choice(parts) for _ in range(draw.randint(1, most))]
    return "".join(part + draw.choice(gaps) for part in chosen[:-1]) + chosen[-1]


def _digits(draw: random.Random) -> str:
    run = "".join(draw.choice("0123456789") for _ in range(draw.randint(1, 24)))
    return (
        draw.choice(("", " ", "a", "$", "-", "x ", "\n")) + run + draw.choice(("", " ", "kg", "."))
    )


def _separated_digits(draw: random.Random) -> str:
    return _join(draw, _SEPARATED, 4, (" ", "", ", ", "\n"))


def _words(draw: random.Random) -> str:
    return _join(draw, _WORDS, 12, (" ", " ", " ", ", ", ". ", "-", "\n", "…", "'", " — ", "; "))


def _joined_words(draw: random.Random) -> str:
    return _join(draw, _WORDS, 6, ("", "", " "))


def _cjk(draw: random.Random) -> str:
    return "".join(draw.choice(_CJK) for _ in range(draw.randint(1, 30)))


def _mixed_scripts(draw: random.Random) -> str:
    return _join(draw, (*_RTL, *_INDIC, *_WORDS[:20], *_CJK[:20]), 8, (" ", "", ", "))


def _emoji(draw: random.Random) -> str:
    return _join(draw, (*_EMOJI, *_WORDS[:4]), 6, ("", "", " ", "‍"))


def _combining(draw: random.Random) -> str:
    letters = "aeiouncsзиけかหאAEZ한1 ."
    return "".join(
        draw.choice(letters)
        + "".join(draw.choice(_MARKS) for _ in range(draw.choice((0, 1, 1, 2))))
        for _ in range(draw.randint(1, 12))
    )


def _spaces(draw: random.Random) -> str:
    def run() -> str:
        return draw.choice(_GAPS) * draw.choice((1, 1, 2, 3, 5, 8, 17, 33))

    return "".join(
        run() + draw.choice((*_WORDS[:10], "1", "。", "!", "")) for _ in range(draw.randint(1, 5))
    ) + draw.choice(("", run()))


def _code(draw: random.Random) -> str:
    return _join(draw, (*_CODE, *_LINKS), 2, ("\n", "\n\n", " ", ""))


def _links(draw: random.Random) -> str:
    return _join(draw, (*_LINKS, *_WORDS[:8]), 4, (" ", "\n", ""))


def _signs(draw: random.Random) -> str:
    signs = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”‘’«»–—…•·¿¡§¶©®™°±×÷≠≤≥→∞√∑€£¥"
    run = [
        draw.choice(signs) * draw.choice((1, 1, 1, 2, 3, 10)) for _ in range(draw.randint(1, 10))
    ]
    return draw.choice((" ", "", "")).join(run)


def _rare(draw: random.Random) -> str:
    return "".join(draw.choice(_assigned()) for _ in range(draw.randint(1, 10)))


def _controls(draw: random.Random) -> str:
    return "".join(
        chr(draw.choice((*range(32), *range(127, 160)))) + draw.choice(("", "a", " "))
        for _ in range(draw.randint(1, 6))
    )


def _with_special(special: Sequence[str]) -> _Kind:
    def kind(draw: random.Random) -> str:
        around = (*_WORDS[:8], " ", "\n", "1", "我", "")
        parts: list[str] = []
        for _ in range(draw.randint(1, 3)):
            token = draw.choice(special)
            if draw.random() < 0.25 and len(token) > 2:  # almost one
                cut = draw.randrange(1, len(token))
                token = draw.choice((token[:cut], token[cut:], token[:cut] + " " + token[cut:]))
            parts += [
                draw.choice(around),
                draw.choice(("", " ")),
                token,
                draw.choice(("", " ", "\n")),
            ]
        return "".join(parts) + draw.choice(around) or token

    return kind


@cache
def _assigned() -> tuple[str, ...]:
    """Characters of Unicode 3.2, surrogates and private ones left out."""
    return tuple(
        chr(code)
        for code in range(0xA0, _LAST)
        if ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs", "Co")
    )


_KINDS: tuple[_Kind, ...] = (
    _digits, _separated_digits, _words, _words, _joined_words, _cjk, _mixed_scripts, _emoji,
    _combining, _spaces, _spaces, _code, _links, _signs, _rare, _controls,
)  # fmt: skip
_FIXED = (
    *_GAPS, *_EMOJI, *_RTL, *_INDIC, *_CODE, *_LINKS, *_SEPARATED, "a", "é", "e\u0301", "ﬁ", "Å",
    "\u212b", " a", "a ", "  a", "a  ", "\na", "a\n", "'s", " 's", "'S", "I'M", "we'Ll", "0",
    "00", "000", "0000", "00000", "1 2", "\x00", "a\x00b", "\U0010ffff", "\ue000", "\ufffd",
    "\u0378", "<0x0A>", "▁", "▁a", " ▁", "Ġ", "Ċ", "ĠĊ",
)  # fmt: skip
"""Those that each proof has, whatever the seed."""
