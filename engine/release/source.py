"""What is exported: the weights that were trained, and what they were before. Loads no weights."""

from dataclasses import dataclass
from pathlib import Path

from engine.compare.arms import Arm, format_nameless, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory


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
        """What the trained model is called, where nobody says otherwise: as the user named the arm,
        else as its run is called, of a checkpoint with the step. An arm without a name has that of
        a folder, which for an adapter on its base is the base's."""
        unnamed = format_nameless(self.arm).removeprefix("arm=")
        if self.arm.name != parse_arm(unnamed).name:
            return self.arm.name
        place = self.adapter or self.base
        if self.run is None:
            return place.name
        name = _name_run(self.run)
        return f"{name}-{place.name}" if place.parent != self.run else name


def _name_run(run: Path) -> str:
    """The name that its user gave a run; its id where that cannot be read."""
    try:
        record = JobDirectory(run).record()
    except EngineError:
        record = None
    return record.name if record is not None and record.name else run.name
