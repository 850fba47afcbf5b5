"""Labels as the choices of items, for tests that weigh them."""

from collections.abc import Sequence

from engine.chat import Message
from engine.compare.items import Item
from engine.worker.inference.choice_scores import choice_scores
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.score_log import NO_MEMORY, ScoreMemory


def label_scores(
    loaded_arm: LoadedArm,
    conversations: Sequence[Sequence[Message]],
    labels: Sequence[str],
    memory: ScoreMemory = NO_MEMORY,
) -> list[list[float]]:
    """The log-probability of each label as the answer to each conversation, in nats."""
    items = [
        Item(str(at), tuple(asked), choices=tuple(labels)) for at, asked in enumerate(conversations)
    ]
    return [list(one.sums) for one in choice_scores(loaded_arm, items, memory=memory)]
