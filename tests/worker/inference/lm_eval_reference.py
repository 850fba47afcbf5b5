"""A program of its own: what lm-evaluation-harness measures of the bundled model.

`lm_eval_numbers.json` was written by it with lm_eval 0.4.13, which finetop does not need:

    PYTHONPATH=FOLDER_OF_LM_EVAL python -m tests.worker.inference.lm_eval_reference FILE

in float32 on a CPU, one row a batch, without a chat template and without a network. The documents
are bundled items, and a few with edges of tokenization: white space at the end of a question, a
choice that begins another one, other scripts.
"""

import hashlib
import json
import os
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.bundled import BASE, DATA, SUITES
from engine.chat import Message
from engine.compare.item_reader import read_items
from engine.compare.items import Item

SHOTS = 5
_EDGES = {
    "prefix": ("Name an emotion.\nAnswer:", ("joy", "joyful", "joy and fear")),
    "space": ("Name an emotion: ", ("joy", "joyful")),
    "newline": ("Two and two make\n", ("four", "five", "14")),
    "scripts": ("La capitale de la France ?", ("Paris", "Zürich", "東京")),
}


def list_emotions(first: int, count: int) -> list[Item]:
    """Held-out rows of the bundled data set, each with all its labels."""
    items = read_items(DATA / "emotion" / "eval.jsonl")
    labels = tuple(sorted({item.reference for item in items}))
    return [
        replace(item, score="choices", gold=(item.reference,), choices=labels)
        for item in items[first : first + count]
    ]


def list_facts(first: int, count: int) -> list[Item]:
    """Items of the bundled suite that have few choices, of unlike numbers, and no system message:
    that of an item stands before its examples here."""
    items = read_items(SUITES / "facts.jsonl")
    few = [one for one in items if 1 < len(one.choices) <= 8 and len(one.messages) == 1]
    groups = {one.group: one for one in reversed(few)}  # no example is of an item's group
    return list(groups.values())[::-1][first : first + count]


def list_edges() -> list[Item]:
    return [
        Item(name, (Message("user", question),), score="choices", gold=choices[:1], choices=choices)
        for name, (question, choices) in _EDGES.items()
    ]


SUITES_OF = {
    "emotion": (list_emotions(0, 16), list_emotions(100, SHOTS)),
    "facts": (list_facts(0, 16), list_facts(40, SHOTS)),
    "edges": (list_edges(), []),
}
"""Items, and the fixed examples that stand before them."""


def list_texts() -> dict[str, str]:
    """Short ones, one of two windows, one of many, one of another script, a single letter."""
    prose = [item.text for item in read_items(SUITES / "prose.jsonl") if item.text]
    return {
        "short": prose[0],
        "two windows": " ".join(prose[:8]),
        "many windows": "\n".join(prose[20:50]),
        "letter": "a",
        "scripts": "Zürich — 東京.",
    }


def _document(item: Item) -> dict[str, Any]:
    question = "\n\n".join(message.content for message in item.messages)
    gold = item.choices.index(item.gold[0])
    return {"id": item.id, "question": question, "choices": list(item.choices), "gold": gold}


def _task(name: str, folder: Path, documents: list[dict[str, Any]]) -> dict[str, Any]:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), "utf-8")
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(path)}}}
    return {"task": name, "test_split": "test", **data}


def _choice_task(name: str, folder: Path, shots: int) -> dict[str, Any]:
    items, examples = SUITES_OF[name]
    task = _task(f"{name} {shots}", folder, list(map(_document, items))) | {
        "output_type": "multiple_choice",
        "doc_to_text": "question",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "num_fewshot": shots,
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    if shots:
        task["fewshot_config"] = {
            "sampler": "first_n",
            "samples": list(map(_document, examples)),
        }
    return task


def _text_task(folder: Path) -> dict[str, Any]:
    documents = [{"id": name, "text": text} for name, text in list_texts().items()]
    return _task("texts", folder, documents) | {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "text",
        "metric_list": [{"metric": "byte_perplexity"}, {"metric": "bits_per_byte"}],
    }


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_prompts(task: dict[str, Any]) -> dict[str, str]:
    """What each question becomes by the model's chat template, with examples as earlier turns."""
    model_class = import_module("lm_eval.models.huggingface").HFLM
    measured = import_module("lm_eval").simple_evaluate(
        model=model_class(pretrained=str(BASE), dtype="float32", device="cpu", batch_size=1),
        tasks=[task],
        log_samples=True,
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
    )
    (samples,) = measured["samples"].values()
    return {one["doc"]["id"]: hash_text(one["arguments"][0][0]) for one in samples}


def _measure(tasks: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    model_class = import_module("lm_eval.models.huggingface").HFLM
    model = model_class(
        pretrained=str(BASE), dtype="float32", device="cpu", batch_size=1, **options
    )
    evaluate = import_module("lm_eval").simple_evaluate
    measured = evaluate(model=model, tasks=tasks, log_samples=True, bootstrap_iters=0)
    table = {}
    for task, samples in measured["samples"].items():
        values = {key.partition(",")[0]: one for key, one in measured["results"][task].items()}
        table[task] = {
            "items": {sample["doc"]["id"]: _values_of(sample) for sample in samples},
            **{key: one for key, one in values.items() if isinstance(one, float)},
        }
    return table


def _values_of(sample: dict[str, Any]) -> Any:
    answers = sample["filtered_resps"]
    if "acc" not in sample:
        return answers[0]
    metrics = {name: sample[name] for name in ("acc", "acc_norm")}
    return {"sums": [total for total, _ in answers], **metrics}


def main() -> None:
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HF_HOME"] = str(folder / "home")
        choices = [
            _choice_task(task, folder, shots)
            for task, (_, examples) in SUITES_OF.items()
            for shots in ((0, SHOTS) if examples else (0,))
        ]
        table = _measure([*choices, _text_task(folder)])
        chat = {"items": _hash_prompts(_choice_task("emotion", folder, SHOTS))}
        table["texts without bos"] = _measure([_text_task(folder)], add_bos_token=False)["texts"]
        table["prompts by the chat template"] = chat
    Path(sys.argv[1]).write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
