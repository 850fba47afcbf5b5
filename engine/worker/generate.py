"""The `generate` job: the answers of all arms to all prompts, in `samples.jsonl`.

Arms that share a base are answered on one model, prompt by prompt in batches. What the file holds
already is not made again, so a job that was stopped or killed goes on where it was.
"""

from collections.abc import Sequence

from engine.compare import prompts as prompt_files
from engine.compare import samples as sample_files
from engine.compare.arms import Arm, format_arm, parse_arms
from engine.compare.prompts import Prompt
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.jobs.recipe import GenerateRecipe
from engine.jobs.settings import Decode as Decoding
from engine.jobs.store import open_store
from engine.worker.answering.answers import Answers
from engine.worker.answering.bases import Bases, Voice
from engine.worker.attempt import Attempt, Stopped
from engine.worker.model.models import pick_device
from engine.worker.model.places import locate

__all__ = ["Answers", "Decoding", "run"]

ROWS = 16
"""Prompts answered side by side."""


def run(attempt: Attempt) -> str:
    """Generate all that is missing. Raises EngineError before it starts where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, GenerateRecipe)
    if not recipe.arms:
        raise EngineError("There is no arm to answer.", hint="Give at least one --arm.")
    arms = parse_arms(recipe.arms)
    prompts = prompt_files.load(recipe.prompts)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    places = {arm: locate(arm, runs) for arm in arms}
    bases = Bases(pick_device(attempt.device.kind if attempt.device else recipe.device))

    have = {sample.key for sample in sample_files.read(attempt.directory.samples)}
    total = len(arms) * len(prompts)
    done = 0
    # By base: one that is not needed any more makes room for the next.
    for arm in sorted(arms, key=lambda arm: str(places[arm].base)):
        missing = [prompt for prompt in prompts if _key(arm, prompt, recipe.decode) not in have]
        done += len(prompts) - len(missing)
        attempt.progress(done, total, message=f"{arm.name}: loading")
        voice = bases.voice(arm, places[arm], attempt.log)
        assert voice is not None, "without a budget there is always room"
        for note in voice.notes:
            attempt.log(note)
        for batch in _batches(voice, missing):
            made = _answer(attempt, voice, arm, batch, recipe.decode)
            sample_files.append(attempt.directory.samples, made)
            done += len(made)
            attempt.progress(done, total, message=arm.name)
    return f"{total} answers"


def _key(arm: Arm, prompt: Prompt, decode: Decoding) -> tuple[object, ...]:
    return (format_arm(arm), prompt.id, prompt.messages, decode)


def _batches(voice: Voice, prompts: Sequence[Prompt]) -> list[list[tuple[Prompt, list[int]]]]:
    """Prompts with their ids, of like length together: padding costs time."""
    coded = sorted(
        ((prompt, voice.prompt(prompt.messages)) for prompt in prompts),
        key=lambda pair: len(pair[1]),
    )
    return [coded[start : start + ROWS] for start in range(0, len(coded), ROWS)]


def _answer(
    attempt: Attempt,
    voice: Voice,
    arm: Arm,
    batch: Sequence[tuple[Prompt, list[int]]],
    decode: Decoding,
) -> list[Sample]:
    """The samples of one batch. Raises Stopped between two tokens; nothing of the batch is kept."""
    answers = Answers(voice, [ids for _, ids in batch], decode)
    while not answers.done:
        if attempt.stop_requested():
            raise Stopped
        answers.step()
    return [
        answers.sample(at, prompt.id, prompt.messages, format_arm(arm))
        for at, (prompt, _) in enumerate(batch)
    ]
