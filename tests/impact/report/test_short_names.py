"""Names without a machine: what is dropped, what stays, and that two stay two."""

import pytest

from engine.compare.arms import parse_arm
from engine.impact.report.short_names import ShortNames, find_run_id, name_endpoint


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("bundled:demo-base", "bundled:demo-base"),
        ("run:emotion-1a2b", "run:emotion-1a2b"),
        ("/home/ana/models/llama", "llama"),
        ("models/llama/", "llama"),
        ("~/runs/emotion-1a2b/adapter", "emotion-1a2b/adapter"),
        ("/data/runs/emotion-1a2b/checkpoints/checkpoint-120", "emotion-1a2b/checkpoint-120"),
        ("/h/.cache/hub/models--google--gemma/snapshots/0a1b2c", "google/gemma"),
        ("http://gpu.lan:8000/v1", "endpoint"),
        ("", ""),
    ],
)
def test_a_ref_keeps_its_name_alone(ref: str, name: str) -> None:
    assert ShortNames().name_ref(ref) == name


def test_two_paths_of_one_name_stay_two_and_each_keeps_its_own() -> None:
    names = ShortNames()
    each = [names.name_ref(ref) for ref in ("/a/model-x", "/b/model-x", "/a/model-x", "/c/model-x")]
    assert each == ["model-x", "model-x (2)", "model-x", "model-x (3)"]


def test_a_number_never_meets_a_name_that_is_written_so() -> None:
    names = ShortNames()
    each = [names.name_ref(ref) for ref in ("/a/x (2)", "/a/x", "/b/x")]
    assert len(set(each)) == 3


def test_an_arm_loses_paths_addresses_and_the_name_of_its_key() -> None:
    names = ShortNames()
    assert names.name_arm(
        "t=/home/ana/m+/home/ana/a@0.5?tools=/home/ana/t.json&system=Be%20kind"
    ) == ("t=m+a@0.5?system=Be kind&tools=t.json")
    assert names.name_arm("big=http://gpu.lan:8000/v1?model=llama&key=LAB_KEY") == (
        "big=endpoint?model=llama"
    )


def test_a_server_that_is_called_by_its_host_is_called_by_its_model() -> None:
    by_host = parse_arm("http://gpu.lan:8000/v1?model=llama")
    assert by_host.name == "gpu.lan:8000"
    assert name_endpoint(by_host, ["llama"]) == "llama (2)"
    named = parse_arm("mine=http://gpu.lan:8000/v1?model=llama")
    assert name_endpoint(named, []) == "mine"


@pytest.mark.parametrize(
    ("text", "cleared"),
    [
        ("/home/ana/models/x is gone", "x is gone"),
        ("the adapter /mnt/a/b was not trained here", "the adapter b was not trained here"),
        ("no answer of http://gpu.lan:8000/v1, again", "no answer of endpoint, again"),
        ("3 and/or 4 of 1/2 items", "3 and/or 4 of 1/2 items"),
        ("run:a/b stays", "run:a/b stays"),
    ],
)
def test_a_sentence_loses_paths_and_addresses(text: str, cleared: str) -> None:
    assert ShortNames().clear_text(text) == cleared


def test_a_known_path_with_spaces_is_replaced_whole() -> None:
    names = ShortNames()
    names.name_ref("/home/ana maria/my model")
    assert names.clear_text("/home/ana maria/my model is gone") == "my model is gone"


def test_the_run_behind_a_ref_is_known_by_words_alone() -> None:
    assert [find_run_id(ref) for ref in (
        "run:a-1", "/x/a-00ff/adapter", "/x/a-00ff/checkpoints/checkpoint-3", "/x/y/model",
        "bundled:b", "/x/y", "adapter", "/",
    )] == ["a-1", "a-00ff", "a-00ff", "", "", "", "", ""]  # fmt: skip
