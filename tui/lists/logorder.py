"""What watched logs are listed by, and how that is written down."""

from dataclasses import dataclass

from tui.lists.ordering import VALUES

NAME, STEP, CHANGED = "name", "step", "changed"
_PLAIN = (NAME, STEP, CHANGED)


@dataclass(frozen=True, slots=True)
class Order:
    """What logs are listed by."""

    column: str = NAME
    """NAME, STEP, CHANGED or a tag; tags are told from those by `tagged`."""
    tagged: bool = False
    value: str = "last"
    """Which value of tags is shown, and sorted by: one of VALUES."""
    falling: bool = False

    @classmethod
    def parse(cls, text: str, falling: bool) -> "Order":
        """What `str` gave; by name where it is something else."""
        value, colon, tag = text.partition(":")
        if colon and value in VALUES:
            return cls(tag, True, value, falling)
        return cls(text if text in _PLAIN else NAME, falling=falling)

    def __str__(self) -> str:
        return f"{self.value}:{self.column}" if self.tagged else self.column
