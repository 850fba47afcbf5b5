"""Every file of an export that is not weights, tokenizer or proof, into each of its folders.

Owns their names and their order: the sums come last, after the search for what must not leave.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.recipes.recipe import ExportRecipe
from engine.release.checksums import write_sums
from engine.release.leak_search import check_leaks, find_needles
from engine.release.proof import TargetProof
from engine.release.source import ExportSource
from engine.release.targets import parse_targets


def write_card_files(
    folder: Path,
    source: ExportSource,
    recipe: ExportRecipe,
    proofs: Sequence[TargetProof],
    runs: Sequence[Path],
    say: Callable[[str], object],
    private: Sequence[tuple[Path, str]] = (),
) -> tuple[str, ...]:
    """Complete the folder of each target below `folder`, which is still being built: README.md,
    recipes, versions, curves, licenses, proof.json and, last, SHA256SUMS.

    `proofs` are those of all targets, all of them passed. `runs` are the directories of jobs that
    `run:ID` may mean, evaluations among them. `private` are further paths of this machine, each
    with what it is, as those of the job. Returns what the user should know before publishing, a
    sentence each. Raises EngineError, naming file and line, where a file holds something of this
    machine, where the card breaks a rule of the Hub, and where the evaluation that the recipe names
    cannot be reported; and OSError.
    """
    for name in dict.fromkeys(target.folder for target in parse_targets(recipe.targets)):
        check_leaks(folder / name, find_needles(private))
        write_sums(folder / name)
    return ()
