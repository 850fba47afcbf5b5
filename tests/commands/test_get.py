"""`finetop get` against a Hub on this machine: what comes, what goes on, what is refused."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from engine.checkpoints import checkpoint_list, hub_cache
from engine.checkpoints.hub_files import choose_files
from engine.errors import EngineError, JobFailed
from engine.worker import blob_transfer
from engine.worker.download import explained
from tests import patience
from tests.checkpoints.made import make_model
from tests.commands.hub import COMMIT, OTHER, Hub
from tests.conftest import Eventually
from tui import cli

pytestmark = pytest.mark.cold

BIG = os.urandom(5 << 20)
ROW = b'{"prompt": "a"}\n'
TOKEN = "hf_very_secret"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = make_model(tmp_path / "made")
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    more = {"pytorch_model.bin": BIG, "onnx/model.onnx": BIG, "README.md": b"# hello"}
    repositories = {
        "models/org/tiny": {COMMIT: files | more, OTHER: files | {"README.md": b"old"}},
        "models/org/big": {COMMIT: files | {"extra.safetensors": BIG}},
        "models/org/pickle": {COMMIT: {"config.json": b"{}", "pytorch_model.bin": BIG}},
        "models/org/evil": {COMMIT: {"../../../evil.json": b"{}", "model.safetensors": b"x"}},
        "datasets/org/rows": {COMMIT: {"data/train.jsonl": ROW, ".gitattributes": b"x"}},
    }
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with Hub(repositories) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
            monkeypatch.setenv(name, str(int(patience.PROCESS_SECONDS)))
        yield served


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def get(*arguments: str) -> Done:
    """The command in this process; what it starts is a process of its own all the same."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(["get", *arguments])
    return Done(code, out.getvalue(), err.getvalue())


def begin(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tui.cli", "get", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_a_model_comes_into_the_cache_and_the_picker_sees_it(hub: Hub) -> None:
    done = get("org/tiny")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.parent.parent == hub_cache.find_cache() / "models--org--tiny"
    assert folder.name == COMMIT
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md",
    }  # fmt: skip
    assert all(
        path.is_symlink() and not os.readlink(path).startswith("/") for path in folder.iterdir()
    )
    assert (folder.parent.parent / "refs" / "main").read_text() == COMMIT
    found = checkpoint_list.resolve("org/tiny")
    assert (found.path, found.reason) == (folder, None)
    assert "org/tiny: 5 files" in done.stderr
    assert "\x1b" not in done.stderr, "it is no terminal"
    assert sorted(name for name, _ in hub.bodies()) == sorted(os.listdir(folder)), "once each"
    asked = len(hub.bodies())
    assert get("org/tiny").returncode == 0
    assert len(hub.bodies()) == asked, "what is there is not fetched again"


def test_the_library_reads_what_was_fetched_without_a_network(hub: Hub) -> None:
    get("org/tiny")
    script = (
        "from huggingface_hub import hf_hub_download, snapshot_download;"
        "print(hf_hub_download('org/tiny', 'config.json'), snapshot_download('org/tiny'))"
    )
    there = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=there
    )
    assert done.returncode == 0, done.stderr
    assert COMMIT in done.stdout


def test_a_revision_lies_beside_main(hub: Hub) -> None:
    assert get("org/tiny").returncode == 0
    done = get("org/tiny", "--revision", "old")
    folder = Path(done.stdout.strip())
    assert folder.name == OTHER
    assert (folder / "README.md").read_text() == "old"
    assert (folder.parent.parent / "refs" / "old").read_text() == OTHER
    assert get("org/tiny", "--revision", OTHER).returncode == 0
    wrong = get("org/tiny", "--revision", "none")
    assert wrong.returncode == 2
    assert "has no revision none" in wrong.stderr


def test_a_data_set_comes_whole(hub: Hub) -> None:
    done = get("org/rows", "--data")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.parent.parent.name == "datasets--org--rows"
    assert (folder / "data" / "train.jsonl").read_bytes() == ROW
    assert not (folder / ".gitattributes").exists()


def test_only_what_is_included_comes(hub: Hub) -> None:
    done = get("org/tiny", "--include", "*.md", "--include", "config.*")
    assert sorted(path.name for path in Path(done.stdout.strip()).iterdir()) == [
        "README.md", "config.json",
    ]  # fmt: skip
    wrong = get("org/tiny", "--include", "*.gguf")
    assert wrong.returncode == 2
    assert "model.safetensors" in wrong.stderr


def test_a_connection_that_is_cut_is_taken_up_again(hub: Hub) -> None:
    hub.cut_after, hub.cuts_left = 2 << 20, 1
    assert get("org/big").returncode == 0
    ranges = [given for name, given in hub.bodies() if name == "extra.safetensors"]
    assert ranges == [None, f"bytes={2 << 20}-"]


def test_a_hub_that_gives_no_parts_or_is_busy_is_waited_for(hub: Hub) -> None:
    hub.cut_after, hub.cuts_left, hub.busy, hub.ranges = 2 << 20, 1, 2, False
    done = get("org/big")
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "extra.safetensors").read_bytes() == BIG
    asked = [given for name, given in hub.bodies() if name == "extra.safetensors"]
    assert asked[-2:] == [None, f"bytes={2 << 20}-"]


def test_a_hub_that_stays_busy_or_sends_too_much_is_given_up(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(blob_transfer, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # tests are, as workers
    said: list[dict[str, object]] = []
    file = blob_transfer.File("model.safetensors", 100, "0" * 64)
    transfer = blob_transfer.Transfer(tmp_path, [file], lambda event, **more: said.append(more))
    url = f"{hub.url}/org/tiny/resolve/main/config.json"
    hub.busy = 99
    with pytest.raises(HfHubHTTPError):
        transfer.bring(file, url, {})
    assert hub.busy == 94, "it asked five times"
    hub.busy = 0
    with pytest.raises(JobFailed, match="sends more"):
        transfer.bring(file, url, {})
    transfer.halted = True
    with pytest.raises(JobFailed, match="was stopped"):
        transfer.bring(file, url, {})
    assert not (tmp_path / file.blob).exists()


def test_a_download_that_was_killed_is_gone_on_with(hub: Hub, eventually: Eventually) -> None:
    """The library alone would begin the file again: its part has another name each time."""
    hub.stall_after = 2 << 20
    running = begin("org/big")
    blobs = hub_cache.find_cache() / "models--org--big" / "blobs"
    try:
        eventually(
            lambda: any(path.stat().st_size >= 2 << 20 for path in blobs.glob("*.incomplete")),
            "a part is here",
        )
        snapshots = blobs.with_name("snapshots")
        eventually(lambda: any(snapshots.glob("*/config.json")), "the small files are here")
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    (entry,) = [one for one in checkpoint_list.scan([], []) if one.source == "cache"]
    assert entry.reason is None or "incomplete" in entry.reason
    had = max(path.stat().st_size for path in blobs.glob("*.incomplete"))
    hub.stall_after = None
    hub.requests.clear()
    done = get("org/big")
    assert done.returncode == 0, done.stderr
    assert ("extra.safetensors", f"bytes={had}-") in hub.bodies()
    assert (Path(done.stdout.strip()) / "extra.safetensors").read_bytes() == BIG
    assert list(blobs.glob("*.incomplete")) == []


def test_ctrl_c_ends_it_and_keeps_what_came(hub: Hub, eventually: Eventually) -> None:
    hub.stall_after = 1 << 20
    running = begin("org/big")
    blobs = hub_cache.find_cache() / "models--org--big" / "blobs"
    eventually(lambda: any(blobs.glob("*.incomplete")), "a part is here")
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=patience.PROCESS_SECONDS)
    assert running.returncode == 130
    assert "run it again" in said
    assert "Traceback" not in said


def test_a_damaged_file_is_thrown_away(hub: Hub) -> None:
    hub.damage = True
    done = get("org/big")
    assert done.returncode == 1
    assert "corrupt" in done.stderr
    hub.damage = False
    assert get("org/big").returncode == 0


def test_what_is_not_there_is_wrong_use(hub: Hub) -> None:
    done = get("org/none")
    assert done.returncode == 2
    assert "No model org/none on the Hub" in done.stderr
    assert "--data" in done.stderr
    for name in ("https://huggingface.co/org/tiny", "../x", "a/b/c", "org/a--b", ""):
        wrong = get(name)
        assert wrong.returncode == 2, name
        assert "Not a valid Hub id" in wrong.stderr


def test_a_gated_model_says_what_to_do(hub: Hub) -> None:
    hub.gated.add("models/org/tiny")
    done = get("org/tiny")
    assert done.returncode == 2
    assert "terms must be accepted" in done.stderr
    assert "HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_token_does_not_follow_a_redirect_to_another_host(
    host: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.token = TOKEN
    with Hub(hub.repositories) as other:
        hub.content_at = other.url.replace("127.0.0.1", host)
        done = get("org/tiny")
        assert done.returncode == 0, done.stderr
        assert len(other.bodies()) == 5
        assert not [headers for _, _, headers in other.requests if "Authorization" in headers]
        assert TOKEN not in str(other.requests)


def test_the_token_comes_from_the_environment_and_goes_nowhere(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = TOKEN
    stored = Path(os.environ["HF_HOME"]) / "token"
    stored.write_text(TOKEN)  # one that `hf auth login` left is not used
    done = get("org/tiny")
    assert done.returncode == 2, done.stdout
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert get("org/tiny").returncode == 2
    stored.unlink()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    done = get("org/tiny")
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    for path in Path(os.environ["HF_HOME"]).rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_without_a_network_it_says_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = get("org/tiny")
    assert done.returncode == 1
    assert "cannot be reached at http://127.0.0.1:9" in done.stderr
    assert "run it again" in done.stderr
    monkeypatch.setenv("HF_ENDPOINT", "http://no-such-host.invalid")
    assert get("org/tiny").returncode == 1


def test_what_the_library_wraps_is_explained_by_its_cause() -> None:
    request = {"id": "org/tiny", "kind": "model", "revision": None}
    with pytest.raises(JobFailed, match="cannot be reached") as raised, explained(request):
        raise LocalEntryNotFoundError("see above") from httpx2.ConnectError("Connection refused")
    assert raised.value.detail == "Connection refused"
    with pytest.raises(JobFailed, match="cannot be reached"), explained(request):
        raise LocalEntryNotFoundError("see above")


def test_the_users_own_offline_switch_is_for_all_other_commands(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert get("org/tiny").returncode == 0


def test_pickles_alone_are_refused_before_they_are_fetched(hub: Hub) -> None:
    done = get("org/pickle")
    assert done.returncode == 2
    assert "no safetensors" in done.stderr
    assert hub.bodies() == []
    assert get("org/pickle", "--include", "*.bin").returncode == 0


def test_a_repository_cannot_write_outside_of_itself(hub: Hub) -> None:
    done = get("org/evil")
    assert done.returncode == 1
    assert "outside of itself" in done.stderr
    assert list(Path(os.environ["HF_HOME"]).rglob("evil.json")) == []


def test_the_light_install_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["get", "org/tiny"]) == 2
    assert "huggingface_hub" in capsys.readouterr().err


def test_which_files_are_worth_fetching() -> None:
    sizes = dict.fromkeys(json.loads(
        '["config.json", "model-1.safetensors", "consolidated.safetensors", "model.fp16.bin",'
        ' "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx", "checkpoint-5/model.safetensors",'
        ' "README.md", "training_args.bin", "original/params.json", ".gitattributes"]'
    ), 1)  # fmt: skip
    assert choose_files(sizes, "model") == ["config.json", "model-1.safetensors", "README.md"]
    assert choose_files({"consolidated.safetensors": 1}, "model") == ["consolidated.safetensors"]
    assert choose_files({"tokenizer.json": 1}, "model") == ["tokenizer.json"]
    adapter = {"adapter_config.json": 1, "adapter_model.safetensors": 1, "training_args.bin": 1}
    assert choose_files(adapter, "model") == ["adapter_config.json", "adapter_model.safetensors"]
    with pytest.raises(EngineError, match="no safetensors"):
        choose_files({"model.gguf": 1}, "model")
