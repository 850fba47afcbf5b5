"""Lines of text in pieces that each have a role, and how many cells they take.

Owns the roles: a line says what a piece of text is, the style sheet says how that looks.
"""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

Piece = tuple[str, str]
"""Text, cleaned, and its role: one of ROLES, or "" for plain text."""
Line = Sequence[Piece]

ROLES = (
    "dim", "strong", "title", "key", "base", "tuned", "third", "fourth", "learned", "good", "bad",
    "warn", "marginal", "shifted", "pick", "block0", "block1", "block2", "cursor", "blurred",
)  # fmt: skip
"""`cursor` and `blurred` are the chosen row of a list with and without the focus."""
ROLE_CLASSES = frozenset(f"cells--{role}" for role in ROLES)
"""What a screen with cells in it has as COMPONENT_CLASSES: once, and not in every widget."""


def facts_line(facts: Sequence[str], separator: str) -> Line:
    """Facts side by side, a piece each, so that a whole one falls away where there is no room."""
    return [(f"{f' {separator}' * (at > 0)} {fact}", "dim") for at, fact in enumerate(facts)]


def fit(text: str, width: int, ellipsis: str) -> str:
    """`text` in at most `width` cells, with a mark where it was cut."""
    if width_of(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ellipsis if width > 0 else ""


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text`, filled with spaces to `width` cells; to the right end where `right`."""
    room = " " * max(0, width - width_of(text))
    return room + text if right else text + room


def length(line: Line) -> int:
    """The cells that a line takes."""
    return sum(width_of(text) for text, _ in line)


def cells_of(text: str) -> Sequence[str]:
    """What stands in each cell: a wide character fills its first one, and the next is empty.

    A mark of width zero stands with the character before it.
    """
    if width_of(text) == len(text):
        return text
    cells: list[str] = []
    for at, character in enumerate(text, 1):
        added = cell_len(text[:at]) - len(cells)
        if added > 0:
            cells += [character, *[""] * (added - 1)]
        elif cells:
            owner = max(place for place, cell in enumerate(cells) if cell)
            cells[owner] += character
    return cells


def width_of(text: str) -> int:
    """The cells that a text takes, which is clean."""
    return len(text) if text.isascii() else cell_len(text)
