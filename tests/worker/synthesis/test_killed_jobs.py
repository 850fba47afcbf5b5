"""Real workers that are killed while they make data: no row is lost, and none is made twice.

The benchmark `making` kills twenty of them.
"""

import time
from pathlib import Path

import pytest

from tests.worker.inference.endpoints import serving
from tests.worker.synthesis.killing import kill_again_and_again
from tests.worker.synthesis.making import answer_rightly


@pytest.mark.worker
def test_no_row_is_lost_or_made_twice_by_workers_that_are_killed(tmp_path: Path) -> None:
    with serving() as server:
        server.answer = answer_rightly
        server.before_answer = lambda: time.sleep(0.01)  # so that a kill finds answers in flight
        assert kill_again_and_again(server, tmp_path, kills=3, count=24) == 3
