"""The training job: recipe in; checkpoints, curves, and an adapter or a model out.

Set up (`training.setup`), train, save. What is trained by is in `training.trainer` and
`training.dpo`, what is measured meanwhile in the evaluators beside them.
"""

import shutil
from contextlib import closing
from pathlib import Path

from transformers import PrinterCallback
from transformers.trainer_utils import align_special_tokens

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.jobs.directory import step_of
from engine.worker.attempt import Attempt, Stopped
from engine.worker.model.saving import drop_unreadable_pad, save_template
from engine.worker.model.tokenizer_files import share_large_files
from engine.worker.training import checkpoints, eval_samples
from engine.worker.training.callback import TrainingCallback
from engine.worker.training.eval_history import History
from engine.worker.training.evaluator import Evaluator
from engine.worker.training.event_writer import EventWriter
from engine.worker.training.setup import TrainingSetup, load_model, prepare_setup
from engine.worker.training.skills import skill_evaluator
from engine.worker.training.time_left import TimeLeft
from engine.worker.training.trainer import MeasuredTrainer, token_trainer

BYTES_OF_TRAINED = 12
"""A checkpoint's bytes of a parameter that is learned: itself and AdamW's two moments."""


def run(attempt: Attempt) -> str:
    """Train to the end of the recipe, or raise Stopped after saving. Raises EngineError."""
    setup = load_model(prepare_setup(attempt))
    callback = _restore_callback(setup)
    with closing(_open_curves(setup)) as curves:
        trainer = _make_trainer(setup, curves, callback)
        _train(setup, trainer, callback)
        return _save(setup, trainer, callback)


def _restore_callback(setup: TrainingSetup) -> TrainingCallback:
    """The callback, with the evaluations of the checkpoint that is resumed, and of no step more."""
    history = History.read(setup.resumed) if setup.resumed else History()
    for path in (setup.attempt.directory.samples, setup.attempt.directory.skills):
        eval_samples.rewind(path, history.last)
    return TrainingCallback(setup.attempt, setup.recipe, history, _time_left(setup))


def _time_left(setup: TrainingSetup) -> TimeLeft:
    """What is known of evaluations and saves before the first: of an earlier attempt, or sizes."""
    evaluation, saving = setup.attempt.costs
    tokens = sum(len(row.input_ids) for row in setup.data.eval)
    tokens += setup.monitor.probe.predicted if setup.monitor is not None else 0
    trained = sum(weight.numel() for weight in setup.model.parameters() if weight.requires_grad)
    return TimeLeft(
        evaluation=evaluation, saving=saving, evaluation_tokens=tokens,
        save_bytes=BYTES_OF_TRAINED * trained,
    )  # fmt: skip


def _open_curves(setup: TrainingSetup) -> EventWriter:
    first_step = step_of(setup.resumed) + 1 if setup.resumed else 0
    return EventWriter(setup.attempt.directory.events, setup.attempt.number, first_step)


def _make_trainer(
    setup: TrainingSetup, curves: EventWriter, callback: TrainingCallback
) -> MeasuredTrainer:
    """The trainer of the recipe's objective, with its evaluators, at the resumed checkpoint."""
    trainer, held_out = _trainer_of_objective(setup, curves, callback)
    # The Trainer prints its logs to the screen that a worker does not have.
    trainer.remove_callback(PrinterCallback)
    skills = skill_evaluator(setup, callback.history)
    if skills is not None:
        callback.watch_skills(skills.log)
    evaluators = (held_out, setup.monitor, skills, eval_samples.sample_evaluator(setup))
    trainer.evaluators = [evaluator for evaluator in evaluators if evaluator is not None]
    if setup.resumed:
        setup.attempt.log(f"resuming from {setup.resumed.name}")
        trainer.load(setup.resumed)
    return trainer


def _trainer_of_objective(
    setup: TrainingSetup, curves: EventWriter, callback: TrainingCallback
) -> tuple[MeasuredTrainer, Evaluator]:
    if setup.recipe.training.objective == "dpo":
        from engine.worker.training.dpo import preference_trainer  # needs the package trl

        return preference_trainer(setup, curves, callback)
    return token_trainer(setup, curves, callback)


def _train(setup: TrainingSetup, trainer: MeasuredTrainer, callback: TrainingCallback) -> None:
    """Train, or go on with it, to the last step. Raises Stopped after saving, EngineError."""
    resumed = setup.resumed
    if resumed is None or callback.history.pending:
        setup.attempt.update(message="evaluating")
        trainer.measure()
    # At its last step the Trainer would make one more where that is not an epoch's last.
    at_end = resumed is not None and step_of(resumed) == trainer.total_steps
    if resumed is not None and (at_end or callback.ended):
        setup.attempt.log(f"nothing left to train after step {step_of(resumed)}")
        # As `train` does at its start: what is saved beside the weights names the same tokens.
        align_special_tokens(trainer.model, trainer.processing_class)  # type: ignore[no-untyped-call]
        callback.report_at(resumed, trainer.args)
    elif not callback.ended:
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if callback.stopped:
        raise Stopped


def _save(setup: TrainingSetup, trainer: MeasuredTrainer, callback: TrainingCallback) -> str:
    """Save the result that the recipe chooses; returns what the user should know of it."""
    setup.attempt.update(message="saving")
    with callback.saving():
        sentences = [_choose_weights(setup.attempt, trainer, callback)]
        _save_result(setup)
    # Where it ended at its budget that sentence says so already.
    sentences += callback.alarms[: -1 if callback.ended == "budget" else None]
    if setup.monitor is not None:
        setup.monitor.remove_reference()
    if setup.data.rejects:
        sentences.append(f"{len(setup.data.rejects)} rows rejected")
    return "; ".join(filter(None, sentences))


def _choose_weights(attempt: Attempt, trainer: MeasuredTrainer, callback: TrainingCallback) -> str:
    """Load the weights that the recipe chooses; a sentence on it, empty for the last ones."""
    step, sentence = callback.choose_result()
    if sentence:
        attempt.log(sentence)
    for line in callback.describe_result(step):
        attempt.log(line)
    if step is None or step == trainer.state.global_step:
        return sentence
    chosen = attempt.directory.checkpoints / f"checkpoint-{step}"
    if not checkpoints.verifies(chosen):
        warning = f"{chosen.name} cannot be read: the last weights are kept"
        attempt.log(warning)
        return warning
    trainer.load(chosen)
    return sentence


def _save_result(setup: TrainingSetup) -> None:
    """Save what was learned, in Hugging Face's layout, whole or not at all."""
    attempt, model = setup.attempt, setup.model
    is_lora = setup.recipe.method.kind == "lora"
    final: Path = attempt.directory.adapter if is_lora else attempt.directory.model
    aside = final.with_name(f".{final.name}")
    shutil.rmtree(aside, ignore_errors=True)
    drop_unreadable_pad(model)
    if not is_lora:
        model.config.use_cache = True
    model.save_pretrained(str(aside))
    save_template(aside, setup.template, setup.tokenizer, model)
    share_large_files(aside, checkpoints.with_tokenizer(attempt.directory))
    shutil.rmtree(final, ignore_errors=True)  # of an earlier attempt that went less far
    atomic.publish_directory(aside, final)
    attempt.log(f"saved {final.name}/")
