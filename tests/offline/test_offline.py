"""Nothing but `finetop get` reaches for a network: no process, no child of one, no library.

Two witnesses: an audit hook in every Python process, which also refuses what it sees, and, where
it is there, strace, which sees what C and Rust do as well. A package `kernels` that would fetch
is there to be tempted.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1]
KERNELS = """
import os, socket
open(os.environ["FINETOP_TEST_CONNECTS"] + ".tempted", "a").close()

class _Anything:
    def __init__(self, *_, **__): pass
    def __call__(self, *arguments, **_): return arguments[0] if arguments else self
    def __getattr__(self, name): return _Anything()

def _fetch(*_, **__):
    socket.create_connection(("huggingface.co", 443), timeout=1)

get_kernel = get_local_kernel = has_kernel = kernelize = load_kernel = _fetch

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Anything
"""
STEPS = [
    "train --follow", "resume", "generate --arm", "demo --items", "data inspect",
    "checkpoints", "runs", "doctor", "queue", "metrics", "metrics", "logs", "companion",
    "dashboard", "rm --yes",
]  # fmt: skip
_CONNECT = re.compile(r"connect\(\d+, \{sa_family=(AF_\w+)")


def strace(log: Path) -> list[str]:
    """The start of a command that is watched with all its children; empty where it cannot be."""
    program = shutil.which("strace")
    if program is None:
        return []
    command = [program, "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect", "-o", str(log)]
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


def make_kernels(folder: Path) -> None:
    """A package of that name, of a version that transformers takes."""
    from transformers.utils.import_utils import KERNELS_MIN_VERSION

    (folder / "kernels").mkdir()
    (folder / "kernels" / "__init__.py").write_text(KERNELS)
    about = folder / f"kernels-{KERNELS_MIN_VERSION}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: kernels\nVersion: {KERNELS_MIN_VERSION}\n"
    )


@pytest.mark.worker
@pytest.mark.cold
def test_no_command_tries_to_connect(tmp_path: Path) -> None:
    packages, log = tmp_path / "packages", tmp_path / "connects.jsonl"
    packages.mkdir()
    make_kernels(packages)
    shutil.copy(HERE / "sitecustomize.py", packages)
    switches = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and name not in switches
    } | {
        "PYTHONPATH": f"{packages}{os.pathsep}{HOME}",
        "FINETOP_TEST_CONNECTS": str(log),
        "HF_HOME": str(tmp_path / "hf"),
    }
    trace = tmp_path / "strace.log"
    watched = strace(trace)
    done = subprocess.run(
        [*watched, sys.executable, "-m", "tests.offline.walk", str(tmp_path)],
        capture_output=True, text=True, check=False, env=environ, cwd=HOME,
    )  # fmt: skip
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in steps if one["code"] != 0] == [], done.stderr
    assert [one["step"].partition(" tiny-")[0] for one in steps] == STEPS, done.stderr
    assert log.exists() is False, log.read_text()
    assert log.with_name(f"{log.name}.tempted").exists(), "the package was there, and imported"
    families = set(_CONNECT.findall(trace.read_text())) if watched else set()
    assert families <= {"AF_UNIX", "AF_UNSPEC"}, trace.read_text()
    check_demo(json.loads((tmp_path / "demo.json").read_text()))


def check_demo(table: dict[str, Any]) -> None:
    """What `finetop demo --json` wrote: each number of base and tuned alike, with what it is of."""
    arms = {"base", "tuned", "replay"}
    assert table["seconds"] > table["training_seconds"] > 0
    assert Path(table["runs"]["tuned"]).is_dir()
    assert table["recipes"]["tuned"]["training"]["max_steps"] == 2
    assert table["recipes"]["replay"]["replay"]["data"] == "bundled:rehearsal"
    replayed = [
        "rows are replay" in (Path(table["runs"][arm]) / "attempts/1/worker.log").read_text()
        for arm in ("tuned", "replay")
    ]
    assert replayed == [False, True]
    labels = table["labels"]
    assert (labels["items"], labels["majority"]) == (4, 0.5), "of the rows that it was given"
    assert set(table["skills"]) == {"arithmetic", "facts", "formats", "french", "python"}
    shares = [(labels["items"], labels[way]) for way in ("likelihood", "generated")]
    shares += [(one["items"], one) for one in table["skills"].values()]
    for items, share in shares:
        for arm in arms:
            low, high = share[arm]["interval"]
            assert 0 <= low <= share[arm]["accuracy"] == share[arm]["right"] / items <= high <= 1
    assert {one["items"] for one in table["skills"].values()} == {1}
    assert all(
        set(one["lost"]) == set(one["gained"]) == {"tuned", "replay"}
        for one in table["skills"].values()
    )
    assert {
        arm: one["perplexity"] > 1 and one["tokens"] > 0 for arm, one in table["prose"].items()
    } == dict.fromkeys(arms, True)
    assert [set(one) for one in table["answers"]] == [{"prompt", *arms}] * 2


def test_the_witnesses_would_have_seen_it(tmp_path: Path) -> None:
    """The hook and strace each see a child's try: else the test above could not fail."""
    log, trace = tmp_path / "connects.jsonl", tmp_path / "strace.log"
    for name in ("getaddrinfo", "connect"):
        call = {
            "getaddrinfo": "socket.getaddrinfo('huggingface.co', 443)",
            "connect": "socket.socket().connect(('10.1.2.3', 443))",
        }[name]
        environ = os.environ | {"PYTHONPATH": str(HERE), "FINETOP_TEST_CONNECTS": str(log)}
        child = f"import socket, subprocess, sys; subprocess.run([sys.executable, '-P', '-c', {'import socket; ' + call!r}])"  # noqa: E501
        subprocess.run([sys.executable, "-c", child], env=environ, check=True, capture_output=True)
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["socket.getaddrinfo", "socket.connect"]
    watched = strace(trace)
    if not watched:
        pytest.skip("strace is not there, or may not watch")
    script = (
        "import socket, subprocess, sys;"
        "s = socket.socket(); s.setblocking(False); s.connect_ex(('10.1.2.3', 443))"
    )
    subprocess.run([*watched, sys.executable, "-c", script], check=True, capture_output=True)
    assert "AF_INET" in _CONNECT.findall(trace.read_text())
