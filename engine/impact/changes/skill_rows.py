"""The values of the skill table: an arm's result, a skill's row by one measure, the table.

Frozen, and made by `engine.impact.changes.skill_table` alone. Computes nothing but what names them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.impact.changes.score_estimate import ScoreEstimate
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.results.evaluation_results import NLL, EvaluationResults
from engine.impact.scores.measure_kinds import Unit, unit_of


@dataclass(frozen=True, slots=True)
class SkillResult:
    """One arm on one skill, by one measure."""

    scores: Mapping[str, float] = field(hash=False)
    """By item; of texts that are read, their NLL in nats."""
    estimate: ScoreEstimate
    """Mean score, or of texts their perplexity, with its 95% interval and how that was made."""
    bits_per_byte: float | None = None
    """Of texts whose bytes are known: what is comparable across tokenizers."""
    cut: tuple[str, ...] = ()
    """Items whose answer was cut by its length: their score is that of a part."""
    diverged: tuple[str, ...] = ()
    """Items whose value is not finite."""
    seen: tuple[str, ...] | None = None
    """Items that stand in the training rows of the arm or of its ancestors; None: unknown."""
    unseen: ScoreEstimate | None = None
    """Without the seen items; None where none was seen, all were, or it is not known."""

    @property
    def score(self) -> float:
        return self.estimate.value

    @property
    def interval(self) -> tuple[float, float] | None:
        return self.estimate.interval


@dataclass(frozen=True, slots=True)
class SkillRow:
    """One skill by one measure, over the arms."""

    name: str
    """Of the skill, which is its suite."""
    measure: str
    is_primary: bool
    """Whether the measure is the skill's score; all others are exploratory."""
    results: Mapping[str, SkillResult] = field(hash=False)
    """By arm; an arm that was not measured is not there."""
    changes: Mapping[str, SkillChange] = field(hash=False)
    """Against the first arm, by arm."""
    stage_changes: Mapping[str, SkillChange] = field(hash=False)
    """Against the arm's parent, by arm; of those alone whose parent is not the first arm."""
    unpaired: int = 0
    """Items that not all arms have; no change counts them."""
    ever_lost: tuple[str, ...] = ()
    """Items right at the first stage and wrong at one between it and the last."""
    regained: tuple[str, ...] = ()
    """Those of them that are right again at the last stage."""
    not_measured: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By arm that cannot have the measure, why: an endpoint has no likelihoods."""
    is_weighted: bool = False
    """Whether the items' weights differ: scores and changes are weighted means."""
    notes: tuple[str, ...] = ()
    """What should be known before the numbers are read, a sentence each; not cleaned."""

    @property
    def items(self) -> int:
        """Most items that one arm was measured on."""
        return max((len(one.scores) for one in self.results.values()), default=0)

    @property
    def unit(self) -> Unit:
        """Of a change; `score` alone has a δ in points."""
        return unit_of(self.measure)

    @property
    def is_perplexity(self) -> bool:
        """Whether a result's score is a perplexity."""
        return self.measure == NLL


@dataclass(frozen=True, slots=True)
class SkillTable:
    arms: tuple[str, ...]
    """The first is what the others are held against, the last is the primary one."""
    stages: tuple[str, ...]
    """The arms that lead from the first to the last, each the parent of the next."""
    skills: tuple[SkillRow, ...]
    """One for each suite, by the measure that is its score; also of one that no arm has."""
    secondary: tuple[SkillRow, ...]
    """By the other measures, in the order of the skills."""
    delta: float
    results: EvaluationResults = field(hash=False)
    """What it was made of: items, how they were asked, which choices were made."""
    notes: tuple[str, ...] = ()
    """As those of a row, of all skills."""

    def row(self, skill: str, measure: str = "") -> SkillRow:
        """One skill, by its own measure or by another. Raises KeyError where it is not there."""
        for row in (*self.skills, *self.secondary):
            if row.name == skill and (row.measure == measure or (not measure and row.is_primary)):
                return row
        raise KeyError((skill, measure))

    def measures_of(self, skill: str) -> tuple[SkillRow, ...]:
        """All rows of a skill, its own measure first."""
        return tuple(row for row in (*self.skills, *self.secondary) if row.name == skill)
