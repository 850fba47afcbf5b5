"""Sentences as lines of a command, as wide as the narrowest terminal that is promised.

A file of its own: each command that prints a table says below it how it is read.
"""

import textwrap

WIDTH = 80


def wrap(text: str, indent: str = "  ") -> list[str]:
    """A clean text in lines of at most WIDTH characters, all but the first after an indent. A name
    is not broken at its hyphens."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
