"""The benchmarks by name, each with its full size and a brief one."""

import os
import threading
import time

from tests.benchmarks.results import Outcome, Row

TITLES = {
    "events": "the event reader beside TensorBoard's own two, and a thousand runs",
    "watch": "finetop watch in a terminal, beside wandb leet",
    "dashboard": "the dashboard's first paint, memory, traffic and speed",
    "hangup": "20 dashboards hung up while a worker trains",
    "kill": "50 times kill -9 in the middle of training",
    "faults": "3,000 mutants of event and JSON files, and 300 faults under a run",
    "demo": "finetop demo in a fresh folder: its time, what it gains and what it loses",
    "ending": "whether a tuned model stops by itself",
    "training": "training beside TRL and transformers, by length, and packed",
    "memory": "the memory estimate beside real runs",
    "export": "memory of a merged export of 60 M parameters",
    "evaluate": "choices by likelihood beside plain transformers, and what skills cost a training",
    "compare": "answers of a base and a tuned model, beside two pipelines",
    "answers": "2,000 damaged answers of a generator with known truth",
    "making": "making data: 20 times kill -9, a server that fails, questions in flight",
    "duplicates": "near-duplicates among 1,000 made pairs with known truth",
}


def run(name: str, *, brief: bool) -> Outcome:
    """Run one benchmark. Raises AssertionError where the program fails it outright."""
    if name == "events":
        from tests.benchmarks import bench_events

        sizes = bench_events.BRIEF if brief else bench_events.Sizes()
        return bench_events.bench(sizes)
    if name == "watch":
        from tests.benchmarks import bench_watch

        return bench_watch.bench(bench_watch.BRIEF if brief else bench_watch.Effort())
    if name == "dashboard":
        from tests.benchmarks import bench_dashboard

        return bench_dashboard.bench(bench_dashboard.BRIEF if brief else bench_dashboard.Effort())
    if name == "hangup":
        from tests.benchmarks import bench_hangup

        return bench_hangup.bench(2, 1) if brief else bench_hangup.bench()
    if name == "faults":
        from tests.benchmarks import bench_faults

        return bench_faults.bench(*bench_faults.BRIEF) if brief else bench_faults.bench()
    if name == "training":
        from engine.worker.environment import set_environment

        set_environment()  # before torch: its threads must not spin
        from tests.benchmarks import bench_training

        return bench_training.bench(bench_training.BRIEF if brief else bench_training.Effort())
    if name == "demo":
        from tests.benchmarks import bench_demo

        return bench_demo.bench(bench_demo.BRIEF if brief else ())
    if name == "ending":
        from tests.benchmarks import bench_ending

        return bench_ending.bench(64, bench_ending.BRIEF) if brief else bench_ending.bench()
    if name == "evaluate":
        from engine.worker.environment import set_environment

        set_environment()  # before torch: its threads must not spin
        from tests.benchmarks import bench_evaluate

        return bench_evaluate.bench(bench_evaluate.BRIEF if brief else bench_evaluate.Effort())
    if name == "compare":
        from engine.worker.environment import set_environment

        set_environment()  # before torch: its threads must not spin
        from tests.benchmarks import bench_compare

        return bench_compare.bench(bench_compare.BRIEF if brief else bench_compare.Effort())
    if name == "answers":
        from tests.benchmarks import bench_answers

        return bench_answers.bench(bench_answers.BRIEF) if brief else bench_answers.bench()
    if name == "making":
        from tests.benchmarks import bench_making

        return bench_making.bench(bench_making.BRIEF if brief else bench_making.Effort())
    if name == "duplicates":
        from tests.benchmarks import bench_duplicates

        return bench_duplicates.bench(bench_duplicates.BRIEF) if brief else bench_duplicates.bench()
    if name == "export":
        from tests.benchmarks import bench_export

        return bench_export.bench(bench_export.BRIEF if brief else bench_export.CASES)
    if name == "memory":
        from tests.benchmarks import bench_memory

        return bench_memory.bench(1) if brief else bench_memory.bench()
    from tests.benchmarks import bench_kill

    trials = 2 if brief else 50
    found = bench_kill.rows(bench_kill.bench(trials))
    return Outcome([Row(*row) for row in found], {"trials": trials})


def end_with(parent: int) -> None:
    """End when `parent` does: a benchmark that was killed must not go on taking a core."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
