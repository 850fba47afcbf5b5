from pathlib import Path

import platformdirs
import pytest

from engine.checkpoints.search_paths import config_file, data_folders, model_folders
from engine.errors import EngineError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FINETOP_MODELS", "FINETOP_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    folder = platformdirs.user_config_path("finetop")
    folder.mkdir(parents=True)
    return folder / "config.toml"


def test_here_where_nothing_is_configured(config: Path, tmp_path: Path) -> None:
    here = tmp_path / "work"
    assert model_folders() == [here / "models", here / "outputs", here]
    assert data_folders() == [here / "data", here]


def test_a_home_folder_is_not_searched_whole(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    assert model_folders() == [tmp_path / "home" / "models", tmp_path / "home" / "outputs"]


def test_the_config_file_names_folders(config: Path, tmp_path: Path) -> None:
    assert config_file() == config
    config.write_text('models = ["/data/llms", "~/mine"]\n')
    assert model_folders() == [Path("/data/llms"), tmp_path / "home" / "mine"]
    assert data_folders()[0] == tmp_path / "work" / "data"


def test_the_environment_wins(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('data = ["/data/sets"]\n')
    monkeypatch.setenv("FINETOP_DATA", "/a::/b")
    assert data_folders() == [Path("/a"), Path("/b")]
    monkeypatch.setenv("FINETOP_DATA", "")
    assert data_folders() == [Path("/data/sets")]


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b"models = [", "not valid TOML"),
        (b"\xff", "not valid TOML"),
        (b'models = "/a"', "models must be a list of folders"),
        (b"models = [5]", "models must be a list of folders"),
    ],
)
def test_a_config_that_lies_is_refused(config: Path, content: bytes, title: str) -> None:
    config.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        model_folders()
    assert title in caught.value.title
    assert str(config) in caught.value.detail
