"""What the run itself answers, in float32 and with its adapter apart from its base: kept in a
folder, so that what is shipped is compared with it when the run is in memory no more.

It is made once for all targets of an export. Owns what is in that folder, and how it is known that
it belongs to the same run and rows.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import atomic
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import wrap_model
from engine.worker.model import loading
from engine.worker.release.proving import kept_logs
from engine.worker.release.proving.kept_logs import RowComparison
from engine.worker.release.proving.llama_text import choose_text_rows
from engine.worker.release.proving.long_prompts import Boundary, LongRow, LongRows, choose_long_rows
from engine.worker.release.proving.proof_rows import ProofRow, choose_rows
from engine.worker.release.proving.proof_spec import Advance, ProofSpec, Tick, advance_of

ANSWER_TOKENS = 64
"""Of a greedy answer, at most."""
_FILE = "reference.json"
_HELD_OUT, _LONG, _TEXT = "held_out.f32", "long.f32", "text.f32"
_BOUND = ("base", "adapter", "tokenizer", "held_out", "prompts", "rows", "seed")
"""What of a spec the reference follows from."""


@dataclass(frozen=True, slots=True)
class GreedyRow:
    """A prompt with the run's own greedy answer, and by how much each token of it was the first
    choice: log-probability above that of the second, in nats."""

    row: ProofRow
    margins: tuple[float, ...]
    seconds: tuple[int, ...]
    """The second choices."""


@dataclass(frozen=True, slots=True)
class RunReference:
    folder: Path
    digest: str
    """Of the run and the rows that it belongs to."""
    greedy: tuple[GreedyRow, ...]
    held_out_prompts: int
    rows: tuple[ProofRow, ...]
    held_out_rows: int
    long: LongRows
    text: tuple[ProofRow, ...]
    """Rows that llama.cpp is asked to read; none where it is not installed."""

    @property
    def row_file(self) -> Path:
        return self.folder / _HELD_OUT

    @property
    def long_file(self) -> Path:
        return self.folder / _LONG

    @property
    def text_file(self) -> Path:
        return self.folder / _TEXT

    @classmethod
    def read(cls, spec: ProofSpec, folder: Path) -> "RunReference | None":
        """What was kept; None where it is not there, or of another run or other rows."""
        try:
            body = json.loads((folder / _FILE).read_bytes())
            digest = _digest(spec)
            if body["of"] != digest:
                return None
            greedy = tuple(
                GreedyRow(_row(one), tuple(one["margins"]), tuple(one["seconds"]))
                for one in body["greedy"]
            )
            rows = tuple(_row(one) for one in body["rows"])
            long = LongRows(
                tuple(
                    LongRow(Boundary(one["name"], one["length"]), _row(one)) for one in body["long"]
                ),
                tuple(body["left_out"]),
            )
            text = tuple(_row(one) for one in body["text"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        counts = body["held_out_prompts"], body["held_out_rows"]
        return cls(folder, digest, greedy, counts[0], rows, counts[1], long, text)

    @classmethod
    def make(
        cls, spec: ProofSpec, model: Any, tokenizer: Any, folder: Path, tick: Tick
    ) -> "RunReference":
        """Ask the run, and keep what it says. Raises what `tick` raises, EngineError where it
        cannot be asked anything, OSError as of a full disk."""
        plain = loading.base_of(model)
        vocabulary = loading.count_embeddings(model)
        context = getattr(plain.config.get_text_config(), "max_position_embeddings", 0) or 1 << 30
        chosen = choose_rows(spec, tokenizer, context, vocabulary)
        if not chosen.prompts or not chosen.rows:
            raise EngineError(
                "The proof found no prompts that this model can be asked.",
                str(spec.tokenizer),
                "Its chat template refuses the bundled prompts; hold rows out in training.",
            )
        parameters = sum(one.numel() for one in plain.parameters())
        long = choose_long_rows(plain.config, tokenizer, parameters, vocabulary)
        greedy = _answer(model, tokenizer, chosen.prompts, tick)
        text = choose_text_rows(tokenizer, context, vocabulary)
        reference = cls(
            folder,
            _digest(spec),
            greedy,
            chosen.held_out_prompts,
            chosen.rows,
            chosen.held_out_rows,
            long,
            text,
        )
        advance = advance_of(tick, "reading rows with the run")
        kept_logs.keep(model, reference.rows, reference.row_file, advance)
        if long.rows:
            advance = advance_of(tick, "reading long prompts with the run")
            kept_logs.keep(model, [one.row for one in long.rows], reference.long_file, advance)
        if text:
            advance = advance_of(tick, "reading text with the run")
            kept_logs.keep(model, text, reference.text_file, advance)
        reference._write()
        return reference

    def compare_rows(self, model: Any, advance: Advance) -> list[RowComparison]:
        """What another model says of the rows."""
        return kept_logs.compare(model, self.rows, self.row_file, advance)

    def compare_long(self, model: Any, advance: Advance) -> list[tuple[RowComparison, ...]]:
        """What another model says of the long rows: before the boundary, and beyond it."""
        rows = [one.row for one in self.long.rows]
        cuts = [one.before for one in self.long.rows]
        return kept_logs.compare_parts(model, rows, cuts, self.long_file, advance)

    def _write(self) -> None:
        body = {
            "of": self.digest,
            "greedy": [
                {**_fields(one.row), "margins": one.margins, "seconds": one.seconds}
                for one in self.greedy
            ],
            "held_out_prompts": self.held_out_prompts,
            "rows": [_fields(one) for one in self.rows],
            "held_out_rows": self.held_out_rows,
            "long": [
                {**_fields(one.row), "name": one.boundary.name, "length": one.boundary.length}
                for one in self.long.rows
            ],
            "left_out": self.long.left_out,
            "text": [_fields(one) for one in self.text],
        }
        atomic.write_json(self.folder / _FILE, body)


def _answer(
    model: Any, tokenizer: Any, asked: Sequence[tuple[int, ...]], tick: Tick
) -> tuple[GreedyRow, ...]:
    """The greedy answers, each up to where reading it gives another first choice than decoding it
    did: there two tokens are equal but for float32's rounding."""
    decoder = BatchDecoder(
        wrap_model(model, tokenizer), [list(ids) for ids in asked], Decode(ANSWER_TOKENS)
    )
    done = 0
    while not decoder.done:
        decoder.step()
        tick("answering prompts with the run", done := done + 1, ANSWER_TOKENS)
    rows = [
        ProofRow(
            (*answer.prompt_ids, *answer.output_ids),
            tuple(range(len(answer.prompt_ids), len(answer.prompt_ids) + len(answer.output_ids))),
        )
        for answer in decoder.answers
    ]
    greedy_rows = []
    advance = advance_of(tick, "reading its answers with the run")
    for row, logs in zip(rows, kept_logs.distributions(model, rows, advance), strict=True):
        first = logs.topk(2, dim=-1)
        margins = (first.values[:, 0] - first.values[:, 1]).tolist()
        tokens, seconds = first.indices[:, 0].tolist(), first.indices[:, 1].tolist()
        agreed = 0
        while agreed < len(tokens) and tokens[agreed] == row.ids[row.places[agreed]]:
            agreed += 1
        if agreed:
            places = row.places[:agreed]
            cut = ProofRow(row.ids[: places[-1] + 1], places)
            greedy_rows.append(GreedyRow(cut, tuple(margins[:agreed]), tuple(seconds[:agreed])))
    return tuple(greedy_rows)


def _digest(spec: ProofSpec) -> str:
    fields = {name: str(getattr(spec, name)) for name in _BOUND}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _fields(row: ProofRow) -> dict[str, Any]:
    return dataclasses.asdict(row)


def _row(body: Any) -> ProofRow:
    return ProofRow(tuple(body["ids"]), tuple(body["places"]))
