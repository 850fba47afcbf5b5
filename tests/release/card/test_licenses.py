"""Licenses of bases, from made folders: what states them, what goes along, what a card says."""

from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.errors import EngineError
from engine.release.card.hub_metadata import LICENSES
from engine.release.card.license_terms import TERMS, find_terms
from engine.release.card.licenses import (
    find_license,
    obey_naming,
    parse_license,
    read_license_files,
    write_notice,
)


def make_base(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("title", "license_id", "name"),
    [
        ("Gemma Terms of Use\n\nLast modified: some day", "gemma", ""),
        ("LLAMA 2 COMMUNITY LICENSE AGREEMENT\n", "llama2", ""),
        ("META LLAMA 3 COMMUNITY LICENSE AGREEMENT\n", "llama3", ""),
        ("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\n", "llama3.1", ""),
        ("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n", "llama3.2", ""),
        ("LLAMA 3.3 COMMUNITY LICENSE AGREEMENT\n", "llama3.3", ""),
        ("LLAMA 4 COMMUNITY LICENSE AGREEMENT\n", "llama4", ""),
        ("# Qwen RESEARCH LICENSE AGREEMENT", "other", "qwen-research"),
        ("Tongyi Qianwen\n\nQwen LICENSE AGREEMENT", "other", "qwen"),
        ("# Mistral AI Research License\n", "other", "mrl"),
        ("# Mistral AI Non-Production License", "other", "mnpl"),
        ("Attribution-NonCommercial 4.0 International\n===", "cc-by-nc-4.0", ""),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0", "cc-by-nc-sa-4.0", ""),
        (
            "                   Apache License\n          Version 2.0, January 2004\n",
            "apache-2.0",
            "",
        ),
        ("MIT License\n\nCopyright (c) somebody", "mit", ""),
        ("Copyright (c) X\n\nPermission is hereby granted, free of charge, to", "mit", ""),
        ("Tongyi Qianwen RESEARCH LICENSE AGREEMENT", "other", "qwen-research"),
        ("Creative Commons Attribution 4.0 International", "cc-by-4.0", ""),
        ("GNU GENERAL PUBLIC LICENSE\n    Version 3, June", "gpl-3.0", ""),
    ],
)
def test_a_license_is_recognised_by_its_text(
    tmp_path: Path, title: str, license_id: str, name: str
) -> None:
    base = find_license(make_base(tmp_path / "base", LICENSE__txt=title), "", {})
    assert (base.id, base.name) == (license_id, name)
    assert "LICENSE.txt" in base.basis
    assert base.has_text
    assert base.link == ("LICENSE.txt" if license_id == "other" else base.terms.link)  # type: ignore[union-attr]


def test_the_readme_states_one_where_no_file_does(tmp_path: Path) -> None:
    base = find_license(make_base(tmp_path / "base"), "", {"license": "CC-BY-NC-4.0"})
    assert (base.id, base.basis) == ("cc-by-nc-4.0", "as its README.md states")
    assert base.terms is not None
    assert "commercial" in base.terms.limit
    assert not base.has_text


def test_every_non_commercial_license_of_the_hub_is_said_to_be_one() -> None:
    for license_id in LICENSES:
        terms = find_terms(license_id)
        if "-nc" in license_id or "noncommercial" in license_id:
            assert terms is not None
            assert terms.limit
    assert find_terms("unknown") is None
    assert find_terms("other") is None


def test_a_file_counts_more_than_the_readme_and_the_difference_is_said(tmp_path: Path) -> None:
    root = make_base(tmp_path / "base", LICENSE="Qwen RESEARCH LICENSE AGREEMENT")
    base = find_license(root, "", {"license": "apache-2.0"})
    assert (base.id, base.name, base.link) == ("other", "qwen-research", "LICENSE")
    assert "apache-2.0" in base.remarks[0]


def test_another_license_needs_a_name_and_a_link(tmp_path: Path) -> None:
    root = make_base(tmp_path / "base")
    stated = {"license": "other", "license_name": "Coqui Public", "license_link": "https://c.ai/l"}
    base = find_license(root, "", stated)
    assert (base.id, base.name, base.link) == ("other", "coqui-public", "https://c.ai/l")
    base = find_license(root, "", {"license": "other"})
    assert base.id == "unknown"
    assert base.remarks


def test_an_unknown_text_is_taken_along_and_not_named(tmp_path: Path) -> None:
    root = make_base(tmp_path / "base", LICENSE="My very own rules.", modeling__py="x")
    base = find_license(root, "", {})
    assert (base.id, base.name, base.link) == ("other", "license-of-the-base", "LICENSE")
    assert list(base.files) == ["LICENSE"]


@pytest.mark.parametrize(
    "text",
    [
        "Falcon License 2.0, based on Apache License Version 2.0 with modifications",
        "My License\n\nUnlike the MIT License, it forbids all use.",
        "My License\n\n" + "It is strict.\n" * 90 + "MIT License",
        "My License, unlike the GNU one",
    ],
)
def test_a_text_that_names_another_license_is_not_that_one(tmp_path: Path, text: str) -> None:
    base = find_license(make_base(tmp_path / "base", LICENSE=text), "", {})
    assert (base.id, base.name) == ("other", "license-of-the-base")


@pytest.mark.parametrize(
    ("base_id", "license_id"),
    [
        ("google/gemma-3-270m", "gemma"),
        ("google/gemma-2b-it", "gemma"),
        ("google/gemma-4-9b", "unknown"),
        ("google/gemma-30b", "unknown"),
        ("somebody/gemma-3-270m", "unknown"),
        ("meta-llama/Llama-2-7b-hf", "llama2"),
        ("meta-llama/Meta-Llama-3-8B", "llama3"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1"),
        ("meta-llama/Llama-3.2-1B", "llama3.2"),
        ("somebody/Llama-3.2-1B", "unknown"),
    ],
)
def test_a_publisher_s_own_repository_and_no_family_is_evidence(
    tmp_path: Path, base_id: str, license_id: str
) -> None:
    base = find_license(make_base(tmp_path / "base"), base_id, {})
    assert base.id == license_id
    assert (base_id in base.basis) == (license_id != "unknown")


def test_the_architecture_alone_is_a_remark(tmp_path: Path) -> None:
    base = find_license(make_base(tmp_path / "base"), "", {}, "gemma3_text")
    assert base.id == "unknown"
    assert "Gemma Terms" in base.remarks[0]
    assert find_license(tmp_path / "base", "", {}, "llama").remarks == ()


@pytest.mark.parametrize("value", [["mit", "apache-2.0"], "my license", 3, {}, "a\x1b]0;x\x07"])
def test_what_is_no_license_is_unknown(tmp_path: Path, value: Any) -> None:
    base = find_license(make_base(tmp_path / "base"), "", {"license": value})
    assert (base.id, len(base.remarks)) == ("unknown", 1)
    assert base.remarks[0].isprintable()


def test_files_of_the_license_are_taken_and_no_others(tmp_path: Path) -> None:
    files = {"LICENSE__txt": "Gemma Terms of Use", "NOTICE": "x", "USE_POLICY__md": "y",
             "Prohibited_Use_Policy__txt": "z", "license_check__py": "no", "README__md": "no",
             "terminal__txt": "no"}  # fmt: skip
    base = find_license(make_base(tmp_path / "base", **files), "", {})
    assert set(base.files) == {"LICENSE.txt", "NOTICE", "USE_POLICY.md",
                               "Prohibited_Use_Policy.txt"}  # fmt: skip
    assert base.id == "gemma"


def test_a_link_to_elsewhere_is_not_published(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of this machine")
    root = make_base(tmp_path / "base", LICENSE="Gemma Terms of Use")
    (root / "copy").write_text("x")
    (root / "NOTICE").symlink_to("copy")
    assert set(read_license_files(root)) == {"LICENSE", "NOTICE"}
    (root / "NOTICE").unlink()
    (root / "NOTICE").symlink_to(secret)
    with pytest.raises(EngineError, match="link to another place"):
        read_license_files(root)


def test_links_of_the_hub_s_cache_are_followed(tmp_path: Path) -> None:
    repository = tmp_path / "models--google--gemma"
    blob = repository / "blobs" / "abc"
    snapshot = repository / "snapshots" / "1"
    blob.parent.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    blob.write_text("Gemma Terms of Use")
    (snapshot / "LICENSE").symlink_to("../../blobs/abc")
    assert read_license_files(snapshot) == {"LICENSE": b"Gemma Terms of Use"}


def test_a_notice_is_written_where_the_license_asks_for_one(tmp_path: Path) -> None:
    root = make_base(tmp_path / "base", LICENSE="LLAMA 3.2 COMMUNITY LICENSE AGREEMENT")
    base = find_license(root, "", {})
    assert base.terms is not None
    assert base.terms.built_with == "Built with Llama"
    assert base.terms.notice in write_notice(base)["NOTICE"].decode()
    (root / "NOTICE").write_text("Somebody's own.\n")
    base = find_license(root, "", {})
    own = write_notice(base)["NOTICE"].decode()
    assert own.startswith("Somebody's own.")
    assert base.terms is not None
    assert base.terms.notice in own
    (root / "NOTICE").write_text(own)
    assert write_notice(find_license(root, "", {}))["NOTICE"].decode() == own


def test_a_license_that_asks_for_none_gets_no_notice(tmp_path: Path) -> None:
    base = find_license(make_base(tmp_path / "base", LICENSE="MIT License"), "", {})
    assert set(write_notice(base)) == {"LICENSE"}


@pytest.mark.parametrize(
    ("license_id", "name", "title"),
    [
        ("llama3.1", "emotions", "Llama-emotions"),
        ("llama3.1", "llama_emotions", "llama_emotions"),
        ("llama3", "emotions", "Llama-3-emotions"),
        ("llama3", "Llama 3 emotions", "Llama 3 emotions"),
        ("llama2", "emotions", "emotions"),
        ("gemma", "emotions", "emotions"),
        ("unknown", "emotions", "emotions"),
    ],
)
def test_llama_s_rule_of_names(tmp_path: Path, license_id: str, name: str, title: str) -> None:
    base = find_license(make_base(tmp_path / "base"), "", {"license": license_id})
    assert obey_naming(name, base) == title


def test_the_bundled_model_has_the_project_s_license() -> None:
    base = find_license(BASE, "", {"license": "apache-2.0"})
    assert (base.id, list(base.files)) == ("apache-2.0", ["LICENSE"])


def test_what_the_user_says() -> None:
    assert parse_license("MIT") == ("mit", "", "")
    assert parse_license("my-own=https://a.example/l") == ("other", "my-own", "https://a.example/l")
    for text in ("", "other", "free", "My Own=https://a.example", "x=http://a.example", "x="):
        with pytest.raises(EngineError, match="Unknown license"):
            parse_license(text)


def test_each_license_of_the_table_is_one_of_the_hub_s() -> None:
    assert {terms.id for terms in TERMS} <= LICENSES
    assert all(terms.name for terms in TERMS if terms.id == "other")
