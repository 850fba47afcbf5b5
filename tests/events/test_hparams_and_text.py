"""Hyper-parameters and texts, as torch, TensorBoard, Lightning and ML-Agents write them."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import hparams_and_text, hparams_yaml
from engine.events.hparams_and_text import settings_of
from engine.events.log_dir import LogDir
from engine.events.log_set import Fleet
from engine.events.tail import Last
from tests.events.encoding import (
    bytes_field,
    event,
    event_file,
    metadata,
    number_field,
    simple,
    version,
)


def text_value(tag: str, *strings: bytes) -> bytes:
    content = number_field(1, 7) + b"".join(bytes_field(8, one) for one in strings)
    return bytes_field(1, tag.encode()) + bytes_field(8, content) + metadata("text")


def read(folder: Path) -> LogDir:
    logs = LogDir(folder)
    logs.poll()
    return logs


def test_the_newest_text_of_a_tag_is_kept_and_cut(tmp_path: Path) -> None:
    long = b"y" * (hparams_and_text.TEXT_BYTES + 5)
    event_file(
        tmp_path,
        event(1, 1, text_value("sample", b"old")),
        event(2, 2, text_value("sample", b"new", b"line \xff")),
        event(3, 3, text_value("long/text_summary", long)),
        *[event(4, at, text_value(f"t{at}", b"x")) for at in range(100)],
    )
    texts = read(tmp_path).texts
    assert texts["sample"].text == "new\nline �"
    assert (texts["sample"].step, texts["sample"].wall_time) == (2, 2.0)
    cut = texts["long/text_summary"]
    assert (cut.tag, len(cut.text), cut.size) == ("long", hparams_and_text.TEXT_BYTES, len(long))
    assert len(texts) == hparams_and_text.TEXTS_KEPT


def test_torch_writes_hyper_parameters_and_texts(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path / "run"))
    arguments = {"learning_rate": 1e-4, "lora": {"r": 8}, "tags": ["a", "b"], "seed": None}
    writer.add_text("args", json.dumps(arguments))
    writer.add_text("model_config", json.dumps({"hidden_size": 64}))
    given = {"lr": 0.1, "layers": 4, "name": "tiny", "flag": True}
    writer.add_hparams(given, {"hparam/accuracy": 0.5}, run_name="hp")
    writer.close()
    fleet = Fleet([tmp_path])
    fleet.poll()
    run, nested = fleet.runs
    assert nested.name == "run/hp"
    assert nested.settings == {"lr": 0.1, "layers": 4.0, "name": "tiny", "flag": True}
    assert nested.last("hparam/accuracy").value == 0.5  # type: ignore[union-attr]
    assert run.settings == {
        "learning_rate": 1e-4,
        "lora.r": 8,
        "tags": '["a", "b"]',
        "seed": None,
        "model_config.hidden_size": 64,
    }


def test_tensorboard_writes_hyper_parameters(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import summary_v2

    proto = summary_v2.hparams_pb({"lr": 0.25, "opt": "adam", "ema": False})
    event_file(tmp_path, event(1, 0, *[value.SerializeToString() for value in proto.value]))
    logs = read(tmp_path)
    assert logs.settings == {"lr": 0.25, "opt": "adam", "ema": False}
    assert logs.others["hparams"] == 1


def test_lightning_writes_yaml_beside(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    given = {
        "lr": 0.0003,
        "small": 1e-05,
        "epochs": 10,
        "name": "a: b",
        "flag": True,
        "none": None,
        "optimizer": {"kind": "adam", "betas": [0.9, 0.95]},
        "path": "/data/x y",
        "quoted": "true",
        "apostrophe": "it's",
    }
    (tmp_path / "hparams.yaml").write_text(yaml.safe_dump(given))
    event_file(tmp_path, event(1, 1, simple("a", 1)))
    logs = read(tmp_path)
    assert logs.settings == {
        **{key: value for key, value in given.items() if key != "optimizer"},
        "optimizer.kind": "adam",
        "optimizer.betas": "[0.9, 0.95]",
    }
    (tmp_path / "hparams.yaml").write_text("lr: 1")
    assert logs.poll()
    assert logs.settings == {"lr": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}\n", {}),
        ("a: !!python/object:x.Y\n  b: 1\n", {"a.b": 1}),
        ("a: .nan # why\nb: 'x # y'\nc: 1_000\n", {"a": "nan", "b": "x # y", "c": 1000}),
        ("- a\n- b\n\x00:\n", {}),
        (":\n::\n  - \nx", {}),
    ],
)
def test_yaml_that_is_not_plain(text: str, expected: dict[str, object]) -> None:
    found = hparams_yaml.read(text)
    shown = {key: "nan" if value != value else value for key, value in found.items()}
    assert {key: shown.get(key) for key in expected} == expected


VALUES = st.text(max_size=12) | st.from_regex(r"[-+]?[\d_.e]*", fullmatch=True)
LINES = st.tuples(st.sampled_from(["", " ", "  ", "- "]), st.text(max_size=6), VALUES)


@settings(max_examples=100, deadline=None)
@given(st.text() | st.lists(LINES.map("{0[0]}{0[1]}: {0[2]}".format)).map("\n".join))
def test_any_yaml_is_read(text: str) -> None:
    for name, value in hparams_yaml.read(text).items():
        assert isinstance(name, str)
        assert value is None or isinstance(value, str | int | float)


LONG = 1 << 20


@pytest.mark.parametrize(
    "text",
    ["a: " + "1" * LONG, "a: " + "1" * LONG + "x", "a" + " " * LONG + "b", "a:" * LONG, " " * LONG],
    ids=["digits", "almost digits", "spaces", "colons", "nothing"],
)
def test_long_lines_of_yaml_are_passed_over_or_cut(text: str) -> None:
    """In no more steps than they have letters; else this would not end."""
    for name, value in hparams_yaml.read(text).items():
        assert max(len(name), len(str(value))) <= hparams_and_text.SETTING_LETTERS


def test_settings_that_lie_too_deep(tmp_path: Path) -> None:
    def listed(value: bytes) -> bytes:
        return bytes_field(6, bytes_field(1, value))

    value = number_field(4, 1)
    for _ in range(1500):
        value = listed(value)
    entry = bytes_field(1, b"deep") + bytes_field(2, value)
    content = number_field(1, 0) + bytes_field(3, bytes_field(1, entry))
    plugin = bytes_field(1, bytes_field(1, b"hparams") + bytes_field(2, content))
    deep = bytes_field(1, b"_hparams_/session_start_info") + bytes_field(9, plugin)
    table = b'{"a":' * 900 + b"1" + b"}" * 900
    event_file(tmp_path, event(1, 1, text_value("args", table), deep, simple("loss", 1)))
    fleet = Fleet([tmp_path])
    fleet.poll()
    assert fleet.runs[0].series["loss"].last == 1
    assert len(fleet.runs[0].settings) <= 1


def test_texts_that_are_no_settings(tmp_path: Path) -> None:
    event_file(
        tmp_path,
        event(
            1,
            1,
            text_value("args", b"{half"),
            text_value("n", b"[1]"),
            text_value("m", b"{" * 9000),
        ),
    )
    logs = read(tmp_path)
    assert settings_of(logs.texts.values()) == {}
    assert not logs.problems[0].reason.startswith("3 records")


@pytest.mark.parametrize(
    ("strings", "shown"),
    [
        ([b"batch_size", b"64", b"gamma", b"0.99"], "batch_size\n64\ngamma\n0.99"),
        ([b"\tbatch_size:\t64\n\tgamma:\t0.99"], "\tbatch_size:\t64\n\tgamma:\t0.99"),
    ],
    ids=["a table, by TF1's FileWriter", "lines, by torch"],
)
def test_ml_agents_writes_a_behaviour(tmp_path: Path, strings: list[bytes], shown: str) -> None:
    rewards = [
        event(at, at * 1000, simple(tag, at * sign))
        for at in range(1, 30)
        for tag, sign in (("Environment/Cumulative Reward", 1), ("Losses/Policy Loss", -1))
    ]
    properties = event(1, 0, text_value("Hyperparameters", *strings))
    event_file(tmp_path / "first" / "3DBall", version(0), properties, *rewards)
    fleet = Fleet([tmp_path])
    fleet.poll()
    run = fleet.runs[0]
    assert (run.name, run.tags) == (
        "first/3DBall",
        ("Environment/Cumulative Reward", "Losses/Policy Loss"),
    )
    assert run.last("Environment/Cumulative Reward") == Last(29_000, 29.0, 29.0)
    assert run.texts["Hyperparameters"].text == shown
    assert not run.problems


def test_damaged_hyper_parameters_are_counted(tmp_path: Path) -> None:
    plugin = bytes_field(1, b"hparams") + bytes_field(2, b"\x1a\xff\xff")
    value = bytes_field(1, b"_hparams_/session_start_info") + bytes_field(9, bytes_field(1, plugin))
    event_file(tmp_path, event(1, 1, value), event(1, 1, simple("a", 1)))
    logs = read(tmp_path)
    assert logs.settings == {}
    assert logs.series["a"].last == 1
    assert "not a TensorBoard event" in logs.problems[0].reason
