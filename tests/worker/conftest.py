"""What tests of workers share."""

import pytest

from engine.errors import EngineError


@pytest.fixture
def bitsandbytes() -> None:
    """The package, imported as a worker imports it; a test that wants it is skipped without it."""
    from engine.worker.model import quantize

    try:
        quantize.load_bitsandbytes()
    except EngineError as error:
        pytest.skip(f"{error.title} {error.detail}")
