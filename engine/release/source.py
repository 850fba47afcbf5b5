"""What is exported: the weights that were trained, and what they were before. Loads no weights."""

from dataclasses import dataclass
from pathlib import Path

from engine.compare.arms import Arm, format_nameless, parse_arm


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A trained model and all that an export takes from its run."""

    arm: Arm
    """How it was named."""
    base: Path
    """A whole model: what the adapter is on, or the trained model itself."""
    adapter: Path | None
    """None: `base` was trained whole."""
    root: Path
    """The whole model that all began with."""
    before: Path
    """The whole model that the last training began with; `root` where it had one stage."""
    before_adapter: Path | None
    """The adapter on `before` that training began with; None: none."""
    tokenizer: Path
    """The folder with the tokenizer and the template that were trained with."""
    run: Path | None
    """The job directory of the run; None: the checkpoint was made elsewhere."""
    stages: tuple[Path, ...]
    """Job directories of all runs that lead to it, the first stage first."""
    held_out: Path | None
    """`held_out.jsonl` of the run: prompts with their answers."""
    quantized: str
    """How the run had its base: `none`, `4bit` or `8bit`."""

    @property
    def name(self) -> str:
        """What its files are called: as the user named the arm, else its run, of a checkpoint with
        the step. An arm without a name has that of a folder, which for an adapter on its base is
        the base's."""
        unnamed = format_nameless(self.arm).removeprefix("arm=")
        if self.arm.name != parse_arm(unnamed).name:
            return self.arm.name
        place = self.adapter or self.base
        if self.run is None:
            return place.name
        return f"{self.run.name}-{place.name}" if place.parent != self.run else self.run.name
