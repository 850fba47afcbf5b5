"""Of how many runs the states in one output directory are, against a plain model."""

import json
import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.events.histories import HistoryReader
from engine.events.trainer_state import signature_of
from engine.events.watched_folder import Signature

HISTORIES = st.lists(st.lists(st.integers(0, 1), max_size=4), min_size=1, max_size=6)


def model(histories: list[list[int]]) -> list[int]:
    """The places of those that are no beginning of another, the last one first; no two alike."""
    kept: list[int] = []
    for at in reversed(range(len(histories))):
        mine = histories[at]
        longer = any(one[: len(mine)] == mine and len(one) > len(mine) for one in histories)
        if not longer and all(histories[one] != mine for one in kept):
            kept.append(at)
    return kept


def state_signature(path: Path, at: int) -> Signature:
    os.utime(path, (1000 + at, 1000 + at))
    signature = signature_of(str(path))
    assert signature is not None
    return signature


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES)
def test_a_run_for_each_history_that_is_no_beginning_of_another(
    tmp_path: Path, histories: list[list[int]]
) -> None:
    states = {}
    for at, losses in enumerate(histories):
        path = tmp_path / f"{at}.json"
        entries = [{"step": step, "loss": loss} for step, loss in enumerate(losses)]
        path.write_text(json.dumps({"log_history": entries}))
        states[path.name] = state_signature(path, at)
    reader = HistoryReader()
    runs = [int(name.removesuffix(".json")) for name in reader.runs(tmp_path, states)]
    assert runs == model(histories)


def test_a_state_is_read_once_until_it_changes(tmp_path: Path) -> None:
    states = {}
    for at, name in enumerate(("a", "b")):
        (tmp_path / name).write_text(json.dumps({"log_history": [{"step": 1, "loss": at}]}))
        states[name] = state_signature(tmp_path / name, at)
    reader = HistoryReader()
    assert reader.runs(tmp_path, states) == ("b", "a")
    for name in states:
        (tmp_path / name).write_text("half")
    assert reader.runs(tmp_path, states) == ("b", "a"), "as they were read"
    states["b"] = state_signature(tmp_path / "b", 9)
    assert reader.runs(tmp_path, states) == ("b", "a"), "half written: what was known stays"
