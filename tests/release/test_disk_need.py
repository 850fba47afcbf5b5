"""What an export takes of a disk, from headers alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.number_format import write_size
from engine.release import disk_need
from engine.release.disk_need import MOST_KEPT, PLACES, check_room, measure_need
from engine.release.source import ExportSource
from engine.release.targets import parse_targets
from engine.worker.release.proving import proof_rows
from tests.checkpoints.made import make_adapter, make_model, pack

CARD = disk_need._CARD
TABLE = {"embed.weight": ("F16", [1000, 64]), "norm.weight": ("F32", [64])}
HALF, FULL = 1000 * 64 * 2 + 64 * 4, (1000 * 64 + 64) * 4


@pytest.fixture
def source(tmp_path: Path) -> ExportSource:
    base = make_model(tmp_path / "base", weights=pack(TABLE))
    adapter = make_adapter(tmp_path / "adapter", str(base))
    return ExportSource(
        Arm("a", "x"), base, adapter, base, base, None, base, None, (), None, "none"
    )


def _sizes(source: ExportSource, dtype: str, *targets: str) -> dict[str, int]:
    need = measure_need(source, parse_targets(targets), dtype, rows=0)
    return {**need.targets, "more": need.temporary}


def test_weights_count_as_they_are_stored_or_as_they_are_asked_for(source: ExportSource) -> None:
    beside = sum(path.stat().st_size for path in source.base.glob("*.json")) + CARD
    assert _sizes(source, "auto", "merged") == {"merged": HALF + beside, "more": 0}
    assert _sizes(source, "float32", "merged") == {"merged": FULL + beside, "more": 0}


def test_a_merged_model_that_only_gguf_needs_is_counted(source: ExportSource) -> None:
    beside = sum(path.stat().st_size for path in source.base.glob("*.json")) + CARD
    words = 10 * disk_need._WORD
    small = -(-(1000 * 64 + 64) * 34 // 32) + min(words, beside - CARD) + CARD
    own = HALF + min(words, beside - CARD) + CARD
    alone = _sizes(source, "auto", "gguf:q8_0")
    assert alone == {"gguf:q8_0": small, "more": HALF + beside}
    assert _sizes(source, "auto", "gguf:q8_0", "merged")["more"] == 0
    # llama-quantize reads a file of the weights' own type, which nobody asked for.
    assert _sizes(source, "auto", "gguf:q4_k_m", "merged")["more"] == own
    assert _sizes(source, "auto", "gguf:q4_k_m", "gguf:bf16", "merged")["more"] == 0


def test_every_adapter_of_a_chain_counts_once(source: ExportSource, tmp_path: Path) -> None:
    one = _sizes(source, "auto", "adapter")["adapter"]
    weights = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size
    stage = make_adapter(tmp_path / "run" / "adapter", None)
    chained = replace(source, before_adapter=stage, stages=(stage.parent,))
    assert _sizes(chained, "auto", "adapter")["adapter"] == one + weights


def test_a_quantised_model_is_never_merged_in_few_bits(source: ExportSource) -> None:
    packed = {
        "w.weight": ("U8", [500, 64]), "w.weight.quant_map": ("F32", [16]),
        "norm.weight": ("F32", [64]),
    }  # fmt: skip
    (source.base / "model.safetensors").write_bytes(pack(packed))
    beside = sum(path.stat().st_size for path in source.base.glob("*.json")) + CARD
    sizes = _sizes(source, "auto", "merged")
    assert sizes["merged"] == 2 * 500 * 64 * 2 + 64 * 4 + beside


def test_a_disk_without_room_is_refused_with_what_is_needed(
    source: ExportSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need = measure_need(source, parse_targets(["merged", "gguf"]), "float32", rows=0)

    def with_free(free: int) -> None:
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr("engine.release.disk_need.shutil.disk_usage", lambda _: usage)

    with_free(need.most)
    assert check_room(need, tmp_path) == need.most
    with_free(need.most - 1)
    with pytest.raises(EngineError) as refused:
        check_room(need, tmp_path)
    assert f"{write_size(need.most)} are needed" in refused.value.detail
    assert "merged 406 kB, gguf 406 kB, gguf:q8_0" in refused.value.detail


def test_what_the_proof_keeps_meanwhile_is_counted(source: ExportSource) -> None:
    """10 tokens of vocabulary, 64 places a row, in float32; and no more than its bound."""
    targets = parse_targets(["merged"])
    assert measure_need(source, targets, "auto", rows=50).temporary == 50 * 64 * 10 * 4
    assert measure_need(source, targets, "auto", rows=10**9).temporary == 4 << 30
    assert (PLACES, MOST_KEPT) == (proof_rows.MOST_PLACES, proof_rows.MOST_BYTES)
