"""The proof of all that is text: prompts, token ids and ends of what is shipped are the run's.

Owns what is compared of prompts, and the order of all these checks. Token ids of strings are
`token_checks`, where an answer ends `end_checks`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unicodedata import normalize

from engine.errors import EngineError
from engine.number_format import write_count
from engine.release.conversations import ProbeConversation, probe_conversations
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.data.chat_template import Template, choose_template, own_template, prompt_ids
from engine.worker.data.template_sandbox import Fault
from engine.worker.release.proving.end_checks import check_ends
from engine.worker.release.proving.probe_strings import probe_strings
from engine.worker.release.proving.proof_spec import Advance, ProofSpec
from engine.worker.release.proving.shipped_texts import (
    MOST_SHOWN,
    TextPair,
    first_difference,
    open_texts,
    show,
    tell_ids,
)
from engine.worker.release.proving.token_checks import arrange, check_folder_ids, check_gguf_ids

PROMPTS = "prompts are the run's"
DOUBLED = "no doubled BOS"
OPENED = "the tokenizer opens"
_MOST_WORDS = 40
"""Added tokens that stand in the strings; a vocabulary may have thousands of them."""
_AROUND = 30
"""Characters that are shown before the place where two prompts part."""


def check_texts(spec: ProofSpec, run: Any, advance: Advance) -> list[Check]:
    """The checks of prompts, token ids, token types and ends of `spec.shipped`; `run` is the run's
    own tokenizer. Raises what `advance` raises."""
    advance(0, 3)
    try:
        pair = open_texts(spec, run)
    except EngineError as error:
        # No path of this machine: a proof is read elsewhere.
        detail = one_line(error.detail.replace(f"{spec.shipped.parent}/", ""))
        return [Check(OPENED, "failed", one_line(error.title), differences=(detail,))]
    checks = check_prompts(pair)
    advance(1, 3)
    strings = probe_strings(spec.strings, spec.seed, _words(pair), _held_out(spec))
    texts = arrange(pair, strings)
    if pair.gguf is None:
        checks += check_folder_ids(pair, texts)
    else:
        checks += check_gguf_ids(spec, pair, texts)
    advance(2, 3)
    checks += check_ends(spec, pair)
    advance(3, 3)
    return checks


def check_prompts(pair: TextPair) -> list[Check]:
    """Bytes and ids of the prompts of twenty conversations, and BOS in them."""
    run = choose_template(pair.run)
    text = own_template(pair.shipped)
    if text is None:
        return [_without_template(pair)]
    shipped = Template("chat", text, run.takes_system)
    found = _PromptComparison(pair, run, shipped)
    for conversation in probe_conversations(_special_words(pair)):
        found.compare(conversation)
    return found.checks()


class _PromptComparison:
    """The prompts that both templates made so far, and where these part."""

    def __init__(self, pair: TextPair, run: Template, shipped: Template) -> None:
        self._pair = pair
        self._run, self._shipped = run, shipped
        self._bos = pair.run.bos_token_id
        self._lines: list[str] = []
        self._count = {"conversations": 0, "written": 0, "refused": 0, "with_tools": 0,
                       "different": 0, "tokens": 0}  # fmt: skip
        self._doubled: list[str] = []
        self._doubled_in_run = self._doubled_by_server = self._server_in_run = 0

    def compare(self, conversation: ProbeConversation) -> None:
        """Write the conversation down by both, and read both."""
        self._count["conversations"] += 1
        ways = [(self._run, self._shipped)]
        if not self._run.takes_system and conversation.messages[0].role == "system":
            # As a user hands it over: what the run's template refuses, the shipped one refuses too.
            ways.append((replace(self._run, takes_system=True),
                         replace(self._shipped, takes_system=True)))  # fmt: skip
        before = self._count["written"]
        differences = [self._compare_way(conversation, *way) for way in ways]
        self._count["refused"] += self._count["written"] == before and not any(differences)
        first = next((line for line in differences if line), "")
        if first:
            self._count["different"] += 1
            self._lines.append(f"{conversation.name}: {first}")

    def _compare_way(
        self, conversation: ProbeConversation, run: Template, shipped: Template
    ) -> str:
        """What differs; empty where nothing does."""
        expected = _render(run, conversation, self._pair.run)
        shipped_text = _render(shipped, conversation, self._pair.shipped)
        if isinstance(expected, Fault) or isinstance(shipped_text, Fault):
            if isinstance(expected, Fault) and isinstance(shipped_text, Fault):
                return ""
            refuses = "the run's" if isinstance(expected, Fault) else "the shipped"
            reason = expected.reason if isinstance(expected, Fault) else str(shipped_text)
            return f"{refuses} template refuses it: {one_line(reason)[:200]}"
        self._count["written"] += 1
        self._count["with_tools"] += bool(conversation.tools) and "get_weather" in expected
        if expected != shipped_text:
            return _tell_texts(expected, shipped_text)
        return self._compare_ids(conversation.name, expected)

    def _compare_ids(self, name: str, text: str) -> str:
        pair = self._pair
        if pair.composes:  # which llama.cpp does not: `token_checks` states what that changes
            text = normalize("NFC", text)
        expected = prompt_ids(text, pair.run, None)
        shipped_ids = prompt_ids(text, pair.shipped, None)
        self._count["tokens"] += len(expected)
        served = _served_ids(pair, text)
        self._doubled_in_run += self._begins_twice(expected)
        if self._begins_twice(shipped_ids) and not self._begins_twice(expected):
            self._doubled.append(f"{name}: {tell_ids(pair, expected, shipped_ids)}")
        if self._begins_twice(served) and not self._begins_twice(expected):
            self._doubled_by_server += 1
            if self._begins_twice(list(pair.run(text)["input_ids"])) and pair.gguf is None:
                self._server_in_run += 1
            else:
                self._doubled.append(f"{name}, as a server reads it: "
                                     f"{tell_ids(pair, expected, served)}")  # fmt: skip
        if expected != shipped_ids:
            return f"{_around(text, 0)}: {tell_ids(pair, expected, shipped_ids)}"
        if pair.gguf is not None and expected != served:
            return f"as llama.cpp's server reads it: {tell_ids(pair, expected, served)}"
        return ""

    def _begins_twice(self, ids: Sequence[int]) -> bool:
        return self._bos is not None and list(ids[:2]) == [self._bos] * 2

    def checks(self) -> list[Check]:
        """What came of all conversations."""
        count = self._count
        total, different = count["conversations"], count["different"]
        refused = (
            f"; the template refuses {count['refused']} more, as in the run"
            if count["refused"]
            else ""
        )
        equal = total - count["refused"]
        if different:
            summary = f"{different} of {write_count(total, 'conversation')} differ."
            lines = tuple(self._lines[:MOST_SHOWN])
            prompts = Check(PROMPTS, "failed", summary, count, lines)
        elif not count["written"]:
            prompts = Check(PROMPTS, "failed", "The template writes no conversation.", count)
        else:
            prompts = Check(
                PROMPTS,
                "passed",
                f"Equal bytes and token ids in {write_count(equal, 'conversation')} "
                f"({count['with_tools']} with tools){refused}.",
                count,
            )
        return [prompts, self._check_bos()]

    def _check_bos(self) -> Check:
        facts = {
            "prompts": self._count["written"],
            "doubled_in_run": self._doubled_in_run,
            "doubled_where_a_server_adds_it": self._doubled_by_server,
        }
        if self._doubled:
            summary = (
                f"BOS stands twice in {write_count(len(self._doubled), 'prompt')}, in the run once."
            )
            return Check(DOUBLED, "failed", summary, facts, tuple(self._doubled[:MOST_SHOWN]))
        if self._doubled_in_run:
            summary = "BOS stands twice in the run's own prompts, and here as well."
            return Check(DOUBLED, "stated", summary, facts)
        if self._server_in_run:
            summary = (
                "One BOS in every prompt. Template and tokenizer both add one, as in the run: "
                "encode rendered text with add_special_tokens=False."
            )
            return Check(DOUBLED, "stated", summary, facts)
        return Check(
            DOUBLED, "passed", f"None in {write_count(self._count['written'], 'prompt')}.", facts
        )


def _without_template(pair: TextPair) -> Check:
    if own_template(pair.run) is not None:
        line = "the run's tokenizer has a chat template, what is shipped has none"
        return Check(PROMPTS, "failed", "There is no chat template.", differences=(line,))
    summary = "Neither the run nor what is shipped has a chat template: prompts are plain text."
    return Check(PROMPTS, "stated", summary)


def _render(template: Template, conversation: ProbeConversation, tokenizer: Any) -> str | Fault:
    try:
        return template.render(
            conversation.messages,
            tokenizer,
            answer_next=conversation.answer_next,
            tools=conversation.tools,
        )
    except Fault as error:
        return error


def _served_ids(pair: TextPair, text: str) -> list[int]:
    """What a server reads that adds special tokens to the rendered text.

    llama.cpp's takes away the template's own BOS and EOS first, where the file has it add them.
    """
    if pair.gguf is not None:
        vocabulary = pair.gguf.vocabulary
        bos, eos = pair.shipped.bos_token, pair.shipped.eos_token
        if vocabulary.adds_bos and bos:
            text = text.removeprefix(bos)
        if vocabulary.adds_eos and eos:
            text = text.removesuffix(eos)
    return list(pair.shipped(text)["input_ids"])


def _tell_texts(expected: str, found: str) -> str:
    at = first_difference(expected, found)
    return f"character {at + 1}: run {_around(expected, at)}, shipped {_around(found, at)}"


def _around(text: str, at: int) -> str:
    return show(text[max(0, at - _AROUND) : at + _AROUND])


def _special_words(pair: TextPair) -> list[str]:
    """Special tokens for the texts of turns: those of the template first."""
    template = own_template(pair.run) or ""
    special = [str(token) for token in pair.run.all_special_tokens]
    known = set(pair.words)
    marks = [word for word in pair.words if word.strip() and word in template]
    return [word for word in dict.fromkeys([*marks, *special]) if word in known]


def _words(pair: TextPair) -> list[str]:
    """Added tokens for the strings: the special ones, and some of all."""
    words = pair.words
    step = max(1, len(words) // _MOST_WORDS)
    return list(dict.fromkeys([*_special_words(pair)[:_MOST_WORDS], *words[::step]]))


def _held_out(spec: ProofSpec) -> list[str]:
    """The texts of held-out rows; none where the file is not there."""
    if spec.held_out is None:
        return []
    from engine.compare.item_reader import read_items

    texts = []
    for item in read_items(spec.held_out):
        texts += [message.content for message in item.messages]
        texts += [item.reference] if isinstance(item.reference, str) else []
    return texts
