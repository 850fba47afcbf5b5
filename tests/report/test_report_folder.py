"""The folder of a report: what is in it, the same bytes everywhere, checked again."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine import atomic
from engine.errors import EngineError
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.report.render import write_sums
from engine.report.report_folder import verify_report, write_report
from tests.report.reported import read_folder, write_jobs, write_whole
from tests.tui.impact.evaluated import BASE, EMOTION, staged_results, write_evaluation

_ELSEWHERE = """
import sys
from pathlib import Path
from engine.report.report_folder import write_report
from engine.jobs.directory import JobDirectory
write_report([JobDirectory(Path(sys.argv[1]))], Path(sys.argv[2]))
"""


def known_jobs(root: Path) -> dict[str, JobDirectory]:
    return {path.name: JobDirectory(path) for path in root.iterdir()}


def test_a_report_is_a_folder_of_pages_tables_figures_and_its_own_inputs(tmp_path: Path) -> None:
    job = write_jobs(tmp_path / "runs")
    out = write_report([job], tmp_path / "report")
    assert set(read_folder(out)) == {
        "report.md", "report.html", "report.json", "SHA256SUMS",
        "data/inputs.json", "data/results.json",
        "tables/skills.csv", "tables/changes.csv", "tables/items.csv", "tables/labels.csv",
        "tables/aspects.csv", "tables/curves.csv", "tables/tradeoff.csv",
        "tables/judgements.csv",
        "figures/changes.svg", "figures/scores.svg", "figures/loss-1.svg", "figures/loss-2.svg",
        "figures/tradeoff.svg",
    }  # fmt: skip


def test_the_sums_are_those_of_the_files(tmp_path: Path) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    files = read_folder(out)
    lines = files.pop("SHA256SUMS").decode().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_the_same_jobs_elsewhere_give_the_same_bytes(tmp_path: Path) -> None:
    """Another folder of runs, path, current folder, locale, time zone, hash seed and user, and a
    processor whose exp and log10 differ in their last bit."""
    job = write_whole(tmp_path / "runs")
    here = read_folder(write_report([job], tmp_path / "report"))
    page = here["report.md"].decode()
    for title in ("Gained against retained", "What models judged", "What these numbers would show"):
        assert f"## {title}" in page
    moved = tmp_path / "else" / "where" / "deep" / "jobs"
    shutil.copytree(tmp_path / "runs", moved)
    shutil.rmtree(tmp_path / "runs")
    environment = {
        **os.environ, "LC_ALL": "tr_TR.UTF-8", "LANG": "C", "TZ": "Asia/Kathmandu",
        "PYTHONHASHSEED": "4711", "FINETOP_RUNS": str(tmp_path / "none"), "USER": "else",
        "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "40",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3 AVX512_ICL AVX512_SPR",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(moved / job.path.name), str(tmp_path / "again")],
        check=True, cwd=tmp_path / "else", env=environment, timeout=600,
    )  # fmt: skip
    assert read_folder(tmp_path / "again") == here


def test_nothing_of_this_machine_stands_in_a_report(tmp_path: Path) -> None:
    out = write_report([write_whole(tmp_path / "runs")], tmp_path / "report")
    for name, content in read_folder(out).items():
        for part in (str(tmp_path), "/home/", "somebody", "gpu-box", "gpu.lan", "Zoe"):
            assert part.encode() not in content, (name, part)


def test_a_report_is_checked_from_itself_and_from_its_jobs(tmp_path: Path) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    alone, whole = verify_report(out, {}), verify_report(out, known_jobs(tmp_path / "runs"))
    assert (alone.differences, alone.jobs) == ((), ())
    assert "impact-child" in alone.not_collected
    assert (whole.differences, whole.jobs, whole.not_collected) == ((), ("impact-child",), "")


@pytest.mark.parametrize("name", ["report.md", "tables/items.csv", "figures/changes.svg"])
def test_a_damaged_byte_is_found_by_file_and_line(tmp_path: Path, name: str) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    lines = (out / name).read_bytes().split(b"\n")
    lines[2] = lines[2][:-1] + bytes([lines[2][-1] ^ 1]) if lines[2] else b"x"
    (out / name).write_bytes(b"\n".join(lines))
    found = verify_report(out, {}).differences
    assert [one.name for one in found] == [name]
    assert found[0].reason.startswith("line 3 is ")


def test_a_score_changed_in_the_inputs_is_found_by_the_jobs_and_in_the_pages(
    tmp_path: Path,
) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    path = out / "data/results.json"
    text = path.read_text().replace('"arithmetic-0": 0.0', '"arithmetic-0": 1.0')
    assert text != path.read_text()
    path.write_text(text)
    alone = {one.name for one in verify_report(out, {}).differences}
    whole = {one.name for one in verify_report(out, known_jobs(tmp_path / "runs")).differences}
    assert {"report.md", "data/results.json"} <= alone  # the sums tell of the inputs themselves
    assert "data/results.json" in whole
    (out / "SHA256SUMS").write_bytes(write_sums(read_folder(out)))
    assert "data/results.json" not in {one.name for one in verify_report(out, {}).differences}
    again = verify_report(out, known_jobs(tmp_path / "runs")).differences
    assert "collected from the jobs" in next(
        one.reason for one in again if one.name == "data/results.json"
    )


def test_a_file_that_is_missing_or_was_added_is_named(tmp_path: Path) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    (out / "report.json").unlink()
    (out / "notes.txt").write_text("mine")
    found = {one.name: one.reason for one in verify_report(out, {}).differences}
    assert found == {"report.json": "missing", "notes.txt": "not part of the report"}


def test_damaged_inputs_are_refused_by_name(tmp_path: Path) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    table = json.loads((out / "data/inputs.json").read_text())
    wrongs: list[object] = [{**table, "delta": "much"}, {**table, "version": 9}, [], {"version": 1}]
    for wrong in wrongs:
        (out / "data/inputs.json").write_text(json.dumps(wrong))
        with pytest.raises(EngineError, match=r"data/inputs\.json"):
            verify_report(out, {})


def test_only_a_reports_own_folder_is_replaced(tmp_path: Path) -> None:
    job, out = write_jobs(tmp_path / "runs"), tmp_path / "report"
    write_report([job], out)
    before = read_folder(out)
    with pytest.raises(EngineError, match="not empty"):
        write_report([job], out)
    write_report([job], out, delta=0.2, force=True)
    assert read_folder(out) != before
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(EngineError, match=r"thesis\.tex"):
        write_report([job], out, force=True)
    assert (out / "thesis.tex").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "photo.png").write_bytes(b"x")
    with pytest.raises(EngineError, match="more than a report"):
        write_report([job], other, force=True)
    assert read_folder(other) == {"photo.png": b"x"}


def test_a_report_goes_into_an_empty_folder_and_never_through_a_link(tmp_path: Path) -> None:
    job = write_jobs(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    write_report([job], tmp_path / "empty")
    assert (tmp_path / "empty/report.md").is_file()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(EngineError, match="not a folder"):
        write_report([job], tmp_path / "link", force=True)


def test_a_write_that_fails_leaves_the_old_report_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, out = write_jobs(tmp_path / "runs"), tmp_path / "report"
    write_report([job], out)
    before, names = read_folder(out), sorted(os.listdir(tmp_path))

    def fail(beside: Path, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(atomic, "publish_directory", fail)
    for target in (out, tmp_path / "new"):
        with pytest.raises(EngineError, match="No space left"):
            write_report([job], target, delta=0.2, force=True)
    assert read_folder(out) == before
    assert sorted(os.listdir(tmp_path)) == names


def test_a_report_on_a_server_holds_no_host_and_is_checked_by_its_jobs(tmp_path: Path) -> None:
    """Its arm is called by the host where the user gave it no name."""
    table = staged_results()
    table["arms"] = {
        "base": table["arms"]["base"],
        "gpu.lan:8000": {**table["arms"]["counsel"], "parent": "base",
                         "arm": "gpu.lan:8000=http://gpu.lan:8000/v1?model=llama",
                         "notes": ["gpu.lan:8000 gave no ids"]},
    }  # fmt: skip
    specs = [arm["arm"] for arm in table["arms"].values()]
    job = write_evaluation(tmp_path / "runs", results=table, arms=specs)
    for arms in ((), ("base", "gpu.lan:8000")):
        out = write_report([job], tmp_path / "report", arms, force=True)
        assert not [name for name, content in read_folder(out).items() if b"gpu.lan" in content]
        assert json.loads((out / "report.json").read_text())["table"]["arms"] == ["base", "llama"]
        check = verify_report(out, known_jobs(tmp_path / "runs"))
        assert (check.differences, check.jobs) == ((), ("impact-child",))


def test_inputs_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    path = out / "data/results.json"
    table = json.loads(path.read_text())
    del table["suites"]["arithmetic"]["items"]["arithmetic-0"]
    del table["arms"]["counsel"]
    path.write_text(json.dumps(table))
    with pytest.raises(EngineError, match="contradict each other"):
        verify_report(out, {})


def test_whether_a_worker_lives_is_no_part_of_a_report(tmp_path: Path) -> None:
    job = write_jobs(tmp_path / "runs")
    run = JobDirectory(tmp_path / "runs" / "child")
    status = statuses.read(run)
    assert status is not None
    written = []
    for heartbeat in (time.time(), time.time() - 1e6):
        statuses.write(run, replace(status, state=State.RUNNING, heartbeat=heartbeat))
        out = write_report([job], tmp_path / "report", force=True)
        written.append(read_folder(out))
    assert written[0] == written[1]
    assert b"not finished" in written[0]["report.md"]


def test_a_kill_between_writing_and_renaming_leaves_the_old_report(tmp_path: Path) -> None:
    job, out = write_jobs(tmp_path / "runs"), tmp_path / "report"
    write_report([job], out)
    before = read_folder(out)
    killed = _ELSEWHERE.replace("write_report([", "import os, signal\n"
        "from engine import atomic\n"
        "atomic.publish_directory = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_report([").replace("Path(sys.argv[2])", "Path(sys.argv[2]), force=True")  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-c", killed, str(job.path), str(out)],
        check=False, timeout=600, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert read_folder(out) == before
    write_report([job], out, force=True)  # what the killed one wrote aside is in nobody's way


def test_results_of_version_1_are_reported(tmp_path: Path) -> None:
    scores = {f"i{at}": float(at % 3 > 0) for at in range(30)}
    arm = {"suites": {"facts": {"scores": scores, "prompts": {one: f"{one}?" for one in scores}}}}
    lost = {"suites": {"facts": {"scores": dict.fromkeys(scores, 0.0)}}}
    table = {
        "schema": 1,
        "arms": {"base": {"arm": BASE, **arm}, "emotion": {"arm": EMOTION, **lost}},
    }
    job = write_evaluation(tmp_path / "runs", results=table, arms=(BASE, EMOTION))
    out = write_report([job], tmp_path / "report")
    assert "facts lost (-66.7 points" in (out / "report.md").read_text()
    assert verify_report(out, known_jobs(tmp_path / "runs")).differences == ()


def test_a_run_that_is_found_since_is_no_difference(tmp_path: Path) -> None:
    """Folders of runs are remembered: a report that was written without one still holds."""
    job = write_jobs(tmp_path / "runs")
    (tmp_path / "other").mkdir()
    for name in ("child", "emotion"):
        if (tmp_path / "runs" / name).is_dir():
            (tmp_path / "runs" / name).rename(tmp_path / "other" / name)
    out = write_report([job], tmp_path / "report")
    assert json.loads((out / "data/inputs.json").read_text())["missing_runs"]
    known = known_jobs(tmp_path / "runs") | known_jobs(tmp_path / "other")
    check = verify_report(out, known)
    assert (check.differences, check.jobs) == ((), ("impact-child",))
