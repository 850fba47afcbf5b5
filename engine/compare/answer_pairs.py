"""The answers of a job, read as they come: by arm and prompt, paired, with their numbers.

Reads appended bytes only, and measures each answer once. A line that is not whole yet is waited
for; one that holds no sample is counted and passed over. Belongs to one thread.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.compare import prompts as prompt_files
from engine.compare.arms import parse_arm
from engine.compare.checks import overlap
from engine.compare.items import Item
from engine.compare.metrics import REPEATED, REPEATS, Numbers, numbers_of
from engine.compare.samples import Sample, from_table
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import GenerateRecipe
from engine.safe_open import open_file

SLICE_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """What two arms answered to one prompt."""

    prompt: Item
    left: Sample
    right: Sample
    left_numbers: Numbers
    right_numbers: Numbers
    common: float
    """Spoken words in common, whatever their order: 2 · common / (left + right); 1 for equal
    texts."""

    @property
    def id(self) -> str:
        return self.prompt.id

    @property
    def differs(self) -> bool:
        return not self.left.is_same_answer(self.right)

    @property
    def differs_unspoken(self) -> bool:
        """Whether both say the same, and only their calls or their reasoning differ."""
        return self.differs and self.left.spoken == self.right.spoken

    def change(self, measure: str) -> float | None:
        """right − left of a number; None where it does not apply to both."""
        before, after = self.left_numbers.get(measure), self.right_numbers.get(measure)
        return None if before is None or after is None else after - before


FILTERS = ("", "differ", "endless", "repeats")
"""All pairs; those with different texts; where the right arm never stopped; where it repeats
itself."""


def lets_through(pair: AnswerPair, name: str) -> bool:
    """Whether a pair passes one of FILTERS."""
    if name == "differ":
        return pair.differs
    if name == "endless":
        return pair.right.finish == "length"
    if name == "repeats":
        return pair.right_numbers[REPEATED] >= REPEATS
    return True


class Collection:
    """The samples of one file as they are now."""

    def __init__(self, path: Path, prompts: str = "") -> None:
        self._path = path
        self._ref = prompts
        self._prompts: dict[str, Item] | None = None
        self._at = 0
        self._inode = 0
        self._rest = b""
        self._numbers: dict[tuple[str, str], Numbers] = {}
        self._common: dict[tuple[str, str, str], tuple[Sample, Sample, float]] = {}
        self.problem = ""
        """Why the skills, references and checks of the prompts are not known."""
        self.passed_over = 0
        """Lines that hold no sample."""
        self.samples: dict[tuple[str, str], Sample] = {}
        """By arm and prompt id, in the order in which they came; the newest counts."""

    @property
    def arms(self) -> list[str]:
        """The arms that have answered, in the grammar, in the order in which they first did."""
        return list(dict.fromkeys(arm for arm, _ in self.samples))

    def poll(self) -> bool:
        """Read what is new; whether anything is. Raises EngineError where it cannot be read."""
        try:
            status = os.stat(self._path)
            if status.st_ino != self._inode or status.st_size < self._at:
                self._at, self._inode, self._rest = 0, status.st_ino, b""
                self.samples.clear()
                self._numbers.clear()
                self._common.clear()
                self.passed_over = 0
            grew = False
            with open_file(self._path) as file:
                file.seek(self._at)
                while read := file.read(SLICE_BYTES):
                    self._at += len(read)
                    *lines, self._rest = (self._rest + read).split(b"\n")
                    for line in lines:
                        self._take(line)
                    grew = True
        except FileNotFoundError:
            return False
        except OSError as error:
            raise EngineError(
                "The samples cannot be read.", f"{self._path}: {error.strerror}"
            ) from error
        return grew

    def numbers(self, sample: Sample) -> Numbers:
        """All numbers of one of these samples."""
        key = (sample.arm, sample.prompt_id)
        if key not in self._numbers:
            self._numbers[key] = numbers_of(sample, self.prompt(sample))
        return self._numbers[key]

    def of(self, arm: str) -> list[Sample]:
        """One arm's samples, in the order of the prompts."""
        samples = [one for (name, _), one in self.samples.items() if name == arm]
        order = {prompt: at for at, prompt in enumerate(self._known())}
        return sorted(samples, key=lambda one: order.get(one.prompt_id, len(order)))

    def pairs(self, left: str, right: str) -> list[AnswerPair]:
        """What both arms answered, in the order of the prompts."""
        pairs = []
        for one in self.of(left):
            other = self.samples.get((right, one.prompt_id))
            if other is not None and other.asked == one.asked:
                pairs.append(self._pair(one, other))
        return pairs

    def _pair(self, one: Sample, other: Sample) -> AnswerPair:
        left, right = one.spoken, other.spoken
        common = 1.0 if left == right else overlap(left, right)
        return AnswerPair(
            self.prompt(one), one, other, self.numbers(one), self.numbers(other), common
        )

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            sample = from_table(json.loads(line))
        except (ValueError, RecursionError):
            self.passed_over += 1
            return
        key = (sample.arm, sample.prompt_id)
        self.samples[key] = sample
        self._numbers.pop(key, None)

    def prompt(self, sample: Sample) -> Item:
        """The prompt with its skill, reference and checks, where its file still has it so."""
        known = self._known().get(sample.prompt_id)
        if known is not None and known.messages == sample.messages:
            return known
        return Item(sample.prompt_id, sample.messages)

    def _known(self) -> Mapping[str, Item]:
        if self._prompts is None:
            try:
                prompts = prompt_files.load(self._ref) if self._ref else []
            except EngineError as error:
                prompts, self.problem = [], f"prompts: {error.title}"
            self._prompts = {one.id: one for one in prompts}
        return self._prompts


def of_job(job: JobDirectory) -> Collection:
    """The answers of a job, with the prompts that they answer: an evaluation keeps those itself.

    Raises EngineError.
    """
    recipe = job.recipe()
    if isinstance(recipe, GenerateRecipe):
        return Collection(job.samples, recipe.prompts)
    return Collection(job.samples, str(job.items) if job.items.exists() else "")


def names(arms: Sequence[str]) -> dict[str, str]:
    """Of each arm in the grammar its name; the whole text where that is none."""
    names_by_arm = {}
    for arm in arms:
        try:
            names_by_arm[arm] = parse_arm(arm).name
        except EngineError:
            names_by_arm[arm] = arm
    return names_by_arm


def pick_arms(collection: Collection, wanted: Sequence[str] = ()) -> tuple[str, str]:
    """Two arms that have answered, in the grammar; `wanted` names them so or by name, the first two
    where it names none. Raises EngineError."""
    by_name = {name: arm for arm, name in names(collection.arms).items()}
    chosen = list(wanted) or list(by_name)[:2]
    missing = [name for name in chosen if name not in by_name and name not in collection.arms]
    if missing or len(chosen) != 2 or chosen[0] == chosen[1]:
        raise EngineError(
            f"Unknown arm {missing[0]!r}." if missing else "Two arms are required.",
            f"Arms with answers: {', '.join(by_name) or 'none'}.",
            "Name two of them: --arms A,B.",
        )
    left, right = (by_name.get(name, name) for name in chosen)
    return left, right
