"""Whether the shipped tokenizer makes the run's token ids of every string, and what its tokens are.

Strings are read alone, and after a special token as in a prompt. Of a GGUF file three readers are
asked: one of our own that reads its header as llama.cpp does, which decides; the conversion of
transformers; and llama.cpp where it is installed, which decides too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from engine.errors import EngineError
from engine.number_format import write_count
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.data.chat_template import own_template
from engine.worker.release.gguf.vocabulary import looks_special
from engine.worker.release.proving import llama_tokenize
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.shipped_texts import (
    MOST_SHOWN,
    TextPair,
    encode_all,
    open_conversion,
    plain_control,
    show,
    tell_ids,
)
from engine.worker.tokenizers.pre_tokenizers import pre_tokenizer_of
from engine.worker.tokenizers.splits import same_split, split_of
from engine.worker.tokenizers.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER

_TOGETHER = 25
"""Strings between special tokens that are read as one text."""
_TYPE_NAMES = {NORMAL: "normal", UNKNOWN: "unknown", CONTROL: "control", USER: "user-defined",
               UNUSED: "unused", BYTE: "byte"}  # fmt: skip
IDS = "token ids are the run's"
CONVERSION = "token ids through transformers' reader of GGUF"
LLAMACPP = "token ids in llama.cpp"
PRE = "the pre-tokenizer is named right"
TYPES = "token types are right"
COMPOSED = "strings that are not composed (NFC)"
SPACED = "strings that begin with a space"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Strings that llama.cpp reads otherwise by design, so that equality is not asked for."""

    name: str
    """Of the check that states what it changes."""
    reason: str
    strings: Sequence[str]


@dataclass(frozen=True, slots=True)
class ProbeTexts:
    """What is read, and how it must be read for the ids to be comparable."""

    alone: Sequence[str]
    """Each read by itself; empty where only prompts are read alike."""
    joined: Sequence[str]
    """Texts of several strings, a special token before each; empty where there is none."""
    strings: int
    """Different strings in both."""
    left_out: tuple[LeftOut, ...]
    note: str
    """What is not compared, and why; empty: all is."""


def arrange(pair: TextPair, strings: Sequence[str]) -> ProbeTexts:
    """The strings as they are compared between these two tokenizers."""
    left_out = [one for one in _find_left_out(pair, strings) if one.strings]
    outside = {string for one in left_out for string in one.strings}
    compared = [one for one in strings if one not in outside]
    notes = [f"{len(one.strings)} {one.name} are left out" for one in left_out]
    mark = plain_control(pair)
    joined = []
    if mark is not None:
        for at in range(0, len(compared), _TOGETHER):
            joined.append("".join(mark + one for one in compared[at : at + _TOGETHER]))
    alone = list(compared)
    if pair.gguf and _prefix_scheme(pair.rules) == "first":
        # A space before the first word of a text alone: llama.cpp has it always or never.
        in_chats = bool(joined) and own_template(pair.run) is not None
        if not pair.gguf.vocabulary.leading_space and in_chats:
            alone = []
            notes.append("read after a special token only: a bare text gets no space first")
        else:
            joined = []
            notes.append("read alone only: llama.cpp puts a space after special tokens too")
    return ProbeTexts(alone, joined, len(compared), tuple(left_out), "; ".join(notes))


def _find_left_out(pair: TextPair, strings: Sequence[str]) -> Iterator[LeftOut]:
    if pair.composes:
        yield LeftOut(
            COMPOSED,
            "llama.cpp does not compose characters",
            [one for one in strings if normalize("NFC", one) != one],
        )
    scheme = _prefix_scheme(pair.rules)
    if scheme in ("first", "always") and pair.gguf and pair.gguf.vocabulary.leading_space:
        # Metaspace puts a space before a text that has none, llama.cpp before any.
        marks = "|".join(re.escape(word) for word in sorted(pair.words, key=len, reverse=True))
        begins = re.compile(f"({marks})[ ▁]" if scheme == "always" else f"({marks})")
        yield LeftOut(
            SPACED,
            "llama.cpp puts a space before a text that begins with one, too",
            [one for one in strings if one[:1] in (" ", "▁") or begins.search(one)],
        )


def check_folder_ids(pair: TextPair, texts: ProbeTexts) -> list[Check]:
    """Token ids of a folder's tokenizer."""
    return [_compare(IDS, pair, pair.shipped, texts, "failed")]


def check_gguf_ids(spec: ProofSpec, pair: TextPair, texts: ProbeTexts) -> list[Check]:
    """Token ids of a GGUF file by each reader, and what its header says of them."""
    assert pair.gguf is not None
    checks = [_check_reader(pair, texts), _check_conversion(spec, pair, texts)]
    checks.append(_check_llamacpp(spec, pair, texts))
    if pair.gguf.vocabulary.kind == "byte-level BPE":
        checks.append(_check_pre(pair))
    checks.append(_check_types(pair))
    return [*checks, *(_state(pair, one) for one in texts.left_out)]


def _compare(
    name: str, pair: TextPair, shipped: Any, texts: ProbeTexts, otherwise: Any, why: str = ""
) -> Check:
    """One reader against the run; `otherwise` is the status where they differ."""
    read_pair = TextPair(pair.run, pair.rules, shipped, pair.gguf)
    differing: list[str] = []
    count = 0
    for group in (texts.alone, texts.joined):
        sides = encode_all(pair.run, group), encode_all(shipped, group)
        for text, expected, got in zip(group, *sides, strict=True):
            if expected != got:
                count += 1
                differing.append(f"{_near(pair, text, expected, got)}: "
                                 f"{tell_ids(read_pair, expected, got)}")  # fmt: skip
    roles, added = _other_roles(pair, shipped), _other_added(pair, shipped)
    facts = {
        "strings": texts.strings,
        "alone": len(texts.alone),
        "in_prompts": len(texts.joined),
        "different": count,
        "left_out": sum(len(one.strings) for one in texts.left_out),
    }
    tail = f"; {texts.note}" if texts.note else ""
    if not count and not roles and not added:
        return Check(
            name, "passed", f"Equal on {write_count(texts.strings, 'string')}{tail}.", facts
        )
    parts = [
        f"{count:,} of {write_count(len(texts.alone) + len(texts.joined), 'text')} differ"
    ] * bool(count)
    parts += [f"another id for {write_count(len(roles), 'special token')}"] * bool(roles)
    parts += [f"{write_count(len(added), 'added token')} not as in the run"] * bool(added)
    # The shortest text shows best what it is.
    lines = (*roles, *added, *sorted(differing, key=len))[:MOST_SHOWN]
    if otherwise == "failed":
        return Check(name, otherwise, f"{'; '.join(parts)}{tail}.", facts, lines)
    shown = f" First: {lines[0]}." if lines else ""
    return Check(name, otherwise, f"{'; '.join(parts)}{why}{tail}.{shown}", facts)


def _near(pair: TextPair, text: str, expected: Sequence[int], got: Sequence[int]) -> str:
    """The text, or of a long one what stands where the ids part."""
    same = 0
    while same < min(len(expected), len(got)) and expected[same] == got[same]:
        same += 1
    if len(text) <= 80:
        return show(text)
    try:
        before = pair.run.decode(expected[max(0, same - 4) : same + 12])
    except (TypeError, ValueError, OverflowError):
        return show(text)
    return f"near {show(before)}"


def _other_roles(pair: TextPair, shipped: Any) -> list[str]:
    """Special tokens by role that are others than the run's. A role that the run lacks is free."""
    if pair.gguf is not None:
        return []  # the end of a text is the end of an answer there: `end_checks`
    return [
        f"{role} is {getattr(shipped, f'{role}_id')}, in the run {wanted}"
        for role in ("bos_token", "eos_token", "pad_token", "unk_token")
        if (wanted := getattr(pair.run, f"{role}_id")) is not None
        and wanted != getattr(shipped, f"{role}_id")
    ]


def _other_added(pair: TextPair, shipped: Any) -> list[str]:
    """Added tokens of the run that a folder lacks, or has otherwise: strings hold some of them."""
    if pair.gguf is not None:
        return []  # every token is compared there: `_check_types`
    held = shipped.added_tokens_decoder
    return [
        f"{at} {show(str(token))} is {'another token' if at in held else 'missing'}"
        for at, token in sorted(pair.run.added_tokens_decoder.items())
        if at not in held or _rules_of(held[at]) != _rules_of(token)
    ]


def _rules_of(token: Any) -> tuple[object, ...]:
    """All that decides where an added token stands in a text."""
    flags = (token.special, token.lstrip, token.rstrip, token.single_word, token.normalized)
    return (str(token), *flags)


def _check_reader(pair: TextPair, texts: ProbeTexts) -> Check:
    assert pair.gguf is not None
    vocabulary = pair.gguf.vocabulary
    if vocabulary.kind == "byte-level BPE" and split_of(vocabulary.split) is None:
        name = one_line(vocabulary.split)
        check = _compare(IDS, pair, pair.shipped, texts, "not proven",
                         f", but how llama.cpp splits under {name} is not known here")  # fmt: skip
        if check.status == "passed":
            reason = f"How llama.cpp splits text under {name} is not known here."
            return Check(IDS, "not proven", reason, check.facts)
        return check
    return _compare(IDS, pair, pair.shipped, texts, "failed")


def _check_conversion(spec: ProofSpec, pair: TextPair, texts: ProbeTexts) -> Check:
    """Through transformers, whose conversion is not at fault of the file: it never fails it."""
    try:
        converted = open_conversion(spec.shipped)
    except Exception as error:  # whatever a library says of a file that it cannot convert
        # No path of this machine: a proof is read elsewhere.
        line = str(error).strip().partition("\n")[0].replace(f"{spec.shipped.parent}/", "")
        reason = one_line(line)[:200]
        return Check(CONVERSION, "not proven", f"transformers cannot convert it: {reason}.")
    return _compare(CONVERSION, pair, converted, texts, "not proven", _known_fault(pair))


def _known_fault(pair: TextPair) -> str:
    """What transformers' conversion is known to leave out for this vocabulary."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    assert pair.gguf is not None
    vocabulary = pair.gguf.vocabulary
    if vocabulary.kind != "byte-level BPE":
        return ": its conversion of SentencePiece has rules of its own for spaces"
    if vocabulary.split not in GGUF_PRE_TOKENIZER_SPLITS:
        return f": it has no split for the pre-tokenizer {one_line(vocabulary.split)}"
    if pair.rules.get("model", {}).get("ignore_merges"):
        return ": it does not keep words of the vocabulary whole (ignore_merges)"
    return ""


def _check_llamacpp(spec: ProofSpec, pair: TextPair, texts: ProbeTexts) -> Check:
    program = llama_tokenize.find_tokenize_program()
    mark = plain_control(pair)
    if program is None or mark is None or not texts.joined:
        why = (
            "llama-tokenize is not installed here"
            if program is None
            else "no special token separates strings"
        )
        return Check(LLAMACPP, "not proven", f"Not compared: {why}.")
    whole = "".join(texts.joined)
    try:
        shipped_ids = llama_tokenize.token_ids(program, spec.shipped, whole)
    except EngineError as error:
        # Of another version perhaps: what it cannot do is no fault of the file.
        reason = one_line(error.line.replace(f"{spec.shipped.parent}/", ""))
        return Check(LLAMACPP, "not proven", f"Not proven by llama.cpp: {reason}")
    expected = encode_all(pair.run, [whole])[0]
    facts = {"strings": texts.strings, "tokens": len(expected)}
    if expected == shipped_ids:
        tail = f"; {texts.note}" if texts.note else ""
        return Check(
            LLAMACPP, "passed", f"Equal on {write_count(texts.strings, 'string')}{tail}.", facts
        )
    separator = pair.run.convert_tokens_to_ids(mark)
    sides = [llama_tokenize.split_at(ids, separator) for ids in (expected, shipped_ids)]
    differing = [pairs for pairs in zip(*sides, strict=False) if pairs[0] != pairs[1]]
    lines = [
        f"{show(pair.run.decode(left))}: {tell_ids(pair, left, right)}"
        for left, right in sorted(differing, key=lambda one: len(one[0]))[:MOST_SHOWN]
    ]
    count = max(1, len(differing))
    summary = f"{count:,} of {write_count(texts.strings, 'string')} differ."
    return Check(LLAMACPP, "failed", summary, facts | {"different": count}, tuple(lines))


def _check_pre(pair: TextPair) -> Check:
    assert pair.gguf is not None
    name = pair.gguf.vocabulary.split
    try:
        expected = pre_tokenizer_of(pair.rules).name
    except EngineError as error:
        summary = f"The file names {one_line(name)!r}; {one_line(error.title)}"
        return Check(PRE, "not proven", summary, {"name": name})
    facts = {"name": name, "wanted": expected}
    if same_split(name, expected):
        return Check(PRE, "passed", f"tokenizer.ggml.pre is {one_line(name)!r}.", facts)
    line = f"tokenizer.ggml.pre is {one_line(name)!r}, the run's tokenizer needs {expected!r}"
    return Check(PRE, "failed", "llama.cpp would split text otherwise.", facts, (line,))


def _check_types(pair: TextPair) -> Check:
    """Which tokens are matched whole, and which are hidden from answers."""
    assert pair.gguf is not None
    vocabulary = pair.gguf.vocabulary
    pieces, types = vocabulary.pieces, vocabulary.types or (NORMAL,) * len(vocabulary.pieces)
    added = pair.run.added_tokens_decoder
    names = {at: piece for piece, at in pair.run.get_vocab().items()}
    wrong: list[str] = []
    counts: dict[str, int] = {}
    for at, (piece, kind) in enumerate(zip(pieces, types, strict=True)):
        counts[_TYPE_NAMES.get(kind, "?")] = counts.get(_TYPE_NAMES.get(kind, "?"), 0) + 1
        allowed = _allowed_types(pair, at, names.get(at), added.get(at))
        if kind not in allowed:
            expected = _TYPE_NAMES[allowed[0]]
            wrong.append(f"{at} {show(piece)} is {_TYPE_NAMES.get(kind, kind)}, not {expected}")
        elif at in names and piece != names[at] and piece.replace(" ", "▁") != names[at]:
            wrong.append(f"{at} is {show(piece)}, in the run {show(names[at])}")
    if beyond := sum(at >= len(pieces) for at in names):
        counts["without a row"] = beyond
    facts = {"tokens": len(pieces), "types": counts, "wrong": len(wrong)}
    if wrong:
        summary = f"Another type or text in {len(wrong):,} of {write_count(len(pieces), 'token')}."
        return Check(TYPES, "failed", summary, facts, tuple(wrong[:MOST_SHOWN]))
    numbers = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    return Check(
        TYPES,
        "passed",
        f"As in the run for all of {write_count(len(pieces), 'token')}: {numbers}.",
        facts,
    )


def _allowed_types(pair: TextPair, at: int, name: str | None, added: Any) -> tuple[int, ...]:
    """The types that a token may have, the one that is expected first."""
    assert pair.gguf is not None
    if name is None:
        return (UNUSED,)
    scored = pair.gguf.vocabulary.kind != "byte-level BPE"
    if scored and at == pair.run.unk_token_id:
        return UNKNOWN, CONTROL
    if added is not None:
        if added.special:
            return (CONTROL,)
        return (USER, CONTROL) if looks_special(str(added)) else (USER,)
    if scored and len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        return (BYTE,)
    # SentencePiece's own files have runs of spaces as user-defined pieces.
    return (NORMAL, USER) if scored and not name.strip("▁ \t\r\n") else (NORMAL,)


def _state(pair: TextPair, left_out: LeftOut) -> Check:
    strings = left_out.strings
    sides = encode_all(pair.run, strings), encode_all(pair.shipped, strings)
    count = sum(left != right for left, right in zip(*sides, strict=True))
    return Check(
        left_out.name,
        "stated",
        f"{left_out.reason}: other token ids than in the run for {count:,} of "
        f"{write_count(len(strings), 'such string')}.",
        {"strings": len(strings), "different": count},
    )


def _prefix_scheme(rules: dict[str, Any]) -> str:
    """Where a tokenizer.json puts a space: "first" is before the first word of a text alone."""
    rule = rules.get("pre_tokenizer") or {}
    for one in rule.get("pretokenizers", [rule]):
        if one.get("type") == "Metaspace":
            return str(one.get("prepend_scheme", "always"))
    return ""
