"""The `generate` job: the answers of all arms to all prompts, in `samples.jsonl`.

Arms that share a base are answered on one model, prompt by prompt in batches; endpoints come last.
What the file holds already is not made again, so a job that was stopped, killed, or lost an
endpoint goes on where it was. A job of endpoints alone imports no library of models.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine.chat import Tools
from engine.compare import endpoint_keys
from engine.compare import prompts as prompt_files
from engine.compare import samples as sample_files
from engine.compare.arm_tools import offered_tools, read_arm_tools
from engine.compare.arm_weights import ArmWeights, locate
from engine.compare.arms import Arm, format_arm, parse_arms
from engine.compare.items import Item, describe
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.jobs.store import open_store
from engine.recipes.recipe import GenerateRecipe
from engine.recipes.settings import Decode
from engine.worker.attempt import Attempt, Stopped
from engine.worker.inference.endpoint_batch import PAUSE, EndpointBatch, combine
from engine.worker.inference.endpoint_replies import EndpointGone

if TYPE_CHECKING:
    from engine.worker.inference.model_batch import ModelBatch
    from engine.worker.inference.models import ModelCache


def run(attempt: Attempt) -> str:
    """Generate all that is missing. Raises EngineError before it starts where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, GenerateRecipe)
    if not recipe.arms:
        raise EngineError("No arms.", hint="Use at least one --arm.")
    arms = parse_arms(recipe.arms)
    endpoint_keys.check(arms, attempt.directory.path.name)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    prompts = prompt_files.load(recipe.prompts, runs)
    return answer_prompts(attempt, arms, prompts, recipe.decode, recipe.device, runs)


def answer_prompts(
    attempt: Attempt,
    arms: Sequence[Arm],
    prompts: Sequence[Item],
    usual: Decode,
    device: str,
    runs: Sequence[Path],
) -> str:
    """The answers that are missing, written as they are done; how many there are then, in words.

    `usual` is how arms decode without settings of their own; `runs` are those that `run:ID` may
    mean. Keys must have been checked. Raises Stopped, EngineError.
    """
    notes = describe(prompts)
    for note in notes:
        attempt.log(note)
    for use in endpoint_keys.uses_of(arms):
        if use.warning:
            attempt.log(use.warning)
    weights = {arm: locate(arm, runs) for arm in arms if not arm.is_endpoint}
    models = _open_models(attempt, device) if weights else None

    known = {sample.key for sample in sample_files.read(attempt.directory.samples)}
    total = len(arms) * len(prompts)
    done = 0
    refused: list[dict[str, str]] = []
    gone: list[EndpointGone] = []
    attempt.directory.rejects.unlink(missing_ok=True)  # of an attempt before this one
    # By base: one that is not needed any more makes room for the next.
    for arm in sorted(arms, key=lambda arm: (arm.is_endpoint, _base(arm, weights))):
        decode = arm.decoding(usual)
        tools = read_arm_tools(arm)
        missing = [prompt for prompt in prompts if _key(arm, prompt, decode, tools) not in known]
        done += len(prompts) - len(missing)
        batch: EndpointBatch | ModelBatch | None = None  # lets go of its model
        if not missing:
            continue
        if models is None or arm.is_endpoint:
            batch = EndpointBatch(arm, missing, decode, tools)
        else:
            attempt.progress(done, total, message=f"{arm.name}: loading")
            answered = {prompt.id for prompt in prompts} - {prompt.id for prompt in missing}
            batch = _open_batch(
                attempt, models, arm, weights[arm], prompts, decode, tools, answered
            )
        attempt.progress(done, total, message=arm.name)
        try:
            for made in _finished_samples(attempt, batch):
                sample_files.append(attempt.directory.samples, made)
                done += len(made)
                attempt.progress(done, total, message=arm.name)
        except EndpointGone as error:
            attempt.log(f"{arm.name}: {error.line}")
            gone.append(error)
        refused += _log_refusals(attempt, arm, batch)
    if refused:
        attempt.reject(refused, "answers left out")
    if gone:
        raise _explain(combine(gone), total - done, attempt.directory.path.name)
    left = f", {len(refused)} left out (see the log)" if refused else ""
    return "; ".join([f"{total - len(refused)} answers{left}", *notes])


def _open_models(attempt: Attempt, device: str) -> "ModelCache":
    """The models of this job, one at a time; the first of the heavy libraries is loaded here."""
    from engine.worker.inference.models import ModelCache
    from engine.worker.model.loading import pick_device

    return ModelCache(pick_device(attempt.device.kind if attempt.device else device), budget=0)


def _open_batch(
    attempt: Attempt,
    models: "ModelCache",
    arm: Arm,
    weights: ArmWeights,
    prompts: Sequence[Item],
    decode: Decode,
    tools: Tools,
    answered: set[str],
) -> "ModelBatch":
    """The arm loaded, with the prompts that it is to answer."""
    from engine.worker.inference.model_batch import ROWS, ModelBatch

    loaded_arm = models.load_arm(arm, weights, attempt.log)
    assert loaded_arm is not None, "no other arm speaks"
    for note in loaded_arm.notes:
        attempt.log(note)
    return ModelBatch(arm, loaded_arm, prompts, decode, ROWS, tools, answered)


def _base(arm: Arm, weights: Mapping[Arm, ArmWeights]) -> str:
    return str(weights[arm].base) if arm in weights else ""


def _explain(error: EngineError, missing: int, run: str) -> EngineError:
    """Why endpoints ended the job, with what that left out."""
    answers = f"{missing} answer{'s' if missing != 1 else ''} missing"
    hint = f"{error.hint} finetop resume {run} asks for them again."
    return EngineError(error.title, f"{error.detail}\n{answers}", hint)


def _log_refusals(
    attempt: Attempt, arm: Arm, batch: "EndpointBatch | ModelBatch"
) -> list[dict[str, str]]:
    """The prompts that an arm left out, each with its reason, which the log has too."""
    rows = []
    for name, error in batch.refused.items():
        reason = error.line
        attempt.log(f"{arm.name}: {name} left out: {reason}")
        rows.append({"arm": format_arm(arm), "prompt_id": name, "reason": reason})
    return rows


def _key(arm: Arm, prompt: Item, decode: Decode, tools: Tools) -> tuple[object, ...]:
    offered = offered_tools(prompt, tools)
    return sample_files.sample_key(format_arm(arm), prompt.id, prompt.messages, decode, offered)


def _finished_samples(
    attempt: Attempt, batch: "EndpointBatch | ModelBatch"
) -> Iterator[list[Sample]]:
    """Samples as they are done. Raises Stopped between two tokens: unended answers are not kept."""
    while not batch.done:
        if attempt.stop_requested():
            if isinstance(batch, EndpointBatch):
                batch.cancel()
            raise Stopped
        made = batch.step()
        if made:
            yield made
        elif isinstance(batch, EndpointBatch):
            time.sleep(PAUSE)
