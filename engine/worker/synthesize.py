"""The `synthesize` job: rows to train on, made of raw texts by one arm, with the reason of each
that could not be made or is held back.

Sources are read once and pinned in `sources.jsonl`; answers stand in `samples.jsonl`, good and bad;
a line of `outcomes.jsonl` says what became of a source. All three only grow, so that the job goes
on where it was, however it ended. One of endpoints alone imports no library of models.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.compare import endpoint_hosts, endpoint_keys
from engine.compare.arms import answering_arms, parse_arm
from engine.data.dataset_list import find_path
from engine.jobs.store import open_store
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.settings import Decode
from engine.safe_open import read_lines
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.outcomes import Outcome, read_outcomes
from engine.synthesis.pair_lengths import PairLengths, PairOfTexts, measure_lengths
from engine.synthesis.questions import CHOSEN, REJECTED
from engine.synthesis.remaining import RemainingSource, find_remaining
from engine.synthesis.repairs import ProposeRepair
from engine.synthesis.reviews import read_reviews
from engine.synthesis.row_modes import RowMode, find_mode
from engine.synthesis.source_reader import read_source
from engine.synthesis.source_rows import SourceRow, read_sources, write_sources
from engine.synthesis.tally import measure_progress, read_tally
from engine.synthesis.vote_pairs import find_voted_job, make_vote_sources, read_voted_pairs
from engine.worker.attempt import Attempt
from engine.worker.data.arrow import read_raw
from engine.worker.synthesis.answer_log import AnswerLog
from engine.worker.synthesis.final_rows import measure_made_rows, write_final_rows
from engine.worker.synthesis.generators import ModelShelf, open_generator, open_judge
from engine.worker.synthesis.row_job import RowJob
from engine.worker.synthesis.row_judging import JudgeArm, RowJudging
from engine.worker.synthesis.source_work import SourceWork
from engine.worker.synthesis.vote_job import decide_votes

if TYPE_CHECKING:
    from engine.worker.synthesis.judge_gate import AskJudge

_JUDGE_TOKENS = 512
"""Of its answer, which is one word; one that reasons first needs more."""
NO_REPAIRS = "json-repair is not installed: answers that are not quite JSON are asked for again"


def run(attempt: Attempt) -> str:
    """Make the rows that are missing. Raises EngineError before it asks where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, SynthesizeRecipe)
    directory = attempt.directory
    arms = [parse_arm(text) for text in answering_arms(recipe)]
    endpoint_keys.check(arms, directory.path.name)
    endpoint_hosts.check(arms, directory.path.name)
    runs = [job.path for job in open_store(directory.path.parent).jobs()]
    sources = _pin_sources(attempt, recipe, runs)
    before = read_outcomes(directory.outcomes)
    remaining = find_remaining(sources, before, read_reviews(directory.reviews))
    notes: dict[str, None] = {}
    reached = ""
    outcomes = {
        name: outcome
        for name, outcome in before.items()
        if name not in {one.source.id for one in remaining}
    }
    if remaining:
        log = AnswerLog(directory.samples)
        models = ModelShelf(attempt, recipe.device, runs)
        gates = _open_gates(attempt, recipe, models, log, runs, sources, outcomes)
        judging = RowJudging(recipe, gates)
        try:
            if recipe.mode == "votes":
                decide_votes(attempt, remaining, judging, outcomes)
            else:
                making = _Making(attempt, recipe, sources, models, log, judging)
                reached = making.run(remaining, outcomes, notes)
        finally:
            for note in notes:
                attempt.log(note)
            _reject(attempt, outcomes)
    lengths = _measure_pairs(recipe, sources, outcomes)
    return _summarise(attempt, recipe, reached, list(notes), runs, lengths)


@dataclasses.dataclass(frozen=True, slots=True)
class _Making:
    """What is needed to have rows written."""

    attempt: Attempt
    recipe: SynthesizeRecipe
    sources: Sequence[SourceRow]
    models: ModelShelf
    log: AnswerLog
    judging: RowJudging

    def run(
        self,
        remaining: Sequence[RemainingSource],
        outcomes: dict[str, Outcome],
        notes: dict[str, None],
    ) -> str:
        """Ask about the sources that remain, and add their outcomes and what is to be noted; the
        budget that ended it. Raises Stopped, EngineError and OSError."""
        recipe, log, mode = self.recipe, self.log, find_mode(self.recipe.mode)
        columns = dict.fromkeys(name for one in self.sources for name in one.columns)
        schema = mode.make_schema(recipe, tuple(columns))
        propose = _find_repairs(mode, notes)
        generator = open_generator(self.models, recipe, schema, mode)
        total = len(self.sources)
        job = RowJob(self.attempt, recipe, generator, log, self.judging, outcomes, total)

        def begin(one: RemainingSource) -> SourceWork:
            return SourceWork(recipe, schema, mode, one, generator, log, propose)

        try:
            job.run(remaining, begin)
        finally:
            notes |= generator.notes
        return job.reached


def _pin_sources(
    attempt: Attempt, recipe: SynthesizeRecipe, runs: Sequence[Path]
) -> list[SourceRow]:
    """The sources as they were read by the first attempt; of votes what was voted on by then."""
    directory = attempt.directory
    sources = read_sources(directory.sources)
    if not sources and recipe.mode == "votes":
        attempt.progress(0, 0, message="reading the votes")
        voted = find_voted_job(recipe, directory.path.parent)
        sources = make_vote_sources(voted, read_voted_pairs(voted, recipe.pairs.rubric))
        write_sources(directory.sources, sources)
    elif not sources:
        attempt.progress(0, 0, message="reading the source")
        found = read_source(find_path(recipe.source.data, runs), recipe.source, read_raw)
        if found.faults:
            attempt.reject(
                [
                    {"file": one.file, "line": one.line, "reason": one.reason, "text": one.text}
                    for one in found.faults
                ],
                "rows of the source cannot be used",
            )
        write_sources(directory.sources, found.rows)
        sources = found.rows
    return sources


def _find_repairs(mode: RowMode, notes: dict[str, None]) -> ProposeRepair | None:
    """What repairs JSON; None where nothing is read as JSON, or the library is not there."""
    if not mode.one_object:
        return None
    try:
        from engine.worker.synthesis.answer_repair import propose_repair
    except ImportError:
        notes[NO_REPAIRS] = None
        return None
    return propose_repair


def _open_gates(
    attempt: Attempt,
    recipe: SynthesizeRecipe,
    models: ModelShelf,
    log: AnswerLog,
    runs: Sequence[Path],
    sources: Sequence[SourceRow],
    outcomes: Mapping[str, Outcome],
) -> GateSet:
    """The gates of the recipe, with the rows that stand. Raises EngineError."""
    from engine.worker.synthesis.all_gates import rebuild_gates
    from engine.worker.synthesis.held_out import read_held_out

    if recipe.source.held_out:
        attempt.progress(0, 0, message="reading the evaluation side")
    held_out = read_held_out(recipe.source.held_out, runs, attempt.log)
    ask_judge: AskJudge | None = None
    if recipe.gates.judge:
        arm, decode = parse_arm(recipe.gates.judge), Decode(max_new_tokens=_JUDGE_TOKENS)
        judge = open_judge(models, arm, decode)
        ask_judge = JudgeArm(attempt, judge, log).ask
    by_id = {one.id: one for one in sources}
    return rebuild_gates(recipe, by_id, outcomes.values(), None, held_out, ask_judge)


def _reject(attempt: Attempt, outcomes: Mapping[str, Outcome]) -> None:
    """Write the rows of the source that could not be used, and the sources that were set aside."""
    rows = [table for table in _read_rejects(attempt.directory.rejects) if "line" in table]
    rows += [
        {"source": one.source, "reason": "; ".join(reason.name for reason in one.reasons)}
        for one in outcomes.values()
        if one.state == "set aside"
    ]
    if rows:
        attempt.reject(rows, "rows could not be made")
    else:
        attempt.directory.rejects.unlink(missing_ok=True)
        attempt.update(rejected=0)


def _read_rejects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_lines(path, "The rejects") if line.strip()]


def _summarise(
    attempt: Attempt,
    recipe: SynthesizeRecipe,
    reached: str,
    notes: Sequence[str],
    runs: Sequence[Path],
    lengths: PairLengths | None,
) -> str:
    """Write what came of it, the rows as well where nobody is to review them, and say it in a
    line. Raises OSError."""
    tally = read_tally(attempt.directory, recipe)
    now = measure_progress(tally, attempt.running_seconds, recipe.budget)
    left = tally.sources - tally.finished
    table = tally.to_table() | {
        "progress": dataclasses.asdict(now), "left": left, "reached": reached,
        "notes": list(notes), "pairs": lengths.to_table() if lengths else None,
    }  # fmt: skip
    final = write_final_rows(attempt.directory, recipe, runs)
    table["written"] = final.digest
    if final.note:
        attempt.log(final.note)
        notes = [*notes, final.note]
    if final.statistics is not None:
        table["rows"] = final.statistics.to_table()
    elif tally.passed.count:
        table["rows"] = measure_made_rows(attempt.directory, recipe)
    atomic.write_json(attempt.directory.results, table)
    words = ", ".join(f"{count:,} {state}" for state, count in tally.states.items() if count)
    parts = [f"{words or 'no rows made'} of {tally.sources:,} sources"]
    if left:
        why = f"budget of {reached} reached: " if reached else ""
        parts.append(f"{why}{left:,} left")
    parts += [lengths.words] if lengths else []
    return "; ".join([*parts, *notes])


def _measure_pairs(
    recipe: SynthesizeRecipe, sources: Sequence[SourceRow], outcomes: Mapping[str, Outcome]
) -> PairLengths | None:
    """The lengths of the pairs that passed; None of other rows."""
    if recipe.mode not in ("pairs", "votes"):
        return None
    groups = {one.id: one.group for one in sources}
    return measure_lengths(
        [
            PairOfTexts(str(one.row[CHOSEN]), str(one.row[REJECTED]), groups[one.source])
            for one in outcomes.values()
            if one.state == "passed"
        ]
    )
