"""A set of prompts answered by one model, in batches.

Which prompts are answered side by side depends on all prompts of the set, whichever of them have
their answers already: padding moves logits a little, and a set that was cut must come out as one
that was not. A prompt that the model cannot read, such as one longer than its context, is left out
and told of.
"""

from collections.abc import Collection, Sequence

from engine.chat import Tools
from engine.compare.arm_tools import offered_tools
from engine.compare.arms import Arm, format_arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import LoadedArm, SharedModel
from engine.worker.inference.weight_files import free_on

ROWS = 32
"""Prompts answered side by side, where there is memory: each then costs a fraction of one alone."""
_SHARE = 4
"""The part of the free memory that they may take: one in so many."""

EncodedPrompt = tuple[Item, list[int]]


class ModelBatch:
    """The answers of an arm to a set of prompts, a token each at every `step`."""

    def __init__(
        self,
        arm: Arm,
        loaded_arm: LoadedArm,
        prompts: Sequence[Item],
        decode: Decode,
        rows: int,
        tools: Tools = (),
        answered: Collection[str] = (),
    ) -> None:
        """`tools` are for prompts that bring none; `answered` are the ids of prompts whose answers
        are known: they are computed again only beside others of their batch, and not returned."""
        self.refused: dict[str, EngineError] = {}
        """Prompts that are left out, by id."""
        self._arm = arm
        self._loaded_arm = loaded_arm
        self._decode = decode
        self._tools = tools
        self._answered = frozenset(answered)
        self._batches = [
            batch
            for batch in self._batched(loaded_arm, prompts, rows)
            if any(prompt.id not in self._answered for prompt, _ in batch)
        ]
        self._batch: list[EncodedPrompt] = []
        self._answers: BatchDecoder | None = None

    @property
    def done(self) -> bool:
        return not (self._batches or self._answers)

    def step(self) -> list[Sample]:
        """Go on by a token; the samples of the answers that ended. Raises EngineError."""
        if self._answers is None:
            self._batch = self._batches.pop(0)
            self._answers = BatchDecoder(
                self._loaded_arm, [ids for _, ids in self._batch], self._decode
            )
        answers = self._answers
        ended = [(at, self._batch[at][0]) for at in answers.step()]
        left = [prompt.id for prompt, _ in self._batch if prompt.id not in self._answered]
        self._answered |= {prompt.id for _, prompt in ended}
        if answers.done or self._answered.issuperset(left):
            self._answers = None
        return [
            answers.sample(
                at,
                prompt.id,
                prompt.messages,
                format_arm(self._arm),
                offered_tools(prompt, self._tools),
            )
            for at, prompt in ended
            if prompt.id in left
        ]

    def _batched(
        self, loaded_arm: LoadedArm, prompts: Sequence[Item], rows: int
    ) -> list[list[EncodedPrompt]]:
        """Prompts with their ids, of like length together, as many as `rows` and memory allow."""
        coded: list[EncodedPrompt] = []
        for prompt in prompts:
            try:
                tools = offered_tools(prompt, self._tools)
                coded.append((prompt, loaded_arm.prompt(prompt.messages, tools=tools)))
            except EngineError as error:
                self.refused[prompt.id] = error
        coded.sort(key=lambda pair: -len(pair[1]))
        free, batches = free_on(loaded_arm.model.device), []
        while coded:
            longest = len(coded[0][1]) + self._decode.max_new_tokens
            count = count_fitting(loaded_arm.model, longest, rows, free)
            batches.append(coded[:count])
            coded = coded[count:]
        return batches[::-1]


def count_fitting(model: SharedModel, longest: int, rows: int, free: int) -> int:
    """How many answers of up to `longest` tokens, prompts included, stand side by side: 1 at least,
    `rows` at most, and no more than a share of the `free` bytes holds."""
    size = model.answer_size(min(longest, model.context))
    return max(1, min(rows, free // _SHARE // size))
