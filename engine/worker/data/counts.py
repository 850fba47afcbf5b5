"""What became of the rows of a recipe, in numbers and in sentences for the log."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.data.unread import UnreadFields, describe_unread
from engine.number_format import write_percent


@dataclass(frozen=True, slots=True)
class Counts:
    """Training and held-out rows together, where nothing else is said."""

    read: int = 0
    """Rows looked at, good and bad, those to replay included."""
    rejected: int = 0
    """Bad rows: unreadable, no answer, or a prompt that leaves no room for one."""
    cut: int = 0
    """Rows whose end was cut off at `max_length`; a replayed row counts each time."""
    too_long: int = 0
    """Rows that were dropped because they are longer than `max_length`."""
    duplicates: int = 0
    """Training rows that say what an earlier one says, replay aside."""
    leaked: int = 0
    """Held-out rows that occur in training."""
    asked: int = 0
    """Held-out rows whose prompt occurs in training, with another answer."""
    dropped: int = 0
    """Training rows that were left out for being duplicates or held out as well."""
    grouped: int = 0
    """Training rows that were left out because their group has rows in the set's own eval rows."""
    replayed: int = 0
    """Rows of other data among those to train on."""
    replay_pool: int = 0
    """Different rows among the replayed ones."""
    divided: int = 0
    """Conversations that became several training rows, each answer in its own context."""
    divided_rows: int = 0
    """The training rows that they became; `rejected`, `cut` and `too_long` count each of them."""
    greetings: int = 0
    """Rows that open with an answer, which is not trained on."""
    labelled_false: int = 0
    """Rows that are left out because a label says that their answer is a bad one."""
    unread: UnreadFields = field(default_factory=UnreadFields)
    """What rows say and nobody reads."""
    sources: str = ""
    """By what rows made of raw texts are kept on one side, in words; empty where none were."""


def describe(counts: Counts, trained: int, max_length: int) -> Iterator[str]:
    """A line for each number that is worth one; `trained` rows are trained on in an epoch."""
    unfit = f", {counts.rejected:,} rejected" if counts.rejected else ""
    yield f"{counts.read:,} rows read{unfit}"
    if counts.divided:
        yield (
            f"{counts.divided:,} conversations are {counts.divided_rows:,} training rows: the chat "
            "template changes earlier turns, so each answer is trained in its own context"
        )
    if counts.labelled_false:
        yield f"{counts.labelled_false:,} rows labelled false: they are not trained on"
    if counts.cut:
        yield f"{counts.cut:,} rows truncated at {max_length:,} tokens"
    if counts.greetings:
        yield f"{counts.greetings:,} rows open with an answer to nothing: it is not trained on"
    if counts.too_long:
        yield f"{counts.too_long:,} rows dropped: longer than {max_length:,} tokens"
    if counts.sources:
        yield counts.sources
    if counts.grouped:
        yield f"{counts.grouped:,} training rows dropped: their group is in the eval rows"
    if counts.duplicates or counts.leaked:
        yield (
            f"{counts.duplicates:,} duplicate training rows, {counts.leaked:,} eval rows also in "
            f"training; {counts.dropped or 'no'} rows dropped"
        )
    if counts.asked:
        yield f"{counts.asked:,} eval prompts also in training, with another answer"
    if counts.replayed:
        again = (
            "" if counts.replay_pool == counts.replayed else f" ({counts.replay_pool:,} distinct)"
        )
        share = write_percent(counts.replayed / trained, 1)
        yield f"{counts.replayed:,} of {trained:,} rows are replay{again}: {share}"
    unread = counts.unread
    yield from describe_unread(unread.columns, unread.keys, unread.further)
