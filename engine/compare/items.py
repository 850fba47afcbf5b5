"""An item: one thing to ask a model, or one text that it reads, and what is right of the answer.

A file of prompts and a suite of tasks both hold items. Owns the item and its form as JSON; reads no
file: `engine.compare.item_reader` does. How an answer is scored is `engine.compare.checks`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from engine.chat import Message, Tools

Scoring = Literal["open", "exact", "number", "choices", "code", "pattern", "checks", "perplexity"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
"""How an item is scored. `open`: its answers are read by people; `perplexity`: its text is read by
the model. The others: `engine.compare.checks`."""


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    """Its own in a file; where the file names none, `STEM-LINE`."""
    messages: tuple[Message, ...] = ()
    """What is asked; empty where `text` is read instead. Never the answer that is sought."""
    skill: str = ""
    reference: str = ""
    """A right answer, where one is known: an answer is compared with it, and need not equal it."""
    checks: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What an answer must be like, by the names of `engine.compare.checks`."""
    score: Scoring = "open"
    gold: tuple[str, ...] = ()
    """The right answers, one of which will do, in the form that `score` compares; of `pattern`
    regular expressions."""
    choices: tuple[str, ...] = ()
    """All answers to choose from, the right ones among them."""
    text: str = ""
    """What is read, for its perplexity."""
    tools: Tools = field(default=(), hash=False)
    """What the model may call."""
    group: str = ""
    """Items that share one are no independent observations; empty: a group of its own."""
    weight: float = 1.0
    """How much it counts in a mean."""
    later_turns: int = 0
    """Questions of its row that follow on an answer to this one, and that are not asked."""

    def to_json(self) -> dict[str, Any]:
        """The item as a row that `engine.compare.item_reader` reads; the keys that say something.

        Gold, choices and checks are written as they are scored.
        """
        more = {
            "messages": [message.to_json() for message in self.messages],
            "text": self.text,
            "skill": self.skill,
            "reference": self.reference,
            "score": self.score if self.score != "open" else "",
            "gold": list(self.gold),
            "choices": list(self.choices),
            "checks": dict(self.checks),
            "tools": [dict(tool) for tool in self.tools],
            "group": self.group,
        }
        weight = {"weight": self.weight} if self.weight != 1 else {}
        return {"id": self.id, **{key: value for key, value in more.items() if value}, **weight}


def digest_of(items: Sequence[Item]) -> str:
    """SHA-256 of items, by which an edited suite is noticed."""
    rows = json.dumps([item.to_json() for item in items], sort_keys=True)
    return hashlib.sha256(rows.encode("utf-8", "surrogatepass")).hexdigest()


def split_answer(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], str]:
    """A conversation without the answer that ends it, and that answer; empty where none does."""
    if not messages or messages[-1].role != "assistant":
        return messages, ""
    return messages[:-1], write_answer(messages[-1])


def write_answer(answer: Message) -> str:
    """What an answer says; of one that says nothing and calls tools, its calls as JSON."""
    if answer.content.strip() or not answer.tool_calls:
        return answer.content
    return json.dumps([call.to_json() for call in answer.tool_calls], ensure_ascii=False)


def describe(items: Iterable[Item]) -> list[str]:
    """What should be known of items before their answers are read, a sentence each."""
    shortened = sum(item.later_turns > 0 for item in items)
    if not shortened:
        return []
    which = "1 prompt has" if shortened == 1 else f"{shortened:,} prompts have"
    return [f"{which} later turns in the file: only the first turn is asked"]
