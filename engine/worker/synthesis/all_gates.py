"""The gates of a job, light and heavy ones together: for the job, and for edits in a review."""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import Gate, GateName, HeldOutText, standing_candidates
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.gates.light_gates import gates_on, light_gates
from engine.synthesis.outcomes import Outcome
from engine.synthesis.reviews import Review
from engine.synthesis.source_rows import SourceRow
from engine.worker.synthesis.judge_gate import AskJudge, JudgeCheck
from engine.worker.synthesis.language import LanguageCheck
from engine.worker.synthesis.near_duplicates import NearDuplicates

_ORDER = get_args(GateName)


def make_gates(
    recipe: SynthesizeRecipe,
    held_out: Sequence[HeldOutText] = (),
    ask_judge: AskJudge | None = None,
) -> GateSet:
    """The gates that a recipe sets, with nothing to compare with yet.

    `ask_judge`: None leaves the judge out, as of edits that nobody wants to wait for. Raises
    EngineError for a language that is not known.
    """
    limits = recipe.gates
    on = gates_on(recipe, held_out)
    gates = light_gates(recipe, held_out)
    if "language" in on:
        gates.append(Gate("language", LanguageCheck(limits.language).check))
    if "near duplicate" in on:
        rows = NearDuplicates(limits.near_duplicates, held_out)
        gates.append(Gate("near duplicate", rows.check, rows))
    last = []
    if "judge" in on and ask_judge:
        last.append(Gate("judge", JudgeCheck(limits.judge_question, ask_judge).check))
    return GateSet(sorted(gates, key=lambda gate: _ORDER.index(gate.name)), last)


def rebuild_gates(
    recipe: SynthesizeRecipe,
    sources: Mapping[str, SourceRow],
    outcomes: Iterable[Outcome],
    reviews: Mapping[str, Review] | None = None,
    held_out: Sequence[HeldOutText] = (),
    ask_judge: AskJudge | None = None,
) -> GateSet:
    """The gates with all rows that stand: for a job that is resumed; with `reviews` for edits, each
    of which is then checked against all accepted rows but its own.

    Takes some milliseconds a row, so a reader that checks many edits keeps them, and adds to them
    what is accepted. Raises EngineError as `make_gates`.
    """
    gates = make_gates(recipe, held_out, ask_judge)
    gates.add_all(standing_candidates(recipe, sources, outcomes, reviews))
    return gates
