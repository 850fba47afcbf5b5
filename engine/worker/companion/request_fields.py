"""What requests to the companion hold, checked: every wrong part is an EngineError in words."""

from typing import Any

from engine.chat import Message, Tools, message_from_json
from engine.compare import arm_tools, samples
from engine.compare import arms as arm_grammar
from engine.compare.arms import STRONGEST, Arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes import validation
from engine.recipes.settings import Decode
from engine.worker.companion.protocol import Request

MOST_ARMS = 8


def parse_arm(request: Request, field: str = "arm") -> Arm:
    """One arm, written in the grammar."""
    return arm_grammar.parse_arm(parse_text(request, field))


def parse_arms(request: Request) -> list[Arm]:
    """The arms of a comparison, each with a name of its own."""
    arms = request.get("arms")
    if not isinstance(arms, list) or not all(isinstance(one, str) for one in arms):
        raise EngineError("The request needs arms, a list of strings.", repr(arms))
    if not 1 <= len(arms) <= MOST_ARMS:
        raise EngineError(f"Compare 1 to {MOST_ARMS} arms.", f"{len(arms)} were given")
    return arm_grammar.parse_arms(arms)


def parse_messages(request: Request) -> list[Message]:
    """The conversation: `messages`, or `text` as what the user says."""
    if "messages" not in request:
        return [Message("user", parse_text(request, "text"))]
    return parse_conversation(request["messages"])


def parse_tools(request: Request, arm: Arm) -> Tools:
    """The prompt's own `tools`, else the arm's."""
    return _own_tools(request) or arm_tools.read_arm_tools(arm)


def _own_tools(request: Request) -> Tools:
    if not request.get("tools"):
        return ()
    try:
        return arm_tools.parse_tools(request["tools"])
    except ValueError as error:
        raise EngineError("The request needs tools, a list of definitions.", str(error)) from error


def parse_prompts(request: Request) -> list[Item]:
    """Prompts with ids of their own, each a conversation."""
    rows = request.get("prompts")
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise EngineError("The request needs prompts, a list of objects.", repr(rows)[:200])
    prompts = [
        Item(
            parse_text(one, "id", str(at)),
            tuple(parse_messages(one)),
            tools=_own_tools(one),
        )
        for at, one in enumerate(rows, 1)
    ]
    if len({one.id for one in prompts}) < len(prompts):
        raise EngineError("Two prompts have the same id.")
    return prompts


def parse_conversation(turns: object) -> list[Message]:
    """Messages as JSON."""
    if not turns or not isinstance(turns, list):
        raise EngineError("A conversation is a list of messages with role and content.", str(turns))
    try:
        return [message_from_json(one) for one in turns]
    except ValueError as error:
        raise EngineError(
            "A conversation is a list of messages with role and content.", str(error)
        ) from error


def parse_decode(request: Request) -> Decode:
    """The decode settings, all of which may be left out."""
    settings = request.get("decoding", {})
    if not isinstance(settings, dict):
        raise EngineError("The decode settings are not a JSON object.", str(settings))
    wrong = validation.errors(Decode, settings)
    if wrong:
        raise EngineError(
            "Invalid decode setting.",
            "\n".join(f"{name}: {reason}" for name, reason in wrong.items()),
        )
    return validation.build(Decode, settings)


def parse_strengths(request: Request) -> list[float]:
    """Strengths from 0 to 1.5, each once, in the order given."""
    strengths = request.get("strengths", [0.0, 0.25, 0.5, 0.75, 1.0])
    right = isinstance(strengths, list) and all(
        isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= STRONGEST
        for one in strengths
    )
    if not right or not 1 <= len(strengths) <= MOST_ARMS:
        raise EngineError(
            f"The request needs strengths, 1 to {MOST_ARMS} numbers from 0 to {STRONGEST}.",
            repr(strengths),
        )
    return list(dict.fromkeys(float(one) for one in strengths))


def parse_sample(request: Request) -> Sample:
    """A sample, as `done` of an answer gave it."""
    table = request.get("sample")
    if not isinstance(table, dict):
        raise EngineError("The request needs sample, an answer with its token ids.", repr(table))
    try:
        return samples.from_table(table)
    except ValueError as error:
        raise EngineError("This is not a sample.", str(error)) from error


def parse_token_ids(request: Request, field: str) -> list[int]:
    """Whole numbers from 0."""
    ids = request.get(field)
    if not isinstance(ids, list) or not all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in ids
    ):
        raise EngineError(f"The request needs {field}, a list of token ids.", repr(ids)[:200])
    return ids


def parse_text(request: Request, field: str, default: str | None = None) -> str:
    """A text; `default` where it is left out."""
    value: Any = request.get(field, default)
    if not isinstance(value, str):
        raise EngineError(f"The request needs {field}, a string.", repr(value))
    return value


def parse_number(request: Request, field: str, default: int, least: int = 1) -> int:
    """A whole number of at least `least`."""
    value = request.get(field, default)
    if not isinstance(value, int) or value < least:
        raise EngineError(f"The request needs {field}, an integer.", repr(value))
    return value
