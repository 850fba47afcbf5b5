"""The texts of what exports write: proven as it is, in each form."""

from pathlib import Path

import torch

from engine.release.proof import Check
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf.write import write_gguf
from engine.worker.release.proving import text_checks
from engine.worker.release.proving.text_checks import check_texts
from engine.worker.release.writing.merged_folder import write_merged
from engine.worker.release.writing.tokenizer_folder import write_tokenizer
from tests.worker.release.made_exports import lora_source, spec_of


def silent(done: int, total: int) -> None:
    """Of progress."""


def test_every_form_of_a_run_has_its_texts(tmp_path: Path) -> None:
    source = lora_source(tmp_path)
    adapter, merged = tmp_path / "out" / "adapter", tmp_path / "out" / "merged"
    ends = write_tokenizer(source, adapter)
    write_merged(source, merged, torch.float32, 10**9, silent)
    write_tokenizer(source, merged)
    file = tmp_path / "out" / "gguf" / "model-F32.gguf"
    file.parent.mkdir()
    write_gguf(merged, file, "", ends, silent)
    assert ends == (1,)

    seen: list[tuple[int, int]] = []
    found: dict[str, list[Check]] = {}
    for target, shipped in (("adapter", adapter), ("merged", merged), ("gguf:f32", file)):
        spec = spec_of(source, shipped, target, ends, strings=300)
        tokenizer = load_tokenizer(spec.tokenizer)
        found[target] = check_texts(spec, tokenizer, lambda *step: seen.append(step))

    for target, checks in found.items():
        wrong = [check for check in checks if check.status == "failed"]
        assert not wrong, (target, wrong)
        assert checks[0].name == text_checks.PROMPTS
        assert checks[0].status == "passed"
    assert [len(checks) for checks in found.values()] == [5, 4, 9]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)] * 3
