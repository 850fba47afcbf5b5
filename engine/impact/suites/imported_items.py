"""What a sample of another harness says of its item: what was asked, choices, right answers, and
which choice was likeliest.

Whatever is not as that program writes it is left out: scores need none of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.impact.results.evaluation_results import SuiteItem

_QUESTIONS = (
    "question",
    "query",
    "prompt",
    "problem",
    "goal",
    "ctx",
    "sentence",
    "premise",
    "text",
)
"""Fields of a document that say what is asked, the first that is there."""
_LONGEST = 4000
"""Characters of a prompt; of a longer one the end, where the question stands."""


def read_lm_eval_item(line: Mapping[str, Any]) -> SuiteItem:
    """The item of a line that `--log_samples` wrote."""
    document = line.get("doc")
    named = document if isinstance(document, Mapping) else {}
    prompts = [prompt for prompt, _ in _pairs(line)]
    asked = next((named[key] for key in _QUESTIONS if isinstance(named.get(key), str)), None)
    choices = _choices(line)
    target = line.get("target")
    text = target if isinstance(target, str) else str(target) if isinstance(target, int) else ""
    if choices:
        text = choices[int(text)] if text.isdecimal() and int(text) < len(choices) else text
    prompt = asked or (prompts[0] if prompts else "")
    return SuiteItem(prompt[-_LONGEST:], (text,) if text else (), choices)


def find_likeliest(line: Mapping[str, Any]) -> str | None:
    """The likeliest choice of a line; None where its answers are no likelihoods of choices."""
    choices, answers = _choices(line), line.get("filtered_resps")
    if not choices or not isinstance(answers, list) or len(answers) != len(choices):
        return None
    try:
        sums = [float(answer[0]) for answer in answers]
    except (TypeError, ValueError, IndexError):
        return None
    return choices[sums.index(max(sums))] if all(one == one for one in sums) else ""


def read_inspect_item(sample: Mapping[str, Any]) -> SuiteItem:
    """The item of a sample of inspect_ai's log."""
    asked = sample.get("input")
    if isinstance(asked, list):
        contents = [one.get("content") for one in asked if isinstance(one, Mapping)]
        asked = next((one for one in reversed(contents) if isinstance(one, str)), "")
    target = sample.get("target")
    choices = _texts(sample.get("choices"))
    golds = tuple(_name_letter(gold, choices) for gold in _texts(target if isinstance(target, list)
                                                                 else [target]))  # fmt: skip
    prompt = asked if isinstance(asked, str) else ""
    return SuiteItem(prompt[-_LONGEST:], golds, choices)


def _pairs(line: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Prompt and continuation of each request; older files have lists."""
    arguments = line.get("arguments")
    if isinstance(arguments, Mapping):
        values: Iterable[Any] = arguments.values()
    else:
        values = arguments if isinstance(arguments, list) else ()
    pairs = []
    for one in values:
        parts = list(one.values()) if isinstance(one, Mapping) else one
        if isinstance(parts, list) and parts and isinstance(parts[0], str):
            pairs.append((parts[0], parts[1] if len(parts) > 1 else None))
    return pairs


def _choices(line: Mapping[str, Any]) -> tuple[str, ...]:
    """The continuations of one prompt, where there are several."""
    pairs = _pairs(line)
    texts = [after.strip() for _, after in pairs if isinstance(after, str)]
    is_one = len({before for before, _ in pairs}) == 1
    return tuple(texts) if is_one and len(texts) == len(pairs) > 1 else ()


def _texts(values: object) -> tuple[str, ...]:
    return tuple(one for one in values if isinstance(one, str)) if isinstance(values, list) else ()


def _name_letter(gold: str, choices: Sequence[str]) -> str:
    """The choice that inspect_ai's multiple choice names by a letter."""
    at = ord(gold) - ord("A") if len(gold) == 1 else -1
    return choices[at] if 0 <= at < len(choices) and gold not in choices else gold
