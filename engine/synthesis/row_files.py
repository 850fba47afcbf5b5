"""The files that a job that makes data ends in: rows, their provenance and their card.

`NAME.jsonl` or `NAME.parquet`, `NAME.provenance.jsonl` and `NAME.md`, each whole or absent, the
rows last: where they are there, so is all of it. Nothing that is there is lost unasked; a file that
says the same already is left, so that a job that was killed between two of them can go on. They
are a function of the job's files: whoever writes them, and whenever, writes the same.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from engine import output_file
from engine.data.data_files import PROVENANCE
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import SynthesizeRecipe
from engine.release.leak_search import find_needles, remove_needles
from engine.report.short_names import ShortNames
from engine.safe_open import read_bounded
from engine.synthesis.accepted_rows import AcceptedRow, accepted, find_standing
from engine.synthesis.data_card import DataCardFacts, write_card
from engine.synthesis.generator_facts import find_source_license, read_generators
from engine.synthesis.made_statistics import MadeStatistics, measure_rows
from engine.synthesis.outcomes import Outcome, read_outcomes
from engine.synthesis.provenance import list_arms, list_gates, make_provenance
from engine.synthesis.review_sample import SampledReview, judge_sample
from engine.synthesis.reviews import Review, read_reviews
from engine.synthesis.source_rows import SourceRow, read_sources
from engine.synthesis.tally import read_tally

_HINT = "Choose another name, or use --force."
JSONL, PARQUET = ".jsonl", ".parquet"
Rows = Sequence[Mapping[str, Any]]
EncodeRows = Callable[[Rows], bytes]
"""The content of a file of rows."""


@dataclass(frozen=True, slots=True)
class RowFiles:
    """Where the files of a job's rows lie."""

    rows: Path
    provenance: Path
    card: Path


@dataclass(frozen=True, slots=True)
class WrittenRows:
    files: RowFiles
    rows: int
    unreviewed: int
    """Of the rows, those that nobody reviewed."""
    statistics: MadeStatistics
    sample: SampledReview

    def to_table(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rows": self.rows,
            "unreviewed": self.unreviewed,
            "out": str(self.files.rows),
            "provenance": str(self.files.provenance),
            "card": str(self.files.card),
            "statistics": self.statistics.to_table(),
            "review": {**asdict(self.sample), "bad": self.sample.bad.to_table(),
                       "words": self.sample.words},
        }  # fmt: skip


def name_files(out: Path) -> RowFiles:
    """The three files by that of the rows. Raises EngineError for another ending."""
    if out.suffix not in (JSONL, PARQUET):
        raise EngineError(
            "Rows are written as JSONL or Parquet.",
            str(out),
            f"Use a name that ends in {JSONL} or {PARQUET}.",
        )
    return RowFiles(out, out.with_suffix(PROVENANCE), out.with_suffix(".md"))


def check_files(out: Path, *, force: bool = False) -> None:
    """Raise EngineError where the files could not be written, as far as can be seen before the
    work; `force` replaces files that are there."""
    files = name_files(out)
    for path in (files.rows, files.provenance, files.card):
        output_file.check(path, force=force, hint=_HINT)


def encode_json_lines(rows: Rows) -> bytes:
    """A JSON object a line; what is not valid Unicode is escaped."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode("utf-8", "backslashreplace")


def write_rows(
    job: JobDirectory,
    out: Path,
    *,
    accept_all: bool = False,
    force: bool = False,
    runs: Sequence[Path] = (),
    encode_parquet: EncodeRows | None = None,
) -> WrittenRows:
    """Write the accepted rows of a job, also while it still makes others.

    `accept_all`: as well those that passed every gate and that nobody reviewed. `runs`: the job
    directories that `run:ID` may mean. `encode_parquet`: of a worker, which alone has the library.
    Raises EngineError where no row is accepted, a file of the job cannot be read, or something
    is there already; then nothing is written but what says the same.
    """
    files = name_files(out)
    encode = encode_json_lines if out.suffix == JSONL else encode_parquet
    if encode is None:
        raise EngineError("Parquet is written by a worker.", str(out), f"Use a name in {JSONL}.")
    recipe = read_recipe(job)
    made = _MadeRows.read(job, accept_all)
    if not made.rows:
        raise _refuse_empty(job, made, accept_all)
    statistics = measure_rows(recipe, made.rows)
    names = ShortNames()
    needles = find_needles([(job.path, "the job's folder"), (out.absolute().parent, "the folder")])
    facts = _collect(job, files, recipe, made, statistics, names, runs)
    provenance = [
        make_provenance(number, one, recipe, facts.gates, names)
        for number, one in enumerate(made.rows, 1)
    ]
    contents = {
        files.provenance: remove_needles(encode_json_lines(provenance), needles),
        files.card: remove_needles(write_card(facts).encode("utf-8", "replace"), needles),
        files.rows: encode([one.row for one in made.rows]),
    }
    missing = {path: data for path, data in contents.items() if force or not _is_same(path, data)}
    for path in missing:
        output_file.check(path, force=force, hint=_HINT)
    for path, content in missing.items():
        output_file.write(path, (content,), force=force, hint=_HINT)
    return WrittenRows(files, len(made.rows), facts.unreviewed, statistics, facts.sample)


def read_recipe(job: JobDirectory) -> SynthesizeRecipe:
    """The recipe of a job that makes data. Raises EngineError for one of another kind."""
    recipe = job.recipe()
    if not isinstance(recipe, SynthesizeRecipe):
        raise EngineError(
            f"{job.path.name} does not make data.",
            f"{job.path}: a job of kind {recipe.kind}",
            "Name a job that finetop data make started.",
        )
    return recipe


def judge_review(
    outcomes: Mapping[str, Outcome], reviews: Mapping[str, Review], seed: int
) -> SampledReview:
    """What a review of the rows that passed says of those that nobody looked at; `seed`: of the
    recipe's source."""
    return judge_sample(
        {
            name: find_standing(outcome, reviews.get(name))
            for name, outcome in outcomes.items()
            if outcome.state == "passed"
        },
        seed,
    )


@dataclass(frozen=True, slots=True)
class _MadeRows:
    """What a job's files hold."""

    sources: Sequence[SourceRow]
    outcomes: Mapping[str, Outcome]
    reviews: Mapping[str, Review]
    rows: Sequence[AcceptedRow]

    @classmethod
    def read(cls, job: JobDirectory, accept_all: bool) -> "_MadeRows":
        sources = read_sources(job.sources)
        outcomes, reviews = read_outcomes(job.outcomes), read_reviews(job.reviews)
        return cls(
            sources, outcomes, reviews, list(accepted(sources, outcomes, reviews, accept_all))
        )


def _collect(
    job: JobDirectory,
    files: RowFiles,
    recipe: SynthesizeRecipe,
    made: _MadeRows,
    statistics: MadeStatistics,
    names: ShortNames,
    runs: Sequence[Path],
) -> DataCardFacts:
    rows = made.rows
    arms = [arm for one in rows for arm in list_arms(one, recipe)]
    reviewed = [one for one in rows if one.review is not None]
    return DataCardFacts(
        name=PurePath(files.rows.name).stem,
        rows_file=files.rows.name,
        provenance_file=files.provenance.name,
        source=names.name_ref(recipe.source.data or recipe.pairs.job) or "unknown",
        source_license=find_source_license(recipe),
        recipe=recipe,
        generators=read_generators(recipe, arms, runs, names),
        gates=list_gates(recipe, names),
        tally=read_tally(job, recipe),
        statistics=statistics,
        accepted=sum(not one.edited for one in reviewed),
        edited=sum(one.edited for one in reviewed),
        overruled=sum(bool(one.overruled) for one in reviewed),
        unreviewed=len(rows) - len(reviewed),
        unjudged=_count(reason.name for one in rows if not one.edited
                        for reason in one.outcome.unjudged),
        repaired=_count(kind for one in rows
                        for kind in dict.fromkeys(each.kind for each in one.outcome.repairs)),
        sample=judge_review(made.outcomes, made.reviews, recipe.source.seed),
    )  # fmt: skip


def _count(names: Any) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _is_same(path: Path, content: bytes) -> bool:
    """Whether a file says this already."""
    try:
        return not path.is_symlink() and read_bounded(path, len(content) + 1) == content
    except EngineError:
        return False


def _refuse_empty(job: JobDirectory, made: _MadeRows, accept_all: bool) -> EngineError:
    passed = sum(one.state == "passed" for one in made.outcomes.values())
    hint = "Review the rows that were made."
    if passed and not accept_all:
        hint = "Review them, or use --accept-all to write what passed without a review."
    return EngineError(
        "No row is accepted yet.",
        f"{job.path.name}: {len(made.sources):,} sources, {len(made.outcomes):,} finished, "
        f"{passed:,} passed the gates",
        hint,
    )
