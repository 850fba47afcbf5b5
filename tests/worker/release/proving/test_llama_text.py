"""What llama-perplexity writes of a text: read as its source packs it, by a stand-in here."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoints.describe import inspect
from engine.errors import EngineError
from engine.release.disk_need import TEXT_PLACES, TEXT_ROW, TEXT_ROWS, measure_need
from engine.release.targets import parse_targets
from engine.worker.release.proving.llama_text import choose_text_rows, read_text
from engine.worker.release.proving.proof_rows import ProofRow
from tests.worker.release.made_exports import full_source
from tests.worker.tiny import make_tokenizer

VOCABULARY = 5
ROWS = [ProofRow(tuple(range(at, at + TEXT_ROW)), tuple(range(65, TEXT_ROW))) for at in (0, 200)]


def pack(logits: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> bytes:
    """One row as tools/perplexity/perplexity.cpp packs its logits, in the words of its loop."""
    packed = b""
    for place in logits:
        most = float(place.max())
        least = max(float(place.min()), most - 16)
        normal = math.log(sum(math.exp(one - most) for one in place.tolist()))
        scale = (most - least) / 65535
        steps = [round((one - least) / scale) if one > least else 0 for one in place.tolist()]
        packed += np.array([scale, least - most - normal], "<f4").tobytes()
        packed += np.array([*steps, *[0] * (len(steps) % 2)], "<u2").tobytes()
    return packed


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tokens: list[int], body: bytes, **head: int
) -> Path:
    """A llama-perplexity that writes these rows, and what it was asked."""
    folder.mkdir()
    count, width = head.get("count", 2), head.get("length", TEXT_ROW)
    data = b"_logits_" + np.array([width, VOCABULARY, count, *tokens], "<i4").tobytes() + body
    (folder / "data").write_bytes(data)
    program = folder / "llama-perplexity"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "(folder / 'options').write_text(' '.join(sys.argv[1:]))\n"
        "given = dict(zip(sys.argv, sys.argv[1:]))\n"
        "pathlib.Path(given['--save-all-logits']).write_bytes((folder / 'data').read_bytes())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    return folder


def nothing() -> None:
    """To watch."""


def all_tokens() -> list[int]:
    return [token for row in ROWS for token in row.ids]


def test_each_place_is_read_as_it_was_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (2, TEXT_PLACES, VOCABULARY)).astype(np.float32)
    logits[0, 0] = [0, -1, -40, -15.9, -40]  # two are cut off 16 below the first
    logits[0, 1] = 0.0
    folder = install(tmp_path / "bin", monkeypatch, all_tokens(), pack(logits[0]) + pack(logits[1]))
    kept = torch.log_softmax(torch.zeros(2, TEXT_PLACES, VOCABULARY), -1)
    kept[0, 0, 2] = -35.0

    found = list(read_text(Path("m.gguf"), ROWS, iter(kept), tmp_path, nothing))

    true = torch.log_softmax(torch.from_numpy(logits), -1)
    least = true[0, 0, 0] - 16
    assert float(found[0][0, 2]) == -35.0  # as the run says, which lies below the bound
    assert float(found[0][0, 4]) == pytest.approx(float(least), abs=1e-4)
    for row, expected in zip(found, true, strict=True):
        expected[expected < -30] = row[expected < -30]
        assert torch.allclose(row, expected, atol=2e-4)
    options = (folder / "options").read_text()
    assert options.startswith("-m m.gguf -t 1")
    assert f"-c {TEXT_ROW} -b {TEXT_ROW} -ub {TEXT_ROW} --chunks 2" in options
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tokens": list(range(2 * TEXT_ROW))}, "reads the text as other tokens"),
        ({"body": b"short"}, "ends too early"),
        ({"length": 64}, "read 2 rows of 64 tokens"),
        ({"count": 3}, "read 3 rows"),
    ],
)
def test_another_file_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    reason: str,
) -> None:
    zeros = np.zeros((TEXT_PLACES, VOCABULARY), np.float32)
    tokens, body = all_tokens(), pack(zeros + 1e-3 * np.arange(5, dtype=np.float32)) * 2
    given: dict[str, object] = {"tokens": tokens, "body": body} | change
    install(tmp_path / "bin", monkeypatch, **given)  # type: ignore[arg-type]
    kept = torch.zeros(2, TEXT_PLACES, VOCABULARY)

    with pytest.raises(EngineError, match=reason):
        list(read_text(Path("m.gguf"), ROWS, iter(kept), tmp_path, nothing))


def test_rows_are_chosen_where_the_program_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    tokenizer = make_tokenizer()
    assert choose_text_rows(tokenizer, 512, 320) == ()
    install(tmp_path / "bin", monkeypatch, [], b"")

    rows = choose_text_rows(tokenizer, 512, 320)

    assert len(rows) == TEXT_ROWS
    assert {len(row.ids) for row in rows} == {TEXT_ROW}
    assert {row.places for row in rows} == {tuple(range(TEXT_ROW - TEXT_PLACES, TEXT_ROW))}
    assert rows[0].ids[1:] != rows[1].ids[1:]
    assert choose_text_rows(tokenizer, TEXT_ROW - 1, 320) == ()
    assert choose_text_rows(tokenizer, 512, max(rows[0].ids)) == ()


def test_its_file_is_counted_in_the_disk_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, targets = full_source(tmp_path), parse_targets(["gguf:f32"])
    vocabulary = inspect(source.base).vocab_size
    assert vocabulary
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    without = measure_need(source, targets, "auto").temporary
    install(tmp_path / "bin", monkeypatch, [], b"")
    more = measure_need(source, targets, "auto").temporary - without
    assert more == TEXT_ROWS * TEXT_PLACES * vocabulary * 6
