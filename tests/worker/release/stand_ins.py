"""What an export calls, replaced by functions that write small files: for tests of its flow.

As a program it is a worker of one job: `python -m tests.worker.release.stand_ins JOB SECONDS`,
where each step takes so many seconds.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from engine.release.proof import PROOF_FILE, Check, encode_proofs
from engine.worker.release.proving.proof_spec import ProofSpec

PASSED = Check("weights differ", "passed", "2 of 2 tensors differ.")
FAILED = Check("same answers", "failed", "1 of 20 differs.", differences=("prompt 3: 'a', 'b'",))
TICKS = 5
ROOM = "engine.worker.release"


class StandIns:
    """The steps; each ticks, and writes a little at each tick."""

    def __init__(self, seconds: float = 0.0, size: int = 1000) -> None:
        self.seconds = seconds
        self.size = size
        self.specs: list[ProofSpec] = []
        self.checks: Callable[[ProofSpec], list[Check]] = lambda spec: [PASSED]
        self.before: Callable[[str], None] = lambda step: None
        """Called as each step begins."""

    @property
    def modules(self) -> dict[str, Any]:
        """What stands in `sys.modules` in place of the real ones."""
        return {
            f"{ROOM}.writing.adapter_folder": SimpleNamespace(write_adapter=self._write_adapter),
            f"{ROOM}.writing.merged_folder": SimpleNamespace(write_merged=self._write_merged),
            f"{ROOM}.writing.tokenizer_folder": SimpleNamespace(
                write_tokenizer=self._write_tokenizer
            ),
            f"{ROOM}.gguf.write": SimpleNamespace(
                write_gguf=self._write_gguf, name_gguf=lambda name, kind, _: f"{name}-{kind}.gguf"
            ),
            f"{ROOM}.ollama.ollama_files": SimpleNamespace(
                write_ollama_files=self._write_modelfile,
            ),
            "engine.worker.model.loading": SimpleNamespace(load_tokenizer=lambda folder: None),
            f"{ROOM}.proving.prove": SimpleNamespace(run_proof=self._prove),
            f"{ROOM}.writing.card_files": SimpleNamespace(write_card_files=self._write_card),
        }

    def _write(self, file: Path, tick: Callable[[int, int], None]) -> None:
        with file.open("wb") as out:
            for done in range(TICKS):
                tick(done, TICKS)
                time.sleep(self.seconds / TICKS)
                out.write(bytes(self.size))
                out.flush()

    def _write_adapter(self, source: Any, folder: Path, say: Any, base_name: str) -> str:
        self.before("adapter")
        folder.mkdir()
        self._write(folder / "adapter_model.safetensors", lambda *_: None)
        return "torch.float32"

    def _write_merged(
        self, source: Any, folder: Path, dtype: Any, shard_bytes: int, tick: Any
    ) -> str:
        self.before("merged")
        folder.mkdir()
        self._write(folder / "model.safetensors", tick)
        return "torch.bfloat16"

    def _write_tokenizer(self, source: Any, folder: Path) -> tuple[int, ...]:
        (folder / "tokenizer.json").write_text("{}")
        return (1, 2)

    def _write_gguf(
        self, checkpoint: Path, file: Path, quantization: str, ends: Any, tick: Any, read: Any
    ) -> tuple[str, ...]:
        self.before("gguf")
        assert (checkpoint / "model.safetensors").is_file()
        assert tuple(ends) == (1, 2)
        self._write(file, tick)
        return ()

    def _write_modelfile(
        self, tokenizer: Any, checkpoint: Path, file: Path, ends: Any
    ) -> tuple[str, ...]:
        (file.parent / "Modelfile").write_text(f"FROM ./{file.name}\n")
        return ()

    def _prove(self, spec: ProofSpec, folder: Path, tick: Any) -> list[Check]:
        self.before("proof")
        self.specs.append(spec)
        assert spec.shipped.exists()
        for done in range(TICKS):
            tick("reading", done, TICKS)
            time.sleep(self.seconds / TICKS)
        return self.checks(spec)

    def _write_card(
        self, folder: Path, source: Any, recipe: Any, proofs: Any, *_: Any
    ) -> tuple[str, ...]:
        self.before("card")
        for one in folder.iterdir():
            assert not one.name.startswith("."), "what is left of the work is no part of it"
            (one / "README.md").write_text("card")
            (one / "README.md").chmod(0o600)
            (one / PROOF_FILE).write_text(str(encode_proofs(tuple(proofs))))
        return ("The base is not known to the Hub.",)


if __name__ == "__main__":
    from engine.worker.__main__ import main

    sys.modules.update(StandIns(float(sys.argv[2])).modules)
    sys.exit(main(["export", sys.argv[1]]))
