"""Access to models from notebooks and scripts, without a screen:

    from engine import notebook

    arms = ["base=bundled:demo-base", "tuned=run:emotion-ab12", "half=run:emotion-ab12@0.5"]
    for sample in notebook.generate(arms, ["i miss my dog", "Two and two?"], max_new_tokens=64):
        print(sample.arm, sample.text)
    print(notebook.render("tuned=run:emotion-ab12", "i miss my dog").text)
    print(notebook.decode("tuned=run:emotion-ab12", sample.output_ids))

The key of an endpoint (`key=VARIABLE`) is sent once it is allowed, which is remembered:

    notebook.allow_key("https://api.openai.com", "OPENAI_API_KEY")

The models run in a separate process, which starts at the first request and ends with this one:
nothing heavy is imported here. An arm is written as everywhere in finetop, see
`engine.compare.arms`; what goes wrong is raised as EngineError, with title, detail and hint.
"""

import atexit
import contextlib
import itertools
import json
import subprocess
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from engine.compare import endpoint_keys, samples
from engine.compare.arms import Arm, format_arm, parse_arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError, JobFailed
from engine.jobs.child_output import ChildOutput
from engine.jobs.process import worker_command, worker_environment

PromptInput = str | Item | Sequence[Mapping[str, Any]]
"""A user message, messages with role and content (and tool calls), or a prompt of a file."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as rendered for an arm."""

    text: str
    ids: tuple[int, ...]
    template: str
    """The template's name: chat, instruct, or raw."""


class Session:
    """Models in memory, in one separate process; a context manager that ends it.

    `device` is auto, cpu, cuda:0 …; `runs` the folder that `run:ID` is looked for in (None: as the
    command `finetop` does); `memory_bytes` what the weights may take together (None: half of what
    is free). One request at a time: other threads wait.
    """

    def __init__(
        self, device: str = "auto", runs: str | None = None, memory_bytes: int | None = None
    ) -> None:
        self._hello = {"device": device, "runs": runs or "", "memory_bytes": memory_bytes or 0}
        self._process: subprocess.Popen[bytes] | None = None
        self._output: ChildOutput | None = None
        self._ids = itertools.count(1)
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def generate(
        self,
        arms: Sequence[str | Arm],
        prompts: Sequence[PromptInput],
        *,
        batch: int = 32,
        on_sample: Callable[[Sample], None] = lambda sample: None,
        **decoding: float,
    ) -> list[Sample]:
        """The answers of all arms to all prompts: for each prompt those of the arms, in order.

        Prompts are answered `batch` at a time; `decoding` is of `engine.recipes.settings.Decode`:
        max_new_tokens, temperature (0, greedy), top_p, top_k, seed. `on_sample` is called with each
        answer when it is complete. A prompt that an arm cannot read, such as one longer than its
        context, has no sample of it, and a warning. Raises EngineError. An interrupt ends it at
        once, and the models stay.
        """
        named = [parse_arm(arm) if isinstance(arm, str) else arm for arm in arms]
        _check_keys(named)
        requests = [_request_of(at, prompt) for at, prompt in enumerate(prompts, 1)]
        fields = {"prompts": requests, "decoding": decoding, "batch": batch}
        answers: dict[tuple[str, str], Sample] = {}
        texts = [format_arm(arm) for arm in named]
        # Closed at once where the caller is interrupted, so that the next request can be sent.
        with contextlib.closing(self.ask("answers", arms=texts, **fields)) as events:
            for event in events:
                if event["event"] == "answer":
                    sample = samples.from_table(event["sample"])
                    answers[sample.prompt_id, sample.arm] = sample
                    on_sample(sample)
                elif event["event"] == "refused":
                    reason = f"{event['arm']}: prompt {event['prompt_id']}: {event['reason']}"
                    warnings.warn(reason, stacklevel=2)
        order = [(request["id"], text) for request in requests for text in texts]
        return [answers[key] for key in order if key in answers]

    def render(self, arm: str | Arm, prompt: PromptInput) -> RenderedPrompt:
        """The prompt as the arm reads it, with its template and system prompt. EngineError."""
        fields = {"arm": _text(arm), **_request_of(1, prompt)}
        del fields["id"]
        (*_, last) = self.ask("render", **fields)
        ids = [one for token in last["tokens"] for one in token["ids"]]
        return RenderedPrompt(last["text"], tuple(ids), last["template"])

    def decode(self, arm: str | Arm, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens as they are written. Raises EngineError."""
        (*_, last) = self.ask("pieces", arm=_text(arm), ids=list(ids))
        return str(last["text"])

    def ask(self, kind: str, **fields: Any) -> Generator[dict[str, Any], None, None]:
        """The events of any request that `engine.worker.companion.handlers` answers, `done` the
        last.

        Raises EngineError where it cannot be answered, JobFailed where the process exited.
        """
        with self._asking:
            if self._process is None or self._process.poll() is not None:
                self._start()
                for _ in self._events("hello", self._hello):
                    pass
            yield from self._events(kind, fields)

    def close(self) -> None:
        """Unload all models."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.kill()
            process.wait()
            process.stdout.close()
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _start(self) -> None:
        self.close()
        if self._output is not None:
            self._output.close()
        self._output = ChildOutput()
        self._process = subprocess.Popen(
            worker_command("serve"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output.fileno(),
            env=worker_environment(),
            start_new_session=True,  # a notebook's interrupt is not meant for it
        )

    def _events(self, kind: str, fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        identity = next(self._ids)
        self._send({"id": identity, "type": kind, **fields})
        ended = False
        try:
            while not ended:
                event = self._receive()
                if event["id"] != identity:  # remaining output of an interrupted request
                    continue
                ended = event["event"] in ("done", "error")
                if event["event"] == "error":
                    reason = event["error"]
                    raise EngineError(reason["title"], reason["detail"], reason["hint"])
                yield event
        finally:
            if not ended:
                self._send({"id": next(self._ids), "type": "cancel", "target": identity})

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the reply, or its absence, has more details
            self._process.stdin.write(json.dumps(request, allow_nan=False).encode() + b"\n")
            self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._death()
        event: dict[str, Any] = json.loads(line)
        return event

    def _death(self) -> EngineError:
        why = self._output.tail() if self._output is not None else ""
        return JobFailed("The model process exited.", why or "no output", "Try again.")


_shared: Session | None = None
_sharing = threading.Lock()


def shared() -> Session:
    """The session that the functions of this module share; it ends with the program."""
    global _shared
    with _sharing:
        if _shared is None:
            _shared = Session()
            atexit.register(_shared.close)
        return _shared


def generate(
    arms: Sequence[str | Arm],
    prompts: Sequence[PromptInput],
    *,
    batch: int = 32,
    on_sample: Callable[[Sample], None] = lambda sample: None,
    **decoding: float,
) -> list[Sample]:
    """As `Session.generate`, of the shared session."""
    return shared().generate(arms, prompts, batch=batch, on_sample=on_sample, **decoding)


def allow_key(address: str, variable: str) -> None:
    """Allow arms to send the key in an environment variable to an endpoint, from now on.

    `address` is its URL; scheme, host and port count. Raises EngineError.
    """
    endpoint_keys.allow([endpoint_keys.parse_use(f"{address}={variable}")])


def render(arm: str | Arm, prompt: PromptInput) -> RenderedPrompt:
    """As `Session.render`, of the shared session."""
    return shared().render(arm, prompt)


def decode(arm: str | Arm, ids: Sequence[int]) -> str:
    """As `Session.decode`, of the shared session."""
    return shared().decode(arm, ids)


def _check_keys(arms: Sequence[Arm]) -> None:
    """Raise EngineError for keys that are not allowed: arms may come from a file."""
    unknown = endpoint_keys.find_unknown(arms)
    if unknown:
        error = endpoint_keys.refuse(unknown)
        calls = [f"notebook.allow_key({use.address!r}, {use.variable!r})" for use in error.uses]
        raise EngineError(error.title, error.detail, f"To allow it: {'; '.join(calls)}")


def _text(arm: str | Arm) -> str:
    return arm if isinstance(arm, str) else format_arm(arm)


def _request_of(number: int, prompt: PromptInput) -> dict[str, Any]:
    """A prompt as the protocol has it; those without an id are numbered from 1."""
    if isinstance(prompt, Item):
        turns = [turn.to_json() for turn in prompt.messages]
        tools = {"tools": [dict(tool) for tool in prompt.tools]} if prompt.tools else {}
        return {"id": prompt.id, "messages": turns, **tools}
    if isinstance(prompt, str):
        return {"id": str(number), "messages": [{"role": "user", "content": prompt}]}
    return {"id": str(number), "messages": [dict(turn) for turn in prompt]}
