"""When a busy server is asked again: after the time that it names, else after ever longer ones.

Requests in flight to one server share what one of them learned: none is sent before that time.
"""

import datetime
import email.utils
import re
import threading
import time
from collections.abc import Mapping

TRIES = 5
FIRST_SECONDS = 1.0
"""Doubled at each further try."""
LONGEST_SECONDS = 120.0
"""A server that names a longer time is not waited for."""
BUSY = (429, 503)
"""Statuses that are about all requests to a server, and not about one of them."""
_FINAL = (501, 505)
"""Server errors that mean the request, and stay."""


class ServerPause:
    """Until when a server is to be left alone; one for all requests to it, on any thread."""

    def __init__(self) -> None:
        self._until = 0.0
        self._guard = threading.Lock()

    def extend(self, seconds: float) -> None:
        """Send nothing for so long from now on; a pause is never made shorter."""
        with self._guard:
            self._until = max(self._until, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until it may be asked again."""
        return max(0.0, self._until - time.monotonic())

    def wait(self, cancel: threading.Event) -> None:
        """Wait until it may be asked again, or until `cancel` is set."""
        while (left := self.left) and not cancel.wait(left):
            pass


def find_delay(status: int, headers: Mapping[str, str], tries: int) -> float | None:
    """Seconds until the next try, after so many; None where asking again is of no use.

    `Retry-After` holds seconds or a date (RFC 9110, 10.2.3). A date is compared with the server's
    own `Date`, where it sends one: its clock may differ from ours.
    """
    if not _is_busy(status) or tries >= TRIES:
        return None
    by_name = {name.lower(): value for name, value in headers.items()}
    delay = _read_delay(by_name.get("retry-after", ""), by_name.get("date", ""))
    if delay is None:
        delay = FIRST_SECONDS * 2 ** (tries - 1)
    return delay if delay <= LONGEST_SECONDS else None


def _is_busy(status: int) -> bool:
    return status in (408, 429) or (500 <= status < 600 and status not in _FINAL)


def _read_delay(text: str, sent: str) -> float | None:
    """Seconds that a header asks for; `sent` is when the server says it wrote that."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    if text.isascii() and text.isdecimal():
        return LONGEST_SECONDS + 1
    until, now = _read_date(text), _read_date(sent)
    return None if until is None else max(0.0, until - (time.time() if now is None else now))


def _read_date(text: str) -> float | None:
    """Unix seconds of an HTTP date, which is in GMT whether it says so or not."""
    try:
        date = email.utils.parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
