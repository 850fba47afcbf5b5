"""What the companion's server and its handlers share: requests, events, and how one waits.

A request is {"id", "type", …}; each is answered by events {"id", "event", …} that end in one `done`
or `error` {title, detail, hint}. `cancel` {"target": id} works at once, whatever runs.
"""

from collections.abc import Callable, Mapping
from typing import Any

PROTOCOL = 1

Request = Mapping[str, Any]
Event = dict[str, Any]
Cancelled = Callable[[], bool]
WAITING: Event = {}
"""What a task yields where it waits for something outside of this process."""
