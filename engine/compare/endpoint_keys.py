"""Which environment variable may go to which address as the key of an endpoint.

A recipe, a set of arms or a job may come from another person, and names both. What this user has
agreed to is a list in the state folder, in the words `ADDRESS=VARIABLE`; only processes of the
user's write it (commands, dashboard, notebook), a worker only reads it. Knows no value of any
variable.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.compare.allowed_list import AllowedList
from engine.compare.arms import Arm
from engine.compare.key_names import VARIABLE, is_reserved
from engine.errors import EngineError
from engine.text import one_line

FLAG = "--allow-key"
_ALLOWED = AllowedList("endpoint-keys.json", "list of allowed keys")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A variable and the address that its value is sent to."""

    address: str
    """`https://HOST[:PORT]`, in lower case, without the port where it is the usual one."""
    variable: str

    def __str__(self) -> str:
        return f"{self.address}={self.variable}"

    @property
    def is_reserved(self) -> bool:
        """Whether only a user who typed the variable's name may send it."""
        return is_reserved(self.variable)

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether the key leaves this machine unencrypted."""
        parts = urlsplit(self.address)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    @property
    def warning(self) -> str:
        """A sentence where the key is sent unencrypted; else nothing."""
        if not self.is_readable_on_the_way:
            return ""
        return one_line(
            f"{self.variable} is sent unencrypted to {self.address}: others on the network can "
            "read it."
        )


class KeyNotAllowed(EngineError):
    """A key whose use this user has not agreed to; `uses` are what a question can be about."""

    def __init__(self, title: str, detail: str, hint: str, uses: Sequence[KeyUse]) -> None:
        super().__init__(title, detail, hint)
        self.uses = tuple(uses)


def uses_of(arms: Iterable[Arm]) -> list[KeyUse]:
    """The keys that these arms send, each once."""
    uses = [KeyUse(address_of(arm.checkpoint), arm.key) for arm in arms if arm.key is not None]
    return list(dict.fromkeys(uses))


def parse_use(text: str) -> KeyUse:
    """The use that `ADDRESS=VARIABLE` names. Raises EngineError."""
    url, _, variable = text.rpartition("=")
    try:
        address = address_of(url)
    except ValueError:
        address = ""
    if not address or not VARIABLE.fullmatch(variable):
        raise EngineError(
            f"{FLAG} needs an address and the name of a variable.",
            "",
            f"For example: {FLAG} https://api.openai.com=OPENAI_API_KEY",
        )
    return KeyUse(address, variable)


def address_of(url: str) -> str:
    """Scheme, host and port of an URL; empty where it is none. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    is_usual = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{port}")


def find_unknown(arms: Iterable[Arm]) -> list[KeyUse]:
    """The keys that these arms send and that this user has not agreed to."""
    uses = uses_of(arms)
    known = set(_ALLOWED.read()) if uses else set()
    return [use for use in uses if str(use) not in known]


def allow(uses: Iterable[KeyUse]) -> None:
    """Remember that this user agreed. Raises EngineError where it cannot be written."""
    _ALLOWED.add(str(use) for use in uses)


def check(arms: Iterable[Arm], run: str = "") -> None:
    """Raise KeyNotAllowed where an arm sends a key that this user has not agreed to."""
    unknown = find_unknown(arms)
    if unknown:
        raise refuse(unknown, run)


def refuse(unknown: Sequence[KeyUse], run: str = "") -> KeyNotAllowed:
    """The error for keys that are not allowed; those of accounts alone where there are some.

    `run` is the id of the run whose recipe names them; empty where there is none.
    """
    reserved = [use for use in unknown if use.is_reserved]
    uses = reserved or unknown
    names = ", ".join(dict.fromkeys(use.variable for use in uses))
    title = (
        f"{names} usually holds the key of an account: no file can send it to an endpoint."
        if reserved
        else f"{names} was not sent to this address before."
    )
    flags = " ".join(f"{FLAG} {use}" for use in uses)
    return KeyNotAllowed(
        one_line(title),
        "\n".join(one_line(f"{use.variable} to {use.address}") for use in uses),
        one_line(
            f"To allow it: finetop resume {run} {flags}"
            if run
            else "To allow it, edit the arm and type the variable's name there."
        ),
        uses,
    )


def is_loopback(host: str) -> bool:
    """Whether a host's name is that of this machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
