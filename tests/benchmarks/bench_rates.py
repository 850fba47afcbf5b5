"""What the runs of `finetop demo --long` gain and forget, over seeds: how their rates were chosen.

    python -m tests.benchmarks.bench_rates [--seeds 7,1,2] [--items 100] [--set KEY=VALUE ...]

Trains and measures by the worker's own code, in this process, and prints a line of Markdown for
each skill: one value a seed. `--set` changes every run, as it does for the demo.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.results.job_results import read_job_results
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.worker.environment import set_environment
from tui.commands.demo_plan import ITEMS, LONG, make_evaluation, make_run


def measure(seed: int, items: int, changes: Sequence[str], root: Path) -> SkillTable:
    """Train every run with this seed, then evaluate them all."""
    from engine.worker import evaluate  # torch, after its environment is set
    from tests.worker.here import begin_here, train_here

    jobs: dict[str, JobDirectory] = {}
    own = ["device=cpu", *changes, f"training.seed={seed}"]
    for run in LONG:
        jobs[run.arm] = train_here(make_run(run, own, jobs), root)
    job = directory.create(root, make_evaluation(LONG, jobs, items))
    attempt = begin_here(job)
    attempt.finish(State.DONE, message=evaluate.run(attempt))
    return build_table(read_job_results(job))


def list_lines(tables: Sequence[SkillTable]) -> list[str]:
    """A line a skill, a column an arm, a value a seed; then what became of the skills at large."""
    arms = tables[0].arms
    lines = [f"| skill | n | {' | '.join(arms)} |", f"|---|---:|{'---|' * len(arms)}"]
    for at, row in enumerate(tables[0].skills):
        cells = []
        for arm in arms:
            rows = [table.skills[at] for table in tables if arm in table.skills[at].results]
            values = [f"{row.results[arm].estimate.value:.2f}" for row in rows]
            cells.append(" ".join(dict.fromkeys(values) if arm == arms[0] else values))
        lines.append(f"| {row.name} | {row.items} | {' | '.join(cells)} |")
    for table in tables:
        for measured in summarize(table).measures:
            if measured.value is not None and measured.low is not None:
                lines.append(
                    f"{measured.name}: {measured.value:.3f} "
                    f"[{measured.low:.3f}, {measured.high:.3f}]"
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="7,1,2")
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("STATE", "LOCKS"):
            os.environ[f"FINETOP_{kind}"] = str(Path(folder, kind.lower()))
            Path(folder, kind.lower()).mkdir()
        for seed in map(int, options.seeds.split(",")):
            root = Path(folder, f"runs-{seed}")
            root.mkdir()
            tables.append(measure(seed, options.items, options.changes, root))
            print("\n".join(list_lines(tables)), flush=True)


if __name__ == "__main__":
    set_environment()  # before torch: its threads must not spin
    main()
