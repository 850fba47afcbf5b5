"""Which addresses the texts of a data set may be sent to: each is asked about once.

Texts that a model makes rows of leave this machine where an arm is an endpoint elsewhere. What this
user has agreed to is a list in the state folder; an address of this machine itself needs no
agreement. Launchers check, and a worker once more.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from engine.compare.allowed_list import AllowedList
from engine.compare.arms import Arm
from engine.compare.endpoint_keys import address_of, is_loopback
from engine.errors import EngineError
from engine.text import one_line

FLAG = "--yes"
_ALLOWED = AllowedList("endpoint-hosts.json", "list of allowed hosts")


class HostNotAllowed(EngineError):
    """Texts would leave this machine for addresses that this user has not agreed to."""

    def __init__(self, title: str, detail: str, hint: str, addresses: Sequence[str]) -> None:
        super().__init__(title, detail, hint)
        self.addresses = tuple(addresses)


def addresses_of(arms: Iterable[Arm]) -> list[str]:
    """The addresses beyond this machine that these arms send texts to, each once."""
    addresses = [address_of(arm.checkpoint) for arm in arms if arm.is_endpoint]
    return [
        address
        for address in dict.fromkeys(addresses)
        if not is_loopback(urlsplit(address).hostname or "")
    ]


def find_unknown(arms: Iterable[Arm]) -> list[str]:
    """Those that this user has not agreed to."""
    addresses = addresses_of(arms)
    known = set(_ALLOWED.read()) if addresses else set()
    return [address for address in addresses if address not in known]


def allow(addresses: Iterable[str]) -> None:
    """Remember that this user agreed. Raises EngineError where it cannot be written."""
    _ALLOWED.add(addresses)


def check(arms: Iterable[Arm], run: str = "") -> None:
    """Raise HostNotAllowed where texts would be sent to an address that is not agreed to; `run` is
    the id of the job, where there is one."""
    unknown = find_unknown(arms)
    if unknown:
        raise refuse(unknown, run)


def refuse(unknown: Sequence[str], run: str = "") -> HostNotAllowed:
    """The error for addresses that are not agreed to."""
    command = f"finetop resume {run} {FLAG}" if run else f"finetop data make RECIPE {FLAG}"
    return HostNotAllowed(
        "Texts of your data would leave this machine for an address that is new.",
        "\n".join(map(one_line, unknown)),
        one_line(f"To allow it: {command}"),
        unknown,
    )
