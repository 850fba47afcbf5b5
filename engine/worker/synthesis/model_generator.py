"""A local model that writes: questions of several sources side by side, a batch after the other.

Each question has a seed of its own, so that what it is answered does not follow from which others
stand beside it, but for the rounding of padded batches. A question with choices is answered by the
likeliest of them, as a judge's verdict is: a model that is too weak to name one of them and stop
has a likeliest one all the same.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.chat import Message
from engine.compare.arms import Arm, format_arm
from engine.compare.items import Item
from engine.compare.samples import Sample, Timings
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.synthesis.questions import SourceQuestion
from engine.worker.data.chat_template import render_prompt
from engine.worker.inference.choice_scores import encode_choices, score_choices
from engine.worker.inference.decoding import PROMPT_TAIL, BatchDecoder
from engine.worker.inference.endpoint_replies import TokenUsage
from engine.worker.inference.grammar import AnswerMask
from engine.worker.inference.model_batch import ROWS, count_fitting
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.shared_prefix import PrefixCase
from engine.worker.inference.weight_files import free_on
from engine.worker.synthesis.answer_grammars import AnswerGrammars
from engine.worker.synthesis.generator import Reply
from engine.worker.tokenizers.detokenize import decode_ids

BY_LIKELIHOOD = "{fields}: the likeliest of the choices, not an answer that was written"

_AROUND = 16
"""Tokens that a template may set around an answer."""


class ModelGenerator:
    """The answers of a model in memory; see `Generator`."""

    def __init__(
        self,
        arm: Arm,
        loaded_arm: LoadedArm,
        decode: Decode,
        choices: Mapping[str, Sequence[str]] | None = None,
        grammars: AnswerGrammars | None = None,
    ) -> None:
        """`choices`: of the fields whose answer is the likeliest one. `grammars`: what others are
        held to."""
        self.arm = arm
        self.notes: dict[str, None] = dict.fromkeys(loaded_arm.notes)
        self._choices = choices or {}
        if self._choices:
            self.notes[BY_LIKELIHOOD.format(fields=", ".join(self._choices))] = None
        self._grammars = grammars
        self._to_choose: list[SourceQuestion] = []
        self._loaded_arm = loaded_arm
        self._decode = decode
        self._waiting: list[tuple[SourceQuestion, list[int]]] = []
        self._refused: list[Reply] = []
        self._batch: list[tuple[SourceQuestion, list[int]]] = []
        self._answers: BatchDecoder | None = None
        self._held: list[str] = []
        """What each answer of the batch is held by; empty: nothing."""

    @property
    def room(self) -> int:
        """None while a batch is answered: what follows on its answers goes before new sources."""
        taken = len(self._waiting) + len(self._to_choose)
        return 0 if self._answers is not None else ROWS - taken

    def ask(self, question: SourceQuestion) -> None:
        if question.field in self._choices:
            self._to_choose.append(question)
            return
        try:
            ids = self._loaded_arm.prompt(question.messages, question.id)
        except EngineError as error:
            self._refused.append(Reply(question, trouble="refused", detail=error.line))
            return
        self._waiting.append((question, ids))

    def step(self) -> list[Reply]:
        replies, self._refused = self._refused + self._choose(), []
        if self._answers is None and self._waiting:
            self._begin_batch()
        if self._answers is None:
            return replies
        answers = self._answers
        for at in answers.step():
            question, ids = self._batch[at]
            sample = answers.sample(at, question.id, question.messages, format_arm(self.arm))
            usage = TokenUsage(len(ids), len(sample.output_ids))
            replies.append(Reply(question, sample, usage, grammar=self._held[at]))
        if answers.done:
            self._answers = None
        return replies

    def cancel(self) -> None:
        self._answers = None
        self._waiting, self._to_choose = [], []
        if self._grammars is not None:
            self.notes |= dict.fromkeys(self._grammars.describe())

    def count(self, text: str) -> int:
        return len(self._loaded_arm.tokenizer(text, add_special_tokens=False)["input_ids"])

    def find_excess(self, messages: Sequence[Message]) -> int:
        """Beyond a context that leaves room for the longest answer, or half of it."""
        arm, context = self._loaded_arm.arm, self._loaded_arm.model.context
        ids = render_prompt(messages, self._loaded_arm.tokenizer, arm.form, arm.system, arm.prefix)
        longest = max(
            [self.count(one) for choices in self._choices.values() for one in choices], default=0
        )
        wanted = max(self._decode.max_new_tokens, longest + _AROUND)
        room = max(context - wanted, context // 2)
        return max(0, len(ids) - room)

    def _choose(self) -> list[Reply]:
        """The likeliest choices of the questions that have some."""
        questions, self._to_choose = self._to_choose, []
        began = time.monotonic()
        items: list[Item] = []
        cases: list[PrefixCase] = []
        chosen: list[SourceQuestion] = []
        replies: list[Reply] = []
        for question in questions:
            choices = tuple(self._choices[question.field])
            item = Item(question.id, question.messages, choices=choices)
            try:
                cases.append(encode_choices(self._loaded_arm, item))
            except EngineError as error:
                replies.append(Reply(question, trouble="refused", detail=error.line))
                continue
            items.append(item)
            chosen.append(question)
        scores = score_choices(self._loaded_arm, items, cases)
        seconds = round(time.monotonic() - began, 4)
        for question, item, case, score in zip(chosen, items, cases, scores, strict=True):
            if score.likeliest is None:
                detail = "the model's numbers are not finite"
                replies.append(Reply(question, trouble="refused", detail=detail))
                continue
            sample = self._make_sample(question, item.choices[score.likeliest], seconds)
            replies.append(Reply(question, sample, TokenUsage(len(case.context), 0)))
        return replies

    def _make_sample(self, question: SourceQuestion, text: str, seconds: float) -> Sample:
        """A choice as an answer, of which no token was drawn."""
        template = self._loaded_arm.template
        return Sample(
            prompt_id=question.id,
            messages=question.messages,
            arm=format_arm(self.arm),
            seed=question.seed,
            template_hash=template.hash if template else "",
            prompt_ids=(),
            output_ids=(),
            text=text,
            finish="stop",
            logprobs=(),
            decode=replace(self._decode, seed=question.seed),
            timings=Timings(seconds, seconds),
            dtype=self._loaded_arm.model.dtype,
        )

    def _begin_batch(self) -> None:
        longest = max(len(ids) for _, ids in self._waiting) + self._decode.max_new_tokens
        model = self._loaded_arm.model
        count = count_fitting(model, longest, ROWS, free_on(model.device))
        self._batch, self._waiting = self._waiting[:count], self._waiting[count:]
        masks = [self._begin_mask(question, ids) for question, ids in self._batch]
        grammar = self._grammars.name if self._grammars is not None else ""
        self._held = ["" if mask is None else grammar for mask in masks]
        self._answers = BatchDecoder(
            self._loaded_arm,
            [ids for _, ids in self._batch],
            replace(self._decode, seed=self._batch[0][0].seed),
            [question.seed for question, _ in self._batch],
            masks,
        )

    def _begin_mask(self, question: SourceQuestion, ids: Sequence[int]) -> AnswerMask | None:
        if self._grammars is None:
            return None
        prompt_end = decode_ids(self._loaded_arm.tokenizer, ids[-PROMPT_TAIL:])
        return self._grammars.begin(question.field, prompt_end)
