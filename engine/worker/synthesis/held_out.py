"""The evaluation side of a job, as the texts that no row made may repeat.

Rows are read as those of a suite: a file of prompts, the held-out part of a data set, or what a run
held out; also Parquet and Arrow, which is why this is for a worker.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.impact.suites.contamination import texts_of
from engine.impact.suites.suite_reader import load_suite
from engine.impact.suites.suite_specs import SuiteSpec
from engine.synthesis.gates.candidate import HeldOutText
from engine.worker.data.arrow import read_raw


def read_held_out(
    ref: str, runs: Sequence[Path] = (), say: Callable[[str], object] = lambda note: None
) -> list[HeldOutText]:
    """The questions and right answers behind `source.held_out`; empty: none.

    `runs` are the job directories that `run:ID` may mean; `say` is told what was left out. Raises
    EngineError where there is no such thing, or nothing in it.
    """
    if not ref:
        return []
    texts = []
    for item in load_suite(SuiteSpec("held out", ref), runs, raw=read_raw, say=say):
        question, answers = texts_of(item)
        texts.append(HeldOutText(item.id, question))
        texts += [HeldOutText(item.id, text, is_answer=True) for text in dict.fromkeys(answers)]
    return texts
