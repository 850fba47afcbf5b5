"""The memory estimate beside real runs, on the CPU: models of 100 M parameters or more.

    python -m tests.benchmarks.bench_memory [--calibrate] [--trials N]

Each trial makes a checkpoint of random weights, trains it for two steps by a real worker, and
compares the growth of its resident memory after the imports with the estimate. The coefficients in
`engine.estimates.memory` were fixed on CALIBRATION alone; the table holds HELD_OUT.

Where weights are frozen and used as stored they are mapped files: rows of an embedding that is not
the head as well, and that the few words of these runs never name, are counted and not resident.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.estimates import memory
from engine.jobs import directory, launch
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from tests.benchmarks.results import NOT_MEASURED, Outcome, Row, printed

HOME = Path(__file__).resolve().parents[2]
STEPS = 2

MODELS: Mapping[str, Mapping[str, Any]] = {
    "llama 134 M": {
        "model_type": "llama", "vocab_size": 32_000, "hidden_size": 768, "intermediate_size": 2048,
        "num_hidden_layers": 12, "num_attention_heads": 12, "num_key_value_heads": 12,
    },
    "llama 163 M, grouped queries": {
        "model_type": "llama", "vocab_size": 49_152, "hidden_size": 896, "intermediate_size": 2432,
        "num_hidden_layers": 14, "num_attention_heads": 14, "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    "gpt2 124 M": {
        "model_type": "gpt2", "vocab_size": 50_257, "n_embd": 768, "n_layer": 12, "n_head": 12,
        "n_positions": 1024,
    },
    "qwen2 123 M, vocabulary 152 k": {
        "model_type": "qwen2", "vocab_size": 151_936, "hidden_size": 640,
        "intermediate_size": 1728, "num_hidden_layers": 6, "num_attention_heads": 10,
        "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "gemma 126 M": {
        "model_type": "gemma", "vocab_size": 128_000, "hidden_size": 640,
        "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 4,
        "num_key_value_heads": 1, "head_dim": 256,
    },
    "phi 150 M": {
        "model_type": "phi", "vocab_size": 51_200, "hidden_size": 768, "intermediate_size": 3072,
        "num_hidden_layers": 10, "num_attention_heads": 12, "num_key_value_heads": 12,
    },
    "mistral 178 M": {
        "model_type": "mistral", "vocab_size": 32_000, "hidden_size": 1024,
        "intermediate_size": 2816, "num_hidden_layers": 10, "num_attention_heads": 16,
        "num_key_value_heads": 4, "head_dim": 64, "sliding_window": None,
    },
    "qwen3 128 M": {
        "model_type": "qwen3", "vocab_size": 65_536, "hidden_size": 768,
        "intermediate_size": 2304, "num_hidden_layers": 10, "num_attention_heads": 12,
        "num_key_value_heads": 4, "head_dim": 64, "tie_word_embeddings": True,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trial:
    model: str
    changes: tuple[str, ...]
    """To the recipe; `batch`, `length` and `kind` are short for what they say."""
    stored: str = "float32"
    rows: str = "text"
    """`answers`: instructions, whose answers alone are learned; `pairs`: preferences."""

    @property
    def name(self) -> str:
        stored = "" if self.stored == "float32" else f", stored in {self.stored}"
        answers = ", answers only" if self.rows == "answers" else ""
        return f"{self.model}, {', '.join(self.changes)}{stored}{answers}"


CALIBRATION = (
    Trial("llama 134 M", ("kind=lora", "batch=4", "length=128")),
    Trial("gpt2 124 M", ("kind=lora", "batch=2", "length=128")),
    Trial("llama 134 M", ("kind=full", "batch=2", "length=96")),
    Trial("qwen2 123 M, vocabulary 152 k", ("kind=lora", "batch=4", "length=64")),
    Trial("gemma 126 M", ("kind=full", "batch=2", "length=64")),
    Trial("phi 150 M", ("kind=lora", "batch=4", "length=128", "checkpointing=true")),
    Trial("mistral 178 M", ("kind=lora", "batch=2", "length=128", "method.dropout=0.1")),
    Trial("qwen3 128 M", ("kind=lora", "batch=2", "length=128", "method.variant=dora")),
    Trial("mistral 178 M", ("kind=lora", "batch=4", "length=128", "method.quantize=4bit")),
)
HELD_OUT = (
    Trial("llama 163 M, grouped queries", ("kind=lora", "batch=8", "length=128")),
    Trial(
        "llama 163 M, grouped queries",
        ("kind=full", "batch=2", "length=128", "checkpointing=true"),
    ),
    Trial("gpt2 124 M", ("kind=full", "batch=4", "length=128")),
    Trial("llama 134 M", ("kind=lora", "batch=2", "length=256", "method.variant=dora")),
    Trial(
        "qwen3 128 M",
        ("kind=full", "batch=2", "length=64", "training.gradient_accumulation_steps=2"),
    ),
    Trial("qwen2 123 M, vocabulary 152 k", ("kind=full", "batch=1", "length=128")),
    Trial("gemma 126 M", ("kind=lora", "batch=4", "length=128"), rows="answers"),
    Trial("phi 150 M", ("kind=lora", "batch=2", "length=256"), stored="float16"),
    Trial("mistral 178 M", ("kind=lora", "batch=1", "length=384", "method.rank=32")),
    Trial("llama 134 M", ("kind=lora", "batch=1", "length=32", "training.dtype=bfloat16")),
    Trial(
        "llama 163 M, grouped queries",
        ("kind=lora", "batch=2", "length=256", "method.quantize=4bit"),
    ),
    Trial("llama 134 M", ("kind=lora", "batch=2", "length=192", "training.packing=true")),
    Trial(
        "qwen3 128 M", ("kind=lora", "batch=2", "length=96", "training.objective=dpo"), rows="pairs"
    ),
)  # fmt: skip
_SHORT = {
    "kind": "method.kind",
    "batch": "training.batch_size",
    "length": "data.max_length",
    "checkpointing": "training.gradient_checkpointing",
}


def bench(trials: int = len(HELD_OUT)) -> Outcome:
    """The held-out configurations. Raises AssertionError where a run fails."""
    with _own_folders() as folder:
        found = [(trial, *measure(trial, folder)) for trial in HELD_OUT[:trials]]
    rows = [_row(*one) for one in found]
    worst = max(abs(_error(predicted, grown)) for _, predicted, grown in found)
    rows.append(Row(f"largest error over {len(found)} held-out configurations", f"{worst:.1f} %",
                    "at most 25 %"))  # fmt: skip
    rows.append(Row("largest error on a GPU (tests/worker/model/test_memory_gpu.py)", NOT_MEASURED))
    return Outcome(rows, {"steps": STEPS, "threads": 1})


def measure(trial: Trial, folder: Path) -> tuple[int, int]:
    """Predicted and measured growth of resident memory in bytes, of a run in `folder`."""
    checkpoint = make_checkpoint(trial, folder)
    wanted = make_recipe(trial, checkpoint, make_rows(folder, trial.rows))
    job = directory.create(folder / "runs", wanted, [], [])
    command = [sys.executable, "-P", "-c", _START.format(home=str(HOME)), str(job.path)]
    family = str(MODELS[trial.model]["model_type"])
    done = subprocess.run([*command, family], capture_output=True, text=True, check=False)
    log = launch.log_tail(job.attempt(1).log, 200) or done.stderr[-2000:]
    assert done.returncode == 0, f"{trial.name}: {log}"
    found = json.loads((job.path / "peak.json").read_bytes())
    config = json.loads((checkpoint / "config.json").read_bytes())
    share = _learned(log, wanted.data.max_length)
    predicted = memory.estimate(config, wanted, target_share=share).total
    shutil.rmtree(job.path)
    shutil.rmtree(checkpoint)
    grown = found["peak"] - found["before"]
    print(f"{_error(predicted, grown):+6.1f} %  {predicted >> 20:6,} MiB predicted, "
          f"{grown >> 20:6,} MiB grown  {trial.name}", flush=True)  # fmt: skip
    return predicted, grown


_START = (
    "import runpy, sys; sys.path.insert(0, {home!r}); "
    "runpy.run_module('tests.benchmarks.peak', run_name='__main__')"
)


def make_recipe(trial: Trial, checkpoint: Path, rows: Path) -> TrainRecipe:
    table = {
        "name": "measured",
        "device": "cpu",
        "model": {"checkpoint": str(checkpoint)},
        "data": {"train": str(rows), "eval_fraction": 0.1},
        "training": {"max_steps": STEPS, "evaluations": 1, "saves": 1},
        "samples": {"count": 1, "max_new_tokens": 4},
    }
    changes = []
    for change in trial.changes:
        key, _, value = change.partition("=")
        changes.append(f"{_SHORT.get(key, key)}={value}")
    built = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(built, TrainRecipe)
    return built


def make_checkpoint(trial: Trial, folder: Path) -> Path:
    """Random weights. Made in another process: this one needs no torch."""
    path = folder / "checkpoint"
    subprocess.run(
        [sys.executable, "-P", "-c", _MAKE.format(home=str(HOME)), json.dumps(MODELS[trial.model]),
         trial.stored, str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


_MAKE = """
import json, sys
sys.path.insert(0, {home!r})
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from tests.worker.tiny import make_tokenizer
settings, stored, path = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
tokenizer = make_tokenizer()
config = AutoConfig.for_model(
    settings.pop("model_type"), max_position_embeddings=2048, **settings,
    bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
)
torch.manual_seed(0)
AutoModelForCausalLM.from_config(config, dtype=getattr(torch, stored)).save_pretrained(path)
tokenizer.save_pretrained(path)
"""


def make_rows(folder: Path, kind: str) -> Path:
    """Rows that are longer than any length tried here."""
    path = folder / f"rows-{kind}.jsonl"
    long = "sadness joy love anger fear surprise " * 200
    made: Sequence[Mapping[str, str]] = [
        {"instruction": f"{number} i miss my dog", "output": long} if kind == "answers"
        else {"prompt": f"{number} i miss", "chosen": long, "rejected": f"no {long}"}
        if kind == "pairs"
        else {"text": f"{number} {long}"}
        for number in range(20)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return path


def _learned(log: str, length: int) -> float:
    """The share of tokens that the loss counts, by the run's own log; every row is cut."""
    found = re.search(r"(\d+) training rows \(([\d,]+) trained tokens per epoch\)", log)
    assert found is not None, log
    return int(found[2].replace(",", "")) / (int(found[1]) * length)


def _row(trial: Trial, predicted: int, grown: int) -> Row:
    said = f"{_error(predicted, grown):+.1f} % ({predicted >> 20:,} MiB for {grown >> 20:,} MiB)"
    return Row(trial.name, said)


def _error(predicted: int, grown: int) -> float:
    """In per cent of what was measured."""
    return 100 * (predicted / grown - 1)


@contextmanager
def _own_folders() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in ("STATE", "LOCKS", "RUNS"):
            os.environ[f"FINETOP_{one}"] = str(folder / one.lower())
            (folder / one.lower()).mkdir()
        os.environ["OMP_NUM_THREADS"] = "1"
        yield folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibrate", action="store_true", help="the set to fix coefficients on")
    parser.add_argument("--trials", type=int, default=len(HELD_OUT))
    options = parser.parse_args()
    if not options.calibrate:
        print(printed(bench(options.trials).rows))
        return
    with _own_folders() as folder:
        for trial in CALIBRATION[: options.trials]:
            measure(trial, folder)


if __name__ == "__main__":
    main()
