"""How a job that makes data stands: its sources by state and reason, reviews, labels, tokens.

One reader for the page, the command and `results.json`, so that they show the same numbers. It
reads what was appended since it last read, and holds of an outcome what it counts alone. Refuses to
say how long it takes and what it costs without the running time and the prices: `measure_progress`.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from engine.events.growing_file import Replaced
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import Budget
from engine.synthesis.accepted_rows import Standing, find_row, find_standing
from engine.synthesis.appended_lines import AppendedLines
from engine.synthesis.outcomes import Outcome, State, counts_instead, outcome_from_table
from engine.synthesis.reviews import Review, review_from_table
from engine.synthesis.shares import Share

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReasonCount:
    state: State
    name: str
    sources: int
    """A source with several reasons counts in each of them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one moment. Sources count by their latest outcome."""

    sources: int
    """All that the job has; 0 where they are not read yet."""
    states: Mapping[State, int]
    reasons: tuple[ReasonCount, ...]
    """The most frequent first."""
    standings: Mapping[Standing, int]
    """What a person decided of the sources that are finished."""
    repairs: Mapping[str, int]
    """Kind to rows that needed one, the most frequent first."""
    labels: Mapping[str, Mapping[str, int]]
    """By field of labels: label to rows, in the order of its choices; of rows that are accepted, or
    that passed and nobody has decided of."""
    cut: int
    """Rows whose source was not shown to the generator as a whole."""
    answers: int
    """All that were given, also those of no use and of earlier rounds."""
    faults: Mapping[str, int]
    """Fault to answers that were of no use for it, the most frequent first."""
    input_tokens: int
    output_tokens: int

    @property
    def finished(self) -> int:
        return sum(self.states.values())

    @property
    def passed(self) -> Share:
        return self._share("passed")

    @property
    def held_back(self) -> Share:
        return self._share("held back")

    @property
    def set_aside(self) -> Share:
        return self._share("set aside")

    def share(self, reason: ReasonCount) -> Share:
        """Of the sources that are finished, those with a reason."""
        return Share(reason.sources, self.finished)

    def to_table(self) -> dict[str, Any]:
        """As JSON has it, with shares and their intervals."""
        return {
            **dataclasses.asdict(self),
            "finished": self.finished,
            "states": {state: self._share(state).to_table() for state in get_args(State)},
            "reasons": [
                {"state": one.state, "name": one.name, **self.share(one).to_table()}
                for one in self.reasons
            ],
        }

    def _share(self, state: State) -> Share:
        return Share(self.states.get(state, 0), self.finished)


@dataclass(frozen=True, slots=True)
class MakingProgress:
    """What a tally and the time it took come to."""

    passed_per_minute: float | None
    """Rows that passed the gates, over the running time of all attempts."""
    tokens: int
    """Read and written together."""
    price: float | None
    """None where the recipe names no price."""
    seconds_left: float | None
    """Until the first limit is reached, at the rates so far; None where nothing is known yet."""
    ends_by: str
    """That limit: `sources`, or a key of the budget."""


class TallyReader:
    """Reads what a job has appended. For one thread."""

    def __init__(self, job: JobDirectory, recipe: SynthesizeRecipe) -> None:
        self._job = job
        self._recipe = recipe
        self._start()

    def read(self) -> Tally:
        """The counts as of now. Raises EngineError for a file that is none of ours, OSError."""
        try:
            return self._read()
        except Replaced:
            self._start()
            return self._read()

    def _start(self) -> None:
        self._counts = TallyCounts.of(self._recipe)
        self._sources = AppendedLines(self._job.sources)
        self._outcomes = AppendedLines(self._job.outcomes)
        self._reviews = AppendedLines(self._job.reviews)
        self._number = 0

    def _read(self) -> Tally:
        self._number += sum(1 for line in self._sources.read() if line.strip())
        for outcome in self._outcomes.read_tables(outcome_from_table):
            self._counts.add_outcome(outcome)
        for review in self._reviews.read_tables(review_from_table):
            self._counts.add_review(review)
        return self._counts.make_tally(self._number)


def read_tally(job: JobDirectory, recipe: SynthesizeRecipe) -> Tally:
    """The counts of a job, once. Raises EngineError and OSError."""
    return TallyReader(job, recipe).read()


def measure_progress(tally: Tally, seconds: float, budget: Budget) -> MakingProgress:
    """Rates, price and time left. `seconds`: running time of all attempts so far."""
    read, written = tally.input_tokens, tally.output_tokens
    left = tally.sources - tally.finished
    used = list_used(budget, tally.passed.count, read, written, seconds / 60)
    ends = [
        (_time_for(left, tally.finished, seconds), "sources"),
        *((_time_for(limit - now, now, seconds), name) for name, (now, limit) in used.items()),
    ]
    known = [(time, name) for time, name in ends if time is not None]
    time, name = min(known, default=(None, ""), key=lambda one: one[0])
    return MakingProgress(
        passed_per_minute=tally.passed.count / seconds * 60 if seconds > 0 else None,
        tokens=read + written,
        price=find_price(read, written, budget),
        seconds_left=time,
        ends_by=name,
    )


def list_used(
    budget: Budget, rows: int, read: int, written: int, minutes: float
) -> dict[str, tuple[float, float]]:
    """By key of the budget how much of it is used, and its limit; of those that have one.

    `rows` that passed; tokens that were `read` and `written`; `minutes` of all attempts.
    """
    used = {
        "rows": (rows, budget.rows),
        "tokens": (read + written, budget.tokens),
        "minutes": (minutes, budget.minutes),
        "price": (find_price(read, written, budget) or 0.0, budget.price),
    }
    return {name: (now, limit) for name, (now, limit) in used.items() if limit}


def find_price(read: int, written: int, budget: Budget) -> float | None:
    """What so many tokens cost; None where the recipe names no price."""
    if not budget.input_price and not budget.output_price:
        return None
    return (read * budget.input_price + written * budget.output_price) / 1e6


def _time_for(left: float, used: float, seconds: float) -> float | None:
    """Seconds for what is left at the rate so far; None where nothing was used yet."""
    if left <= 0:
        return 0.0
    return left * seconds / used if used > 0 and seconds > 0 else None


@dataclass(slots=True)
class TallyCounts:
    """Counters, and of each source what it added to them, so that a later line can take that away
    again. Takes lines of outcomes and reviews in the order of their files; reads none."""

    labels: Mapping[str, tuple[str, ...]]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reviews: dict[str, Review] = field(default_factory=dict)
    states: Counter[State] = field(default_factory=Counter)
    reasons: Counter[tuple[State, str]] = field(default_factory=Counter)
    standings: Counter[Standing] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    labelled: Counter[tuple[str, str]] = field(default_factory=Counter)
    cut: int = 0
    answers: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def of(cls, recipe: SynthesizeRecipe) -> "TallyCounts":
        fields = recipe.fields.items()
        return cls({name: tuple(one.choices) for name, one in fields if one.type == "label"})

    def add_outcome(self, outcome: Outcome) -> None:
        self.answers += len(outcome.answers)
        self.faults.update(one.fault for one in outcome.answers if one.fault)
        self.input_tokens += outcome.input_tokens
        self.output_tokens += outcome.output_tokens
        if not counts_instead(outcome, self.outcomes.get(outcome.source)):
            return
        self._count(outcome.source, -1)
        row = self._keep_labels(outcome.row)
        self.outcomes[outcome.source] = dataclasses.replace(outcome, row=row, answers=())
        self._count(outcome.source, 1)

    def add_review(self, review: Review) -> None:
        self._count(review.source, -1)
        self.reviews[review.source] = dataclasses.replace(review, row=self._keep_labels(review.row))
        self._count(review.source, 1)

    def make_tally(self, sources: int) -> Tally:
        return Tally(
            sources=sources,
            states={state: self.states[state] for state in get_args(State)},
            reasons=tuple(
                ReasonCount(state, name, count)
                for (state, name), count in self.reasons.most_common()
                if count
            ),
            standings={one: self.standings[one] for one in get_args(Standing)},
            repairs=_list_counts(self.repairs),
            labels={
                name: {choice: self.labelled[name, choice] for choice in choices}
                for name, choices in self.labels.items()
            },
            cut=self.cut,
            answers=self.answers,
            faults=_list_counts(self.faults),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )

    def _count(self, source: str, sign: int) -> None:
        """Add what a source counts for, or take it away."""
        outcome = self.outcomes.get(source)
        if outcome is None:
            return
        review = self.reviews.get(source)
        self.states[outcome.state] += sign
        self.standings[find_standing(outcome, review)] += sign
        for name in {reason.name for reason in outcome.reasons}:
            self.reasons[outcome.state, name] += sign
        for kind in {repair.kind for repair in outcome.repairs}:
            self.repairs[kind] += sign
        self.cut += sign * (outcome.cut > 0 and outcome.state != "set aside")
        for name, value in find_row(outcome, review).items():
            self.labelled[name, value] += sign

    def _keep_labels(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is counted of a row; of one without labels that there is one."""
        kept = {name: str(row[name]) for name in self.labels if row.get(name) is not None}
        return kept or ({"": ""} if row else {})


def _list_counts(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.most_common() if count}
