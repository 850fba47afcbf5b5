"""How likely each choice of an item is as the answer to it, and which one an arm so picks.

By a template the choice is encoded as training encodes it, with the token that ends an answer. Raw,
as lm-evaluation-harness scores a task of choices: a space, the choice, and no end token, encoded
with the question as one text that is cut at the question's length.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.chat import Message, apply_prompt_options
from engine.compare.items import Item
from engine.errors import EngineError
from engine.worker.data.chat_template import Template, plain_ids, prompt_text
from engine.worker.data.encode import IGNORE_INDEX, encode_messages
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.score_log import NO_MEMORY, Row, ScoreMemory
from engine.worker.inference.shared_prefix import (
    ROWS,
    PrefixCase,
    find_batch,
    score_cases,
    split_by_length,
)

DELIMITER = " "
"""Between a raw question and its answer, as in lm-evaluation-harness."""
_ENDLESS = 1 << 30


@dataclass(frozen=True, slots=True)
class ChoiceScores:
    """The choices of one item, in its order."""

    sums: tuple[float, ...]
    """Log-probability of each as a whole, in nats; NaN of a diverged model."""
    tokens: tuple[int, ...]
    """That were summed: with the end token, where there is a template."""
    characters: tuple[int, ...]
    """Of the choice alone."""

    @property
    def likeliest(self) -> int | None:
        """Which one is likeliest as a whole; None of a diverged model."""
        return _largest(self.sums)

    @property
    def likeliest_by_length(self) -> int | None:
        """The same by the mean over its characters (`acc_norm` of lm-evaluation-harness)."""
        pairs = zip(self.sums, self.characters, strict=True)
        return _largest([total / count for total, count in pairs])

    def nll_per_token(self, rights: Sequence[int]) -> float:
        """Of the likeliest of these choices, in nats per token; infinite of a diverged model."""
        if any(map(math.isnan, self.sums)):
            return math.inf
        return min(-self.sums[at] / self.tokens[at] for at in rights)


def choice_scores(
    loaded_arm: LoadedArm,
    items: Sequence[Item],
    tick: Callable[[int], None] = lambda done: None,
    memory: ScoreMemory = NO_MEMORY,
) -> list[ChoiceScores]:
    """Of each item how likely each of its choices is; `tick` is told how many are done.

    Raises EngineError that names the item where it does not fit the model's context, or cannot be
    scored.
    """
    cases = [encode_choices(loaded_arm, item) for item in items]
    return score_choices(loaded_arm, items, cases, tick, memory)


def score_choices(
    loaded_arm: LoadedArm,
    items: Sequence[Item],
    cases: Sequence[PrefixCase],
    tick: Callable[[int], None] = lambda done: None,
    memory: ScoreMemory = NO_MEMORY,
    most: int = ROWS,
) -> list[ChoiceScores]:
    """The same of items that are encoded: `cases` are those of `encode_choices`.

    What the choices of an item have in common is computed once, of at most `most` choices at once.
    """
    sums: list[list[float]] = [[] for _ in cases]
    sizes = [(len(case.tails), max(map(len, case.tails))) for case in cases]
    done = 0
    for chosen in split_by_length([len(case.context) for case in cases], loaded_arm, sizes, most):
        inputs: list[Row] = [(at, [cases[at].context, cases[at].tails]) for at in chosen]
        rows = find_batch(memory, inputs)
        if rows is None:
            rows = score_cases(loaded_arm, [cases[at] for at in chosen])
            memory.add(zip(inputs, rows, strict=True))
        for at, row in zip(chosen, rows, strict=True):
            sums[at] = row
        done += len(chosen)
        tick(done)
    return [
        ChoiceScores(tuple(each), case.counts, tuple(map(len, item.choices)))
        for each, case, item in zip(sums, cases, items, strict=True)
    ]


def encode_choices(loaded_arm: LoadedArm, item: Item) -> PrefixCase:
    """The question of an item before all its choices.

    Raises EngineError where it is longer with a choice than the model's context, has a token that
    the model does not know, or the template does not take it.
    """
    template = loaded_arm.template
    if template is None:
        case = _encode_raw(loaded_arm, item)
    else:
        rows = [_encode_choice(loaded_arm, template, item, choice) for choice in item.choices]
        counted = [[label != IGNORE_INDEX for label in labels] for _, labels in rows]
        starts = [row.index(True) for row in counted]
        case = PrefixCase.of([ids for ids, _ in rows], starts, counted)
    case.check(loaded_arm, item.id)
    return case


def _encode_choice(
    loaded_arm: LoadedArm, template: Template, item: Item, choice: str
) -> tuple[list[int], list[int]]:
    """Token ids and labels of a question that is answered by a choice."""
    arm = loaded_arm.arm
    asked = apply_prompt_options(item.messages, arm.system, arm.prefix)
    answered = [*asked, Message("assistant", choice)]
    tokenizer, tools = loaded_arm.tokenizer, item.tools
    # Where answers are rows of their own, the last one is that of the choice.
    row = encode_messages(answered, tokenizer, template, _ENDLESS, tools=tools)[-1]
    if not row.kept:
        raise EngineError("A choice cannot be scored.", f"{item.id}: {choice!r}: {row.reason}")
    return row.input_ids, row.labels


def _encode_raw(loaded_arm: LoadedArm, item: Item) -> PrefixCase:
    arm, tokenizer = loaded_arm.arm, loaded_arm.tokenizer
    text = prompt_text(item.messages, tokenizer, "raw", arm.system, arm.prefix, item.tools)
    question = text.rstrip()
    if not question:
        raise EngineError("The prompt is empty.", item.id, "Ask something before the choices.")
    # White space belongs to the token after it: what ends the question begins each answer.
    lead = text[len(question) :] + DELIMITER
    context = plain_ids(question, tokenizer)
    tails = []
    for choice in item.choices:
        tail = plain_ids(question + lead + choice, tokenizer)[len(context) :]
        if not tail:
            raise EngineError(
                "A choice cannot be scored.",
                f"{item.id}: {choice!r} has no token of its own after the question",
            )
        tails.append(tail)
    return PrefixCase(context, tails, [[True] * len(tail) for tail in tails])


def _largest(values: Sequence[float]) -> int | None:
    if any(map(math.isnan, values)):
        return None
    return max(range(len(values)), key=values.__getitem__)
