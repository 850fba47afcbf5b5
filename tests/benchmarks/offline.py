"""A run of W&B's, written by wandb itself: run by the Python that has it, not by finetop's.

    PYTHON tests/benchmarks/offline.py FOLDER

Logs each line of its input, a JSON object of values by metric with `step` among them, and answers
each with a line. Nothing leaves the machine: the run stays below FOLDER.
"""

import importlib
import json
import sys


def main() -> None:
    wandb = importlib.import_module("wandb")
    settings = wandb.Settings(x_disable_stats=True, console="off")
    run = wandb.init(project="bench", dir=sys.argv[1], mode="offline", settings=settings)
    for line in sys.stdin:
        values = json.loads(line)
        run.log(values, step=values.pop("step"))
        print("logged", flush=True)
    run.finish()


if __name__ == "__main__":
    main()
