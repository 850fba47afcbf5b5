"""When a busy server is asked again: after the time that it names, else after ever longer ones."""

import email.utils
import time
from collections.abc import Mapping

TRIES = 5
FIRST_SECONDS = 1.0
"""Doubled at each further try."""
LONGEST_SECONDS = 120.0
"""A server that names a longer time is not waited for."""
_BUSY = (429, 500, 502, 503, 504)


def find_delay(status: int, headers: Mapping[str, str], tries: int) -> float | None:
    """Seconds until the next try, after so many; None where asking again is of no use.

    `Retry-After` holds seconds or a date (RFC 9110, 10.2.3).
    """
    if status not in _BUSY or tries >= TRIES:
        return None
    named = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    delay = _read_delay(named)
    if delay is None:
        delay = FIRST_SECONDS * 2 ** (tries - 1)
    return delay if delay <= LONGEST_SECONDS else None


def _read_delay(text: str | None) -> float | None:
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
