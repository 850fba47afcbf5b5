"""One answer as events: what a pane is sent while an arm, or an endpoint, answers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from engine.chat import Message, Tools
from engine.compare import answer_length
from engine.compare.arms import format_arm
from engine.compare.samples import Sample, to_table
from engine.recipes.settings import Decode
from engine.worker.companion.model_pool import ModelPool
from engine.worker.companion.protocol import WAITING, Cancelled, Event
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.endpoint import Endpoint
from engine.worker.inference.models import LoadedArm
from engine.worker.tokenizers.detokenize import StreamDecoder


def stream_answer(
    pool: ModelPool,
    loaded_arm: LoadedArm,
    messages: Sequence[Message],
    decode: Decode,
    cancelled: Cancelled,
    prompt_id: str = "",
    tools: Tools = (),
) -> Iterator[Event | None]:
    """`begin`, `text` …, then `answer` with the sample; one token a step. Raises EngineError."""
    answers = BatchDecoder(loaded_arm, [loaded_arm.prompt(messages, tools=tools)], decode)
    answer = answers.answers[0]
    adapter = loaded_arm.model.path_of(loaded_arm.adapter)
    pieces = StreamDecoder(loaded_arm.tokenizer)
    # Whoever has its turn between two events must know that this model is in use.
    with pool.in_use(loaded_arm):
        yield {
            "event": "begin",
            "prompt_tokens": len(answer.prompt_ids),
            "notes": loaded_arm.notes,
            # What is really spoken with, so that a pane need not believe its own question.
            "adapter": str(adapter) if adapter else None,
        }
        while not answers.done:
            if cancelled():
                answers.cancel()
                break
            answers.step()
            piece = "" if answer.finish == "stop" else pieces.feed(answer.output_ids[-1])
            yield {"event": "text", "text": piece} if piece else None
        arm = format_arm(loaded_arm.arm)
        yield answer_event(answers.sample(0, prompt_id, messages, arm, tools))


def stream_endpoint(call: Endpoint, prompt_id: str, cancelled: Cancelled) -> Iterator[Event]:
    """As `stream_answer`, of an endpoint that has been asked."""
    yield {"event": "begin", "prompt_tokens": None, "notes": (), "adapter": None}
    while call.finish is None:
        if cancelled():
            call.cancel()
        else:
            piece = call.more()
            yield {"event": "text", "text": piece} if piece else WAITING
    yield answer_event(call.sample(prompt_id))


def answer_event(sample: Sample) -> Event:
    """The event that tells of a whole answer."""
    measured = asdict(answer_length.measure(sample))
    return {"event": "answer", "sample": to_table(sample), "behaviour": measured}
