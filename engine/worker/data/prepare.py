"""The rows of a recipe as encoded examples: sampled, split, compared, encoded, mixed with replay.

Nothing is dropped in silence: every bad row is a reject, and all else is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.data.preferences import refuse_without_pairs
from engine.data.rows import Example, Reject
from engine.data.unpaired import LABELLED_FALSE
from engine.data.unread import UnreadFields
from engine.errors import EngineError
from engine.recipes.combinations import check_dpo_replay
from engine.recipes.settings import Data, Replay
from engine.worker.data import replay as replaying
from engine.worker.data.counts import Counts
from engine.worker.data.deduplicate import compare
from engine.worker.data.encode import Encoded, Template, encode, suggest_remedy
from engine.worker.data.loss_spans import opens_with_answer
from engine.worker.data.pair_rows import answer_start, mask_before, pair_rows
from engine.worker.data.split import (
    RowExamples,
    SampledRows,
    describe_sources,
    drop_overlapping_groups,
    find_paths,
    sample_rows,
    split,
)
from engine.worker.data.token_ids import check_row


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A prompt with its better and its worse answer."""

    chosen: Encoded
    rejected: Encoded
    example: Example | None = None
    """What they were encoded from."""

    @property
    def target_tokens(self) -> int:
        """Tokens of the better answer that are compared."""
        return mask_before(self.chosen, answer_start(self.chosen, self.rejected)).target_tokens


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """What a run trains and measures on."""

    train: list[Encoded]
    """Of pairs, the chosen ones."""
    eval: list[Encoded]
    rejects: list[dict[str, Any]]
    counts: Counts = field(default_factory=Counts)
    pairs: list[EncodedPair] = field(default_factory=list)
    """Where the objective is `dpo`: one for each row of `train`, in its order."""
    eval_pairs: list[EncodedPair] = field(default_factory=list)
    eval_examples: list[Example | None] = field(default_factory=list)
    """As `eval`, row by row: what was encoded. Several rows may be of one example."""
    labels: tuple[str, ...] = ()
    """Of texts with labels: those that the prompts list."""

    @property
    def target_tokens(self) -> int:
        """Tokens that the loss counts in an epoch; of pairs, those of the better answers."""
        return sum(row.target_tokens for row in self.pairs or self.train)

    @property
    def cut(self) -> int:
        """Rows whose end was cut off at `max_length`."""
        return self.counts.cut


def prepare(
    data: Data,
    tokenizer: Any,
    template: Template,
    seed: int,
    *,
    replay: Replay | None = None,
    objective: str = "sft",
    runs: Sequence[Path] = (),
    embeddings: int | None = None,
) -> PreparedDataset:
    """Read, sample, split and encode the rows of a recipe; the same recipe gives the same rows.

    `runs` are the job directories that a `run:ID` may mean, `embeddings` how many tokens the model
    knows: a row with another one is rejected. Raises EngineError where nothing is
    left to train on, or where the data does not fit the objective.
    """
    replay = replay or Replay()
    if objective == "dpo":
        data = _check_dpo(data, replay)
    train, held_out, files = _load_splits(data, seed, runs, objective)
    if objective == "dpo":
        _check_pairs(data, train)
    grouped = sum(len(file.rows) for file in files) - len(train) - len(held_out)
    overlap = compare(train, held_out)
    own = overlap.distinct if data.deduplicate else train
    encoder = _Encoder(data, tokenizer, template, embeddings, pairs=objective == "dpo")
    train_pairs, eval_pairs = encoder.encode_all(own), encoder.encode_all(held_out)
    replayed: list[EncodedPair] = []
    if replay.data and replay.share and train_pairs:
        pool = replaying.open_pool(replay, held_out, data, seed, runs)
        files.append(pool.sampled)
        count = replaying.count_rows(len(train_pairs), replay.share)
        replayed = replaying.take(pool, count, encoder.encode)
        train_pairs = replaying.mix(train_pairs, replayed, seed)
    bad = [reject for file in files for reject in file.rejects]
    rejects = sorted([*bad, *encoder.refused], key=lambda one: (one.file, one.line))
    if not train_pairs:
        raise _refuse_all(rejects)
    labelled_false = sum(reject.reason == LABELLED_FALSE for reject in bad)
    counts = Counts(
        read=sum(file.read for file in files),
        rejected=len(rejects) - encoder.too_long - labelled_false,
        cut=sum(one.chosen.cut > 0 or one.rejected.cut > 0 for one in (*train_pairs, *eval_pairs)),
        too_long=encoder.too_long,
        duplicates=overlap.duplicates,
        leaked=overlap.leaked,
        asked=overlap.asked,
        dropped=len(train) - len(own),
        grouped=grouped,
        sources="".join(describe_sources(train, held_out, data)),
        replayed=len(replayed),
        replay_pool=len({id(one) for one in replayed}),
        divided=encoder.divided,
        divided_rows=encoder.divided_rows,
        greetings=_count_greetings((*train_pairs, *eval_pairs)),
        labelled_false=labelled_false,
        unread=_merge(file.unread for file in files),
    )
    return PreparedDataset(
        [one.chosen for one in train_pairs],
        [one.chosen for one in eval_pairs],
        [asdict(reject) for reject in rejects],
        counts,
        train_pairs if encoder.pairs else [],
        eval_pairs if encoder.pairs else [],
        [one.example for one in eval_pairs],
        files[0].labels,
    )


def _count_greetings(pairs: Iterable[EncodedPair]) -> int:
    """Rows that open with an answer; one may be several training rows, and is counted once."""
    examples = (pair.example for pair in pairs)
    return len(
        {
            (example.source, example.messages)
            for example in examples
            if example is not None and opens_with_answer(example.messages)
        }
    )


def _merge(counted: Iterable[UnreadFields]) -> UnreadFields:
    merged = UnreadFields()
    for unread in counted:
        merged.merge(unread)
    return merged


def _load_splits(
    data: Data, seed: int, runs: Sequence[Path], objective: str
) -> tuple[list[RowExamples], list[RowExamples], list[SampledRows]]:
    """Rows to train on, rows held out, and the one or two files that they are sampled from."""
    train_path, eval_path = find_paths(data, runs, objective)
    file = sample_rows(train_path, data, seed, objective=objective)
    if eval_path is None:
        train, held_out = split(file.rows, data, seed)
        return train, held_out, [file]
    # Held-out texts are asked with the labels that training lists, be some of them absent.
    other = sample_rows(eval_path, data, seed, file.labels or None, objective)
    return drop_overlapping_groups(file.rows, other.rows), other.rows, [file, other]


class _Encoder:
    """Encodes examples and remembers those that it had to refuse."""

    def __init__(
        self,
        data: Data,
        tokenizer: Any,
        template: Template,
        embeddings: int | None,
        *,
        pairs: bool,
    ) -> None:
        self.pairs = pairs
        self.refused: list[Reject] = []
        self.too_long = 0
        self.divided = 0
        """Conversations that became several training rows."""
        self.divided_rows = 0
        """The training rows that they became."""
        self._data, self._tokenizer, self._template = data, tokenizer, template
        self._embeddings = embeddings

    def encode_all(self, rows: Iterable[RowExamples]) -> list[EncodedPair]:
        """All that can be used, in order."""
        return [pair for row in rows for example in row for pair in self.encode(example)]

    def encode(self, example: Example) -> list[EncodedPair]:
        """The training rows of an example, with pairs beside their other answers, else the same
        again; those that are refused are remembered.
        """
        rows = self._encode(example)
        pairs = self._pair(rows, example) if self.pairs else list(zip(rows, rows, strict=True))
        if len(pairs) > 1:
            self.divided += 1
            self.divided_rows += len(pairs)
        kept: list[EncodedPair] = []
        for number, (row, other) in enumerate(pairs, 1):
            if row.kept and other.kept:
                kept.append(EncodedPair(row, other, example))
                continue
            part = f"training row {number} of {len(pairs)}: " if len(pairs) > 1 else ""
            self._refuse(example, row if not row.kept else other, part)
        return kept

    def _pair(self, rows: Sequence[Encoded], example: Example) -> list[tuple[Encoded, Encoded]]:
        others = (
            self._encode(replace(example, messages=example.rejected)) if example.rejected else []
        )
        return [(rows[index], other) for index, other in pair_rows(rows, others, example)]

    def _refuse(self, example: Example, row: Encoded, part: str) -> None:
        file, _, line = example.source.rpartition(":")
        text = example.messages[-1].content if example.messages else example.text
        self.refused.append(Reject(file, int(line), part + row.reason, text[:200]))
        self.too_long += self._data.too_long == "drop" and row.cut > 0

    def _encode(self, example: Example) -> list[Encoded]:
        data = self._data
        rows = encode(example, self._tokenizer, self._template, data.max_length, data.too_long)
        return [check_row(row, self._tokenizer, self._embeddings) for row in rows]


def _check_dpo(data: Data, replay: Replay) -> Data:
    """The data settings of a DPO run. Raises EngineError for what cannot go with it."""
    check_dpo_replay(replay)
    return replace(data, answers="chosen")


def _check_pairs(data: Data, train: Sequence[RowExamples]) -> None:
    """Raise EngineError where no row at all has a rejected answer."""
    if not any(example.rejected for row in train for example in row):
        raise refuse_without_pairs(data.train)


def _refuse_all(rejects: Sequence[Reject]) -> EngineError:
    reasons = "\n".join(f"{one.file}:{one.line}: {one.reason}" for one in rejects[:5])
    return EngineError(
        "No rows left to train on.", reasons, suggest_remedy(one.reason for one in rejects)
    )
