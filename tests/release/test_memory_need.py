"""What an export takes of memory, from headers alone, beside what was measured of whole exports."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.estimates import fit
from engine.number_format import write_size
from engine.release.memory_need import check_machine, estimate_memory
from engine.release.source import ExportSource
from engine.release.targets import parse_targets
from tests.checkpoints.made import make_adapter, make_model

ALL = ("adapter", "merged", "gguf", "gguf:q8_0")
MOST = 1.3
"""Times what is taken, at most: waiting for more would hold up who could start."""


@pytest.fixture
def source(tmp_path: Path) -> ExportSource:
    base = make_model(tmp_path / "base")
    adapter = make_adapter(tmp_path / "adapter", str(base))
    return ExportSource(
        Arm("a", "x"), base, adapter, base, base, None, base, None, (), None, "none"
    )


def write_sparse(folder: Path, kind: str, vocabulary: int, tokenizer: int, **config: Any) -> Path:
    """A model whose files have their sizes and no content: rows of 64 numbers and the embedding."""
    rows, hidden = config.pop("rows"), config["hidden_size"]
    width = 4 if kind == "F32" else 2
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    make_model(folder, **layers | config, vocab_size=vocabulary)
    sizes = {"embed.weight": [vocabulary, hidden], "rest.weight": [rows, 64]}
    header, at = {}, 0
    for name, shape in sizes.items():
        end = at + shape[0] * shape[1] * width
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    with (folder / "tokenizer.json").open("ab") as file:
        file.truncate(tokenizer)
    return folder


def estimate(source: ExportSource, *targets: str) -> Mapping[str, int]:
    return estimate_memory(source, parse_targets(targets), "auto").steps


def write_llama(folder: Path) -> Path:
    """60.8 M parameters in float32, a vocabulary of 2,048."""
    sizes = {"num_hidden_layers": 12, "num_attention_heads": 10, "intermediate_size": 1728}
    return write_sparse(folder, "F32", 2048, 124_517, hidden_size=640, rows=929_530, **sizes)


def write_gemma(folder: Path) -> Path:
    """Gemma 3 270M: bfloat16, a vocabulary of 262,144."""
    sizes = {
        "num_hidden_layers": 18, "num_attention_heads": 4, "num_key_value_heads": 1,
        "head_dim": 256, "intermediate_size": 2048,
    }  # fmt: skip
    return write_sparse(
        folder, "BF16", 262_144, 33_371_397, hidden_size=640, rows=1_567_938, **sizes
    )


MEASURED = [
    (lambda _: BASE, 1_000_000, {"adapter": 851, "merged": 861, "gguf": 862}),
    (write_llama, 9_000_000, {"adapter": 1241, "merged": 1348, "gguf": 1430}),
    (write_gemma, 7_626_520, {"adapter": 3546, "merged": 3506, "gguf": 4526, "gguf:q8_0": 4421}),
]
"""The bundled model, one of 60 M and Gemma 3 270M: bytes of the adapter, and for each target MB of
its worker (resident) and its proof (at its peak) together, in exports of all targets on two
cores."""


@pytest.mark.parametrize(("write", "adapter", "measured"), MEASURED)
def test_the_estimate_is_an_upper_bound_and_not_much_above_what_was_measured(
    source: ExportSource,
    tmp_path: Path,
    write: Callable[[Path], Path],
    adapter: int,
    measured: Mapping[str, int],
) -> None:
    base = write(tmp_path / "measured")
    assert source.adapter is not None
    with (source.adapter / "adapter_model.safetensors").open("ab") as file:
        file.truncate(adapter)
    found = replace(source, base=base, tokenizer=base)
    for target, taken in measured.items():
        needed = estimate_memory(found, parse_targets([target]), "auto").most
        assert taken <= needed / 1e6 <= MOST * taken, target


def test_each_target_has_its_step_and_the_largest_is_what_is_needed(source: ExportSource) -> None:
    need = estimate_memory(source, parse_targets(ALL), "auto")
    assert list(need.steps) == ["merging", *(f"proving {name}" for name in ALL)]
    assert need.most == max(need.steps.values())
    assert need.words == f"about {write_size(need.most)} needed ({need.step})"
    assert list(estimate(source, "adapter")) == ["proving adapter"]
    assert "merging" in estimate(source, "gguf:q8_0"), "of a merged model that is not kept"


def test_a_model_of_other_bytes_is_its_file_while_it_is_converted(
    source: ExportSource, tmp_path: Path
) -> None:
    sizes = {"hidden_size": 64, "rows": 10_000_000}
    found = []
    for kind in ("F32", "BF16"):
        base = write_sparse(tmp_path / kind, kind, 100, 1000, **sizes)
        found.append(estimate(replace(source, base=base), "adapter")["proving adapter"])
    assert found[1] - found[0] == pytest.approx(1.05 * 2 * 640_000_000, rel=0.01)


def test_what_the_machine_does_not_have_is_refused_and_what_others_use_is_waited_for(
    source: ExportSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = parse_targets(["adapter", "gguf:q8_0"])
    need = replace(
        estimate_memory(source, targets, "auto"),
        steps={"merging": 5, "proving adapter": 4, "proving gguf:q8_0": 8},
    )
    monkeypatch.setattr(fit, "free_main_memory", lambda: 1)
    monkeypatch.setattr(fit, "machine_memory", lambda: 8)
    assert check_machine(need, targets) == 1
    for machine, hint in (
        (7, "Ask for fewer targets (--as adapter would fit), or use a machine with more memory."),
        (4, "Ask for fewer targets (--as adapter would fit), or use a machine with more memory."),
        (3, "Use a machine with more memory."),
    ):
        monkeypatch.setattr(fit, "machine_memory", lambda machine=machine: machine)
        with pytest.raises(EngineError, match="does not fit in the memory") as refused:
            check_machine(need, targets)
        assert refused.value.hint == hint
        assert f"(proving gguf:q8_0); the machine has {machine} B" in refused.value.detail
