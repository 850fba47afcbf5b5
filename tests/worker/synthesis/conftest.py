"""An endpoint for jobs that make data, and its waiting times made short."""

from collections.abc import Iterator

import pytest

from engine.worker.inference import endpoint, endpoint_retry
from engine.worker.synthesis import endpoint_generator
from tests.worker.inference.endpoints import Server, serving
from tests.worker.synthesis.making import answer_rightly


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.answer = answer_rightly
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting times of a server's trouble, in hundredths of what they are."""
    monkeypatch.setattr(endpoint, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(endpoint_retry, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(endpoint_generator, "FIRST_SECONDS", 0.01)
