"""Sets of arms under names: kept whole, and every fault with its line."""

from pathlib import Path

import pytest

from engine.compare import arm_sets
from engine.compare.arms import Arm, parse_arms
from engine.errors import EngineError

PAIR = tuple(parse_arms(["base=bundled:demo-base", "odd=/a b/%2B?prefix=Think: &temperature=0.7"]))


def test_sets_come_back_as_they_were_saved(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "arms.toml"
    assert arm_sets.read(path) == {}
    arm_sets.save('two "words" = ü', PAIR, path)
    arm_sets.save("one", PAIR[:1], path)
    assert arm_sets.read(path) == {'two "words" = ü': PAIR, "one": PAIR[:1]}
    with pytest.raises(arm_sets.SetExists):
        arm_sets.save("one", PAIR[1:], path)
    assert arm_sets.read(path)["one"] == tuple(PAIR[:1])
    arm_sets.save("one", PAIR[1:], path, replace=True)
    arm_sets.remove('two "words" = ü', path)
    arm_sets.remove("never there", path)
    assert arm_sets.read(path) == {"one": PAIR[1:]}


def test_they_lie_beside_the_users_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    arm_sets.save("one", PAIR)
    assert (tmp_path / "finetop" / "arms.toml").is_file()
    assert arm_sets.read() == {"one": PAIR}


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[sets]\na = [", "", "not valid TOML"),
        ("sets = 3", ":1", "table of lists"),
        ('[sets]\na = ["x/y"]\nb = "x/y"', ":3", "b must be a list"),
        ('[sets]\na = ["x/y"]\nb = []', ":3", "0 arms"),
        ('[sets]\nb = [\n  "x/y",\n  "n=x+y@7",\n]', ":4", "must be 0 to 1.5"),
        ('[sets]\nb = ["n=x/y", "n=x/z"]', ":2", "have the name 'n'"),
    ],
)
def test_a_file_that_is_wrong_is_told_of_and_left_alone(
    text: str, line: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "arms.toml"
    path.write_text(text)
    with pytest.raises(EngineError) as caught:
        arm_sets.save("new", PAIR, path)
    assert caught.value.detail.startswith(f"{path}{line}: ")
    assert why in caught.value.detail
    assert path.read_text() == text


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x1b]0;b"])
def test_a_name_is_short_and_printable(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="short name"):
        arm_sets.save(name, PAIR, tmp_path / "arms.toml")


@pytest.mark.parametrize("arms", [(), PAIR * 3])
def test_a_set_is_what_fits_on_the_screen(arms: tuple[Arm, ...], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="1 to 4 arms"):
        arm_sets.save("set", arms, tmp_path / "arms.toml")
