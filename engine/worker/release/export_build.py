"""The folder of an export: its targets are written, proven in fresh processes, and described.

Owns the order of the steps and what each needs of the one before. What is written how, and what is
proven, is for the other files of this room. The caller removes the folder where anything fails.
"""

import gc
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import atomic
from engine.checkpoints.weights import read_weights
from engine.errors import EngineError
from engine.recipes.recipe import ExportRecipe
from engine.release.card.base_identity import choose_base_id
from engine.release.disk_need import DiskNeed
from engine.release.modelfile import NAME as MODELFILE
from engine.release.proof import Check, TargetProof, encode_proofs
from engine.release.source import ExportSource
from engine.release.targets import Target
from engine.safe_open import list_files
from engine.worker.attempt import Attempt
from engine.worker.release.progress import ExportProgress, ExportStep
from engine.worker.release.proving.proof_spec import make_spec

if TYPE_CHECKING:
    import torch

    from engine.worker.release.gguf.vocabulary import GgufVocabulary

_MERGED = ".merged"
"""The whole model that only GGUF files are made of: it is not published."""
_REFERENCE = ".reference"
"""What the run itself answers, kept between the proofs."""
_PREFERRED = "q8_0"
"""Of several GGUF files, the one that the Modelfile names."""
_DTYPES = {"F64": "float32", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_WEIGHT_OF_PROOF = 2.0
"""How much longer than to write it a model takes to be proven, before one was: of Gemma 3 270M on
two cores 36 s a target were writing and 60 s its proof."""


class ExportBuild:
    """One export, in a folder that is empty."""

    def __init__(
        self,
        attempt: Attempt,
        recipe: ExportRecipe,
        source: ExportSource,
        targets: Sequence[Target],
        need: DiskNeed,
        folder: Path,
    ) -> None:
        self._attempt = attempt
        self._recipe = recipe
        self._source = source
        self._targets = targets
        self._folder = folder
        self._ends: tuple[int, ...] = ()
        self._merged = folder / ("merged" if self._has("merged") else _MERGED)
        """The whole model, which GGUF files are made of too."""
        self._tokenizer: Any = None
        self._vocabulary: GgufVocabulary | None = None
        self._reference = folder / _REFERENCE
        self._dtype = ""
        """Of merged weights."""
        self._proofs: list[TargetProof] = []
        self._remarks: list[str] = []
        """What the user should know before publishing."""
        self.progress = ExportProgress(attempt, list_steps(targets, need))

    def make(self, runs: Sequence[Path]) -> tuple[TargetProof, ...]:
        """Write all, prove all, describe all; `runs` are the job directories that `run:ID` may
        mean. Raises Stopped, EngineError where a check failed."""
        self._keep_proofs()
        shipped = self._write()
        self._reference.mkdir()
        for target, path, dtype in shipped:
            self.progress.begin(f"proving {target.name}")
            checks = self._prove(target, path, dtype)
            name = path.relative_to(self._folder).as_posix()
            self._proofs.append(TargetProof(target.name, name, dtype, tuple(checks)))
            self._keep_proofs()
        check_proofs(self._proofs)
        for name in (_MERGED, _REFERENCE):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        self.progress.begin("writing the model card")
        self._describe(runs)
        self.progress.begin("publishing")
        return tuple(self._proofs)

    def _keep_proofs(self) -> None:
        """In the job's directory, whatever comes of it; none of an attempt before this one."""
        path = self._attempt.directory.proof
        atomic.write_json(path, encode_proofs(tuple(self._proofs), self._remarks))

    def _write(self) -> list[tuple[Target, Path, str]]:
        """The files of every target, and the type of their weights."""
        shipped: list[tuple[Target, Path, str]] = []
        if self._has("adapter"):
            self.progress.begin("writing the adapter")
            shipped.append((Target("adapter"), *self._write_adapter()))
        if self._has("merged") or self._has("gguf"):
            self.progress.begin("merging")
            self._write_merged()
        if self._has("merged"):
            shipped.append((Target("merged"), self._merged, self._dtype))
        for target in self._targets:
            if target.form == "gguf":
                self.progress.begin(f"writing {target.name}")
                shipped.append((target, *self._write_gguf(target)))
        self._tokenizer = self._vocabulary = None
        gc.collect()
        return shipped

    def _write_adapter(self) -> tuple[Path, str]:
        """The folder, and the type of its weights."""
        from engine.worker.release.writing.adapter_folder import write_adapter
        from engine.worker.release.writing.tokenizer_folder import write_tokenizer

        folder = self._folder / "adapter"
        base_id = choose_base_id(self._source.root, self._recipe.base_id)
        written = write_adapter(self._source, folder, self._attempt.log, base_id)
        self._ends = write_tokenizer(self._source, folder)
        return folder, str(written).removeprefix("torch.")

    def _write_merged(self) -> None:
        from engine.worker.release.writing.merged_folder import write_merged
        from engine.worker.release.writing.tokenizer_folder import write_tokenizer

        named = self._recipe.dtype
        dtype = None if named == "auto" else _torch_type(named)
        shard_bytes = round(self._recipe.shard_gb * 1e9)
        written = write_merged(self._source, self._merged, dtype, shard_bytes, self.progress.tick)
        self._dtype = str(written).removeprefix("torch.")
        self._ends = write_tokenizer(self._source, self._merged)

    def _has(self, form: str) -> bool:
        return any(target.form == form for target in self._targets)

    def _write_gguf(self, target: Target) -> tuple[Path, str]:
        """The file, and the type of its weights."""
        from engine.worker.release.gguf.write import name_gguf, write_gguf

        folder = self._folder / "gguf"
        folder.mkdir(exist_ok=True)
        name = name_file(self._source, self._recipe)
        file = folder / name_gguf(name, target.quantization, self._merged)
        notes = write_gguf(
            self._merged, file, target.quantization, self._ends, self.progress.tick,
            self._read_vocabulary,
        )  # fmt: skip
        if not (folder / MODELFILE).exists() or target.quantization == _PREFERRED:
            from engine.worker.release.ollama.ollama_files import write_ollama_files

            notes += write_ollama_files(self._read_tokenizer(), self._merged, file, self._ends)
        for note in dict.fromkeys(notes):
            self._remark(note, file.name)
        return file, target.quantization or self._dtype

    def _read_vocabulary(self, checkpoint: Path, ends: Sequence[int]) -> "GgufVocabulary":
        """That of the whole model, read once for all files."""
        from engine.worker.release.gguf.vocabulary import vocabulary_of

        if self._vocabulary is None:
            tokenizer = self._read_tokenizer()
            self.progress.tick_part("reading the vocabulary", 0, 0)
            self._vocabulary = vocabulary_of(checkpoint, ends, tokenizer)
        return self._vocabulary

    def _read_tokenizer(self) -> Any:
        """That of the whole model, read once."""
        from engine.worker.model.loading import load_tokenizer

        if self._tokenizer is None:
            self.progress.tick_part("reading the tokenizer", 0, 0)
            self._tokenizer = load_tokenizer(self._merged)
        return self._tokenizer

    def _judged_type(self, target: Target, dtype: str) -> str:
        """The type by which answers are judged: a GGUF file in float32 of a model that was merged
        in float16 is no more exact than that, and an adapter answers in the type of its base."""
        if target.form == "adapter":
            return _stored(self._source.root)
        rounded = target.quantization == "f32" and self._dtype != "float32"
        return self._dtype if rounded else dtype

    def _prove(self, target: Target, shipped: Path, dtype: str) -> Sequence[Check]:
        from engine.worker.release.proving.prove import run_proof

        made = make_spec(
            self._source, target.name, shipped, self._judged_type(target, dtype), self._ends
        )
        spec = replace(
            made,
            rows=self._recipe.proof_rows,
            checkpoint=self._merged if target.form == "gguf" else None,
            reference=self._reference,
        )
        return run_proof(spec, self._folder, self.progress.tick_part)

    def _describe(self, runs: Sequence[Path]) -> None:
        """Model card, proof, curves and checksums of each folder."""
        from engine.worker.release.writing.card_files import write_card_files

        job = self._attempt.directory.path
        private = [
            (job.parent, "the folder of runs"),
            (self._folder.parent, "the folder of the export"),
        ]
        notes = write_card_files(
            self._folder, self._source, self._recipe, self._proofs, runs, self._attempt.log,
            private,
        )  # fmt: skip
        for note in notes:
            self._remark(note)
        self._keep_proofs()

    def _remark(self, note: str, file: str = "") -> None:
        """Say it of each file, and keep it once."""
        self._attempt.log(f"{file}: {note}" if file else note)
        if note not in self._remarks:
            self._remarks.append(note)


def name_file(source: ExportSource, recipe: ExportRecipe) -> str:
    """What a GGUF file is called, and the model in it: as the card calls it. Raises EngineError
    where a file of the base cannot be read."""
    from engine.release.card.card_facts import name_model, read_license
    from engine.worker.release.writing.card_file import read_metadata

    base_id = choose_base_id(source.root, recipe.base_id)
    return name_model(source, recipe, read_license(source.root, base_id, read_metadata))


def list_steps(targets: Sequence[Target], need: DiskNeed) -> list[ExportStep]:
    """The steps of an export in their order, weighted by the bytes that they write or read."""
    steps: list[ExportStep] = []
    largest = max(need.targets.values())
    forms = {target.form for target in targets}
    for target in targets:
        if target.form == "adapter":
            steps.append(ExportStep("writing the adapter", "write", need.targets[target.name]))
    if forms & {"merged", "gguf"}:
        steps.append(ExportStep("merging", "write", need.targets.get("merged", largest)))
    for target in targets:
        if target.form == "gguf":
            steps.append(ExportStep(f"writing {target.name}", "write", need.targets[target.name]))
    for target in targets:
        steps.append(ExportStep(f"proving {target.name}", "prove", _WEIGHT_OF_PROOF * largest))
    return [
        *steps,
        ExportStep("writing the model card", "describe", 1),
        ExportStep("publishing", "publish", need.kept),
    ]


def check_proofs(proofs: Sequence[TargetProof]) -> None:
    """Raise EngineError where anything failed, or where nothing was proven, with what differs."""
    failed = [proof for proof in proofs if not proof.passed]
    if not failed:
        return
    lines: list[str] = []
    for proof in failed:
        if all(check.status != "failed" for check in proof.checks):
            lines.append(f"{proof.target}: nothing was proven")
        for check in proof.checks:
            if check.status == "failed":
                lines.append(f"{proof.target}: {check.name}: {check.summary}")
                lines += [f"  {line}" for line in check.differences[:5]]
    names = ", ".join(proof.target for proof in failed)
    raise EngineError(
        f"The export is not what was trained: {names} failed.",
        "\n".join(lines),
        "Nothing was published; all checks are in the job's proof.json.",
    )


def _torch_type(name: str) -> "torch.dtype":
    import torch

    torch_type: torch.dtype = getattr(torch, name)
    return torch_type


def _stored(folder: Path) -> str:
    """The type of most numbers of a whole model, as torch calls it."""
    elements = read_weights(folder, list_files(folder)).elements
    return _DTYPES.get(max(elements, key=lambda name: elements[name]), "bfloat16")
