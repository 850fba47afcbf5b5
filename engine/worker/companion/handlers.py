"""What the companion can be asked, each request a generator of events that the server drains.

Generators are stepped in turn, one token a step, so that several panes stream side by side. The
requests that compare arms are in `compare_handlers`; all are documented at their handlers.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints.adapter_rows import count_rows
from engine.checkpoints.context import check_length, find_context_length, has_position_table
from engine.checkpoints.gguf_file import read_model_config
from engine.compare.arms import Arm
from engine.data import dataset_list
from engine.jobs.directory import JobDirectory
from engine.recipes.settings import Data, Training
from engine.synthesis import row_files
from engine.worker.companion import request_fields
from engine.worker.companion.compare_handlers import CompareHandlers
from engine.worker.companion.model_pool import ModelPool
from engine.worker.companion.protocol import Cancelled, Event, Request
from engine.worker.companion.row_handler import RowHandler
from engine.worker.companion.streaming import stream_answer, stream_endpoint
from engine.worker.companion.tokenize_handler import TokenizeHandler
from engine.worker.data import arrow
from engine.worker.data import report as data_report
from engine.worker.data.chat_template import choose_template, prompt_ids, prompt_text
from engine.worker.data.preview import encode_rows, read_data, read_replay, show_row
from engine.worker.inference.endpoint import Endpoint
from engine.worker.model import count_parameters, loading
from engine.worker.synthesis.parquet_rows import encode_parquet
from engine.worker.tokenizers.detokenize import pieces_of

Handler = Callable[[Request, Cancelled], Iterator[Event | None]]


@dataclass(frozen=True, slots=True)
class _DataRequest:
    """The data settings that a request names, and what its checkpoint says of them."""

    data: Data
    tokenizer: Any
    embeddings: int | None
    """How many tokens the model knows."""
    length_note: str
    """Where rows may be longer than its context."""


class Handlers:
    """Answers requests. What it raises as EngineError is the request's answer."""

    def __init__(self) -> None:
        self._pool = ModelPool()
        compare, rows = CompareHandlers(self._pool), RowHandler(self._pool)
        self.by_type: dict[str, Handler] = {
            "hello": self.hello,
            "generate": self.generate,
            "render": self.render,
            "preview": self.preview,
            "inspect": self.inspect,
            "count": self.count,
            "write_rows": self.write_rows,
            "first_rows": rows.first_rows,
            "check_row": rows.check_row,
            "shift": compare.shift,
            "pieces": compare.pieces,
            "strengths": compare.strengths,
            "facts": compare.facts,
            "answers": compare.answers,
            "tokenize": TokenizeHandler(self._pool).tokenize,
        }

    def unload(self) -> None:
        """Let go of all models: nobody has asked for a while."""
        self._pool.unload()

    def hello(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"device", "memory_bytes", "runs", "warm"}: where to run, what to keep, the runs' folder.

        `warm` false: no model will be asked for, so what loading one imports can wait.
        """
        self._pool.configure(
            device=request_fields.parse_text(request, "device", "auto"),
            budget=request_fields.parse_number(request, "memory_bytes", 0, least=0) or None,
            root=request_fields.parse_text(request, "runs", "") or None,
        )
        if request.get("warm", True):
            loading.warm()
        yield {"event": "done", "torch": torch.__version__}

    def generate(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"arm", "messages" or "text", "tools", "decoding", "prompt_id"}: text, then a sample.

        Events `loading`, `begin` {"prompt_tokens", "notes", "adapter"}, `text` {"text"}, and `done`
        {"sample", "behaviour"}; of an endpoint, `prompt_tokens` is null and the sample has no ids.
        Cancelled, it ends in `done` as well: with what there is, and the finish reason "cancelled";
        `sample` is null where it had not begun.
        """
        arm, messages = request_fields.parse_arm(request), request_fields.parse_messages(request)
        decode = arm.decoding(request_fields.parse_decode(request))
        prompt_id = request_fields.parse_text(request, "prompt_id", "")
        tools = request_fields.parse_tools(request, arm)
        if arm.is_endpoint:
            events: Iterator[Event | None] = stream_endpoint(
                Endpoint(arm, messages, decode, tools), prompt_id, cancelled
            )
        else:
            loaded_arm = yield from self._pool.load_arm(arm, cancelled)
            if loaded_arm is None:
                yield {"event": "done", "sample": None}
                return
            events = stream_answer(
                self._pool, loaded_arm, messages, decode, cancelled, prompt_id, tools
            )
        for event in events:
            last = event is not None and event.get("event") == "answer"
            yield {**event, "event": "done"} if event and last else event

    def render(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"arm", "messages" or "text", "tools"}: the prompt as this arm reads it."""
        arm, messages = request_fields.parse_arm(request), request_fields.parse_messages(request)
        tokenizer = self._pool.tokenizer(arm)
        tools = request_fields.parse_tools(request, arm)
        text = prompt_text(messages, tokenizer, arm.form, arm.system, arm.prefix, tools)
        template = None if arm.form == "raw" else choose_template(tokenizer, arm.form)
        tokens = pieces_of(tokenizer, prompt_ids(text, tokenizer, arm.form))
        yield {
            "event": "done",
            "text": text,
            "tokens": [{"text": piece, "ids": ids} for piece, ids in tokens],
            "template": template.name if template else "raw",
            "template_hash": template.hash if template else "",
        }

    def preview(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"checkpoint", "data", "rows", "max_length", "objective"}: rows as training sees them.

        The first ones. `data` is a data set's name or the data table of a recipe. Each row is its
        tokens' text with flags: learned, special; cut and refused rows say so.
        """
        about = self._data(request)
        data, tokenizer = about.data, about.tokenizer
        template = choose_template(tokenizer, data.template, data.system)
        objective = request_fields.parse_text(request, "objective", Training().objective)
        chosen = dataset_list.resolve(data.train, self._pool.runs(), data, objective)
        count = request_fields.parse_number(request, "rows", 5)
        read = dataset_list.preview(chosen, count, data, objective=objective, raw=arrow.read_raw)
        encoded = [
            row
            for example in read.examples
            for row in encode_rows(example, tokenizer, template, data, about.embeddings, objective)
        ]
        yield {
            "event": "done",
            "schema": read.schema,
            "template": template.name,
            "template_hash": template.hash,
            "notes": template.notes,
            "rows": [show_row(row, tokenizer) for row in encoded],
            "rejects": [asdict(reject) for reject in read.rejects],
        }

    def inspect(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"checkpoint", "data", "replay", "rows", "sample", "templates", "seed", "objective"}.

        What is learned: `rows` of them are shown, `sample` are looked at. Cancelled, `report` is
        null.
        """
        about = self._data(request)
        data, tokenizer = about.data, about.tokenizer
        report_request = data_report.ReportRequest(
            data,
            sample=request_fields.parse_number(request, "sample", data_report.SAMPLE),
            shown=request_fields.parse_number(request, "rows", data_report.SHOWN, least=0),
            templates=request.get("templates") is True,
            seed=request_fields.parse_number(request, "seed", Training().seed, least=0),
            runs=tuple(self._pool.runs()),
            replay=read_replay(request.get("replay")),
            embeddings=about.embeddings,
            objective=request_fields.parse_text(request, "objective", Training().objective),
            length_note=about.length_note,
        )
        template = choose_template(tokenizer, data.template, data.system)
        report = None
        for report in data_report.inspect(report_request, tokenizer, template, cancelled):
            if report is None:
                yield None
        yield {"event": "done", "report": report}

    def count(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"checkpoint", "method"}: parameters of the model and of what the method learns, exact.

        `method` is the method table of a recipe.
        """
        weights = self._pool.locate(Arm("count", request_fields.parse_text(request, "checkpoint")))
        yield {"event": "done"} | count_parameters.answer(
            weights.base, request.get("method"), weights.adapter
        )

    def write_rows(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"job", "out", "accept_all", "force"}: the accepted rows of a job that makes data, with
        their provenance and card, also as Parquet. `job` is its directory; `done` has `written`.
        """
        written = row_files.write_rows(
            JobDirectory(Path(request_fields.parse_text(request, "job"))),
            Path(request_fields.parse_text(request, "out")),
            accept_all=request.get("accept_all") is True,
            force=request.get("force") is True,
            runs=self._pool.runs(),
            encode_parquet=encode_parquet,
        )
        yield {"event": "done", "written": written.to_table()}

    def _data(self, request: Request) -> _DataRequest:
        """Raises EngineError, also where the model cannot read rows of `max_length`."""
        arm = Arm("preview", request_fields.parse_text(request, "checkpoint"))
        weights = self._pool.locate(arm)
        data = read_data(request.get("data"), request.get("max_length"))
        config = read_model_config(weights.base)
        length, tabled = find_context_length(config), has_position_table(config)
        return _DataRequest(
            data,
            self._pool.tokenizer(arm),
            count_rows(config, weights.adapter),
            check_length(data.max_length, length, tabled),
        )
