"""Who wrote the rows made, under which terms, and the license of their source: for the data card.

Rows written by a hosted model carry its terms of use, rows of a local one what the license of its
base asks. Nothing is guessed: what nobody stated is `unknown`. Names hold no path and no host.
"""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.config_json import read_json
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.release.card.base_identity import find_base_id, is_bundled
from engine.release.card.licenses import UNKNOWN, BaseLicense, find_license
from engine.report.short_names import ShortNames
from engine.safe_open import read_bounded

_PERMISSIVE = frozenset(
    ("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense", "cc0-1.0")
)
"""Licenses of models that ask nothing of what these write."""
_SNAPSHOT = re.compile(r".*/datasets--[^/]+/snapshots/[^/]+")
_HEAD = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_STATED = re.compile(r"""^(license|license_name|license_link):\s*["']?([^"'\s#]+)["']?\s*$""", re.M)
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class GeneratorFacts:
    """One arm that wrote."""

    name: str
    """The arm in its grammar, by short names."""
    model: str
    """Of an endpoint as its server calls it; else the base's id on the Hub, or its short name."""
    is_hosted: bool
    """Whether a server answered, so that its weights and license are not known here."""
    terms: str
    """What rows that it wrote carry, in words; `unknown`."""
    is_permissive: bool = False
    """Whether its terms are known to ask nothing of what it writes."""


def read_generators(
    recipe: SynthesizeRecipe, arms: Iterable[str], runs: Sequence[Path], names: ShortNames
) -> tuple[GeneratorFacts, ...]:
    """The facts of arms, each once, in order. `runs`: the job directories that `run:ID` may mean.

    A model that is gone by now is described by its name alone.
    """
    return tuple(_read(recipe, spec, runs, names) for spec in dict.fromkeys(arms))


def find_source_license(recipe: SynthesizeRecipe) -> tuple[str, str]:
    """The license of the raw texts and what states it: the recipe, the project for its own, or the
    card beside a data set in the Hub's cache; `unknown` else."""
    if recipe.source.license.strip():
        return recipe.source.license.strip(), "as the recipe states"
    if recipe.source.data.startswith("bundled:"):
        return "apache-2.0", "as finetop's own data"
    snapshot = _SNAPSHOT.match(recipe.source.data)
    stated = _read_head(Path(snapshot[0])) if snapshot else {}
    license_id = stated.get("license", "").lower()
    if license_id == "other" and stated.get("license_name") and stated.get("license_link"):
        license_id = f"{stated['license_name']}={stated['license_link']}"
    return (license_id, "as its card states") if license_id else (UNKNOWN, "")


def _read(
    recipe: SynthesizeRecipe, spec: str, runs: Sequence[Path], names: ShortNames
) -> GeneratorFacts:
    stated = recipe.asking.terms if recipe.asking.generator in ("", spec) else ""
    try:
        arm = parse_arm(spec)
    except EngineError:
        return GeneratorFacts(names.name_arm(spec), UNKNOWN, False, stated or UNKNOWN)
    name = names.name_arm(spec)
    if arm.is_endpoint:
        return GeneratorFacts(name, arm.model or UNKNOWN, True, stated or UNKNOWN)
    model, base_license = names.name_ref(arm.checkpoint), None
    with contextlib.suppress(EngineError, OSError):
        model, base_license = _read_base(arm, runs, model)
    of_license = _describe(base_license) if base_license is not None else UNKNOWN
    known = base_license is not None and base_license.id in _PERMISSIVE
    return GeneratorFacts(name, model, False, stated or of_license, known and not stated)


def _read_base(arm: Arm, runs: Sequence[Path], name: str) -> tuple[str, BaseLicense | None]:
    """What a local arm's base is called, and its license; none of a GGUF file, which may lie among
    others. Raises EngineError and OSError."""
    root = locate(arm, runs).base
    if not root.is_dir():
        return name, None
    base_id = find_base_id(root)
    called = base_id or ("demo-base" if is_bundled(root) else name)
    model_type = str(read_json(root / "config.json").get("model_type", ""))
    return called, find_license(root, base_id, _read_head(root), model_type)


def _read_head(root: Path) -> Mapping[str, str]:
    """What the head of a model's README.md states of its license, where it is one text."""
    try:
        content = read_bounded(root / "README.md", _MOST_BYTES).decode("utf-8-sig")
    except (EngineError, UnicodeDecodeError):
        return {}
    head = _HEAD.match(content)
    return dict(_STATED.findall(head[1])) if head else {}


def _describe(one: BaseLicense) -> str:
    if one.id == UNKNOWN:
        return UNKNOWN
    asked = [one.terms.limit, *one.terms.sentences] if one.terms else []
    # What is said of weights that were changed is not of rows.
    about = [sentence for sentence in asked if sentence and "weights were changed" not in sentence]
    return " ".join([f"The model's license is {one.title} ({one.basis}).", *about])
