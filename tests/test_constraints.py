"""Every package that an install brings has one version."""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent.parent


def pins() -> set[str]:
    lines = (HERE / "constraints.txt").read_text("utf-8").split()
    return {canonicalize_name(one.partition("==")[0]) for one in lines}


def closure(wanted: list[str]) -> set[str]:
    """The packages that some requirements bring with them here, those of their own too."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(one), "") for one in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for asked in ("", *requirement.extras):
            if (name, asked) not in found:
                found.add((name, asked))
                own = distribution(name).requires or []
                waiting += [(Requirement(one), asked) for one in own]
    return {name for name, _ in found}


def test_all_that_is_installed_is_pinned() -> None:
    table = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    extras = table["project"]["optional-dependencies"]
    wanted = [*table["project"]["dependencies"], *extras["train"], *extras["dev"]]
    brought = closure([*wanted, *table["build-system"]["requires"]])
    assert {"torch", "textual", "setuptools", "pytest"} <= brought
    assert brought - pins() == set()
