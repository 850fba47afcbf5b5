"""What the companion can be asked, each request a generator of events that the server drains.

Generators are stepped in turn, one token a step, so that several panes stream side by side. Bases
stay in memory within a budget; one that does not fit beside those that speak waits for them.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import torch

from engine.catalog import datasets
from engine.catalog.schemas import ROLES, Message
from engine.compare import behaviour
from engine.compare.arms import Arm, format_arm, parse_arm
from engine.compare.samples import to_table
from engine.errors import EngineError
from engine.jobs import fields
from engine.jobs.settings import Data, Decode, Training
from engine.jobs.store import open_store
from engine.worker.answering.answers import Answers, Pieces, pieces_of
from engine.worker.answering.bases import Base, Bases, Voice
from engine.worker.model import counting, models
from engine.worker.model.places import locate
from engine.worker.rows import columnar, inspection
from engine.worker.rows.preview import encode_row, read_data, show_row
from engine.worker.rows.template import choose_template, prompt_ids, prompt_text
from engine.worker.serve import Cancelled, Event, Request

Handler = Callable[[Request, Cancelled], Iterator[Event | None]]


class Desk:
    """Answers requests. What it raises as EngineError is the request's answer."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {
            "hello": self.hello,
            "generate": self.generate,
            "render": self.render,
            "preview": self.preview,
            "inspect": self.inspect,
            "count": self.count,
        }
        self._bases: Bases | None = None
        self._wanted = "auto"
        self._budget: int | None = None
        self._root: str | None = None
        self._speaking: list[Base] = []

    def rest(self) -> None:
        """Let go of all models: nobody has asked for a while."""
        if self._bases is not None:
            self._bases.clear()

    def hello(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"device", "memory_bytes", "runs", "warm"}: where to run, what to keep, the runs' folder.

        `warm` false: no model will be asked for, so what loading one imports can wait.
        """
        self._wanted = _text(request, "device", "auto")
        self._root = _text(request, "runs", "") or None
        self._budget = _number(request, "memory_bytes", 0, least=0) or None
        if request.get("warm", True):
            models.warm()
        yield {"event": "done", "torch": torch.__version__}

    def generate(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"arm", "messages" or "text", "decoding", "prompt_id"}: text as it comes, then a sample.

        Cancelled, it ends in `done` as well: with what there is, and the finish reason "cancelled".
        """
        arm, messages, decode = _arm(request), _messages(request), _decode(request)
        voice = yield from self._voice(arm, cancelled)
        if voice is None:
            yield {"event": "done", "sample": None}
            return
        answers = Answers(voice, [voice.prompt(messages)], decode)
        answer = answers.answers[0]
        adapter = voice.base.path_of(voice.adapter)
        yield {
            "event": "begin",
            "prompt_tokens": len(answer.prompt_ids),
            "notes": voice.notes,
            # What is really spoken with, so that a pane need not believe its own question.
            "adapter": str(adapter) if adapter else None,
        }
        pieces = Pieces(voice.tokenizer)
        self._speaking.append(voice.base)
        try:
            while not answers.done:
                if cancelled():
                    answers.cancel()
                    break
                answers.step()
                piece = "" if answer.finish == "stop" else pieces.feed(answer.output_ids[-1])
                yield {"event": "text", "text": piece} if piece else None
        except torch.OutOfMemoryError as error:
            raise EngineError(
                "The device ran out of memory.",
                str(error).split("\n")[0],
                "Ask for a shorter answer, or use device cpu.",
            ) from error
        finally:
            self._speaking.remove(voice.base)
        sample = answers.sample(0, _text(request, "prompt_id", ""), messages, format_arm(arm))
        measured = behaviour.measure(sample)
        yield {"event": "done", "sample": to_table(sample), "behaviour": asdict(measured)}

    def render(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"arm", "messages" or "text"}: the prompt as this arm reads it, text and tokens."""
        arm, messages = _arm(request), _messages(request)
        tokenizer = models.load_tokenizer(locate(arm, self._runs()).tokenizer)
        text = prompt_text(messages, tokenizer, arm.form, arm.system, arm.prefix)
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
        """{"checkpoint", "data", "rows", "max_length"}: the first rows as training will see them.

        `data` is a data set's name or the data table of a recipe. Each row is its tokens' text with
        flags: learned, special; cut and refused rows say so.
        """
        data, tokenizer = self._data(request)
        template = choose_template(tokenizer, data.template, data.system)
        chosen = datasets.resolve(data.train, self._runs(), data)
        count = _number(request, "rows", 5)
        read = datasets.preview(chosen, count, data, raw=columnar.read_raw)
        encoded = [encode_row(one, tokenizer, template, data) for one in read.examples]
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
        """{"checkpoint", "data", "rows", "sample", "templates", "seed"}: what is learned of it.

        `rows` of them are shown, `sample` are looked at. Cancelled, `report` is null.
        """
        data, tokenizer = self._data(request)
        wanted = inspection.Wanted(
            data,
            sample=_number(request, "sample", inspection.SAMPLE),
            shown=_number(request, "rows", inspection.SHOWN, least=0),
            templates=request.get("templates") is True,
            seed=_number(request, "seed", Training().seed, least=0),
            runs=tuple(self._runs()),
        )
        template = choose_template(tokenizer, data.template, data.system)
        report = None
        for report in inspection.inspect(wanted, tokenizer, template, cancelled):
            if report is None:
                yield None
        yield {"event": "done", "report": report}

    def count(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"checkpoint", "method"}: parameters of the model and of what the method learns, exact.

        `method` is the method table of a recipe.
        """
        place = locate(Arm("count", _text(request, "checkpoint")), self._runs())
        yield {"event": "done"} | counting.answer(place.base, request.get("method"))

    def _data(self, request: Request) -> tuple[Data, Any]:
        """The data settings that a request names, and the tokenizer of its checkpoint."""
        place = locate(Arm("preview", _text(request, "checkpoint")), self._runs())
        data = read_data(request.get("data"), request.get("max_length"))
        return data, models.load_tokenizer(place.tokenizer)

    def _voice(self, arm: Arm, cancelled: Cancelled) -> Generator[Event | None, None, Voice | None]:
        """The arm's voice, once there is room for it; says what it waits for. None: cancelled."""
        place = locate(arm, self._runs())
        if self._bases is None:
            device = models.pick_device(self._wanted)
            self._bases = Bases(device, self._budget or _half_of_memory(device))
        waits = False
        while not cancelled():
            if not waits and not self._bases.holds(place):
                yield {"event": "loading", "message": f"loading {place.base.name}"}
            voice = self._bases.voice(arm, place, _say_nothing, self._speaking)
            if voice is not None:
                return voice
            if not waits:
                yield {"event": "loading", "message": "waiting: both models do not fit the memory"}
            waits = True
            yield None
        return None

    def _runs(self) -> Sequence[Path]:
        return [job.path for job in open_store(self._root).jobs()]


def _say_nothing(what: str) -> None:
    """The client was told before: nothing can be sent while a model loads."""


def _half_of_memory(device: torch.device) -> int:
    """Bytes: half of what is free now, so that a training run beside it has room."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // 2
    return int(psutil.virtual_memory().available) // 2


def _arm(request: Request) -> Arm:
    return parse_arm(_text(request, "arm"))


def _messages(request: Request) -> list[Message]:
    if "messages" not in request:
        return [Message("user", _text(request, "text"))]
    said = request["messages"]
    right = isinstance(said, list) and all(
        isinstance(one, dict) and one.get("role") in ROLES and isinstance(one.get("content"), str)
        for one in said
    )
    if not said or not right:
        raise EngineError("A conversation is a list of messages with role and content.", str(said))
    return [Message(one["role"], one["content"]) for one in said]


def _decode(request: Request) -> Decode:
    wanted = request.get("decoding", {})
    if not isinstance(wanted, dict):
        raise EngineError("The decode settings are not an object.", str(wanted))
    wrong = fields.problems(Decode, wanted)
    if wrong:
        raise EngineError(
            "A decode setting cannot be used.",
            "\n".join(f"{name}: {reason}" for name, reason in wrong.items()),
        )
    return fields.build(Decode, wanted)


def _text(request: Request, field: str, default: str | None = None) -> str:
    value = request.get(field, default)
    if not isinstance(value, str):
        raise EngineError(f"The request needs {field}, a text.", repr(value))
    return value


def _number(request: Request, field: str, default: int, least: int = 1) -> int:
    value = request.get(field, default)
    if not isinstance(value, int) or value < least:
        raise EngineError(f"The request needs {field}, a whole number.", repr(value))
    return value
