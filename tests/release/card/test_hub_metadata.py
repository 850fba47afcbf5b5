"""The Hub's rules for metadata, each broken once."""

from typing import Any

import pytest

from engine.release.card.hub_metadata import LICENSES, list_problems

GOOD: dict[str, Any] = {
    "license": "other",
    "license_name": "qwen-research",
    "license_link": "LICENSE",
    "base_model": "Qwen/Qwen2.5-3B",
    "base_model_relation": "finetune",
    "library_name": "transformers",
    "pipeline_tag": "text-generation",
    "tags": ["finetop", "sft"],
    "datasets": ["imdb", "HuggingFaceH4/no_robots"],
}
FILES = ("README.md", "LICENSE")


def test_a_card_that_the_hub_takes() -> None:
    assert list_problems(GOOD, FILES) == ()
    plain = {"license": "unknown", "library_name": "gguf", "pipeline_tag": "text-generation"}
    assert list_problems(plain, ()) == ()


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"license": None}, "license"),
        ({"license": "Apache 2.0"}, "license"),
        ({"license": ["mit"]}, "license"),
        ({"license": "mit"}, "license_name"),
        ({"license_name": "Qwen Research"}, "license_name"),
        ({"license_name": None}, "license_name"),
        ({"license_link": "LICENSE.md"}, "license_link"),
        ({"license_link": "http://a.example/x"}, "license_link"),
        ({"license_link": "https://a.example/x y"}, "license_link"),
        ({"base_model": "/models/x"}, "base_model"),
        ({"base_model": "bundled:demo-base"}, "base_model"),
        ({"base_model": None}, "base_model_relation"),
        ({"base_model_relation": "merged"}, "base_model_relation"),
        ({"library_name": "lora"}, "library_name"),
        ({"pipeline_tag": "chat"}, "pipeline_tag"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"tags": []}, "tags"),
        ({"tags": "sft"}, "tags"),
        ({"tags": ["two words"]}, "tags"),
        ({"tags": [3]}, "tags"),
        ({"datasets": ["/data/train.jsonl"]}, "datasets"),
        ({"datasets": ["a/b/c"]}, "datasets"),
        ({"model-index": []}, "model-index"),
        ({"language": "english"}, "language"),
    ],
)
def test_a_broken_rule_is_named(changed: dict[str, Any], key: str) -> None:
    (problem,) = list_problems(GOOD | changed, FILES)[:1]
    assert problem.startswith(key)


def test_the_hub_s_licenses() -> None:
    assert {"gemma", "llama3.2", "llama4", "unknown", "other", "cc-by-nc-4.0"} <= LICENSES
    assert not {"array", "llama-3", "cc-by-nc"} & LICENSES
