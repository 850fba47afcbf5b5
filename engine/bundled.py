"""What ships with finetop: a small base model, its data, and the script that made them.

Owns the paths, and imports nothing heavy: `engine.demo.making` holds the scripts that made it.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent / "demo"

BASE = _HERE / "base"
"""The bundled checkpoint, in Hugging Face layout."""

DATA = _HERE / "data"
"""Data sets to fine-tune on: a folder each, with train.jsonl and eval.jsonl."""

SUITES = _HERE / "suites"
"""Held-out items, one file a skill."""

PROMPTS = _HERE / "prompts"
"""Prompts to compare two models on, one file a kind."""

PROBE = _HERE / "probe.txt"
"""Text that nothing bundled is trained on: what a run measures its forgetting on."""

PRETRAIN_RUN = _HERE / "pretrain_run"
"""The base model's own pre-training, as a finished job directory."""

RECIPE = _HERE / "recipe.toml"
"""The training recipe of `finetop demo`, and the defaults that were chosen for the base model."""

MAKE_DATA = _HERE / "make_data.toml"
"""A recipe that makes rows of the bundled reviews; its generator is for the user to name."""

REVIEWS = DATA / "reviews"
"""Raw reviews to make rows of (raw.jsonl), what is right of them (truth.jsonl), some that are
labelled, as questions with answers (labelled.jsonl), and held-out rows (eval.jsonl)."""
