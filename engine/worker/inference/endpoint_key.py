"""An endpoint's key: the one place that reads it from the environment, and what hides it.

It goes into the header of a request and nowhere else. A server that repeats it has it hidden in
errors, and in answers too, which are kept in files and exported.
"""

import os

from engine.compare.arms import Arm

_HIDDEN = "…"
_LEAST_SECRET = 12
"""Characters. A shorter one is a placeholder, as EMPTY for vLLM, and an answer may well say it."""


def find_key(arm: Arm) -> str:
    """The key of an endpoint; empty where it has none, or its variable is not set."""
    return os.environ.get(arm.key or "", "").strip()


def find_secret(arm: Arm) -> str:
    """What must not stand in an answer; empty where there is nothing to hide."""
    key = find_key(arm)
    return key if len(key) >= _LEAST_SECRET else ""


def hide(secret: str, text: str) -> str:
    """A text without the secret."""
    return text.replace(secret, _HIDDEN) if secret else text
