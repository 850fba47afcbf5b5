"""Options that several commands share, and nothing that takes time to load."""

import argparse

SCREEN = ("--ascii", "--mouse", "--light", "--dark")


def add_screen_options(parser: argparse.ArgumentParser) -> None:
    """How it is drawn. Of a command they are given after it as well as before."""
    none = argparse.SUPPRESS  # else a command would overwrite what stands before it
    parser.add_argument("--ascii", action="store_true", default=none,
                        help="draw with ASCII characters only")  # fmt: skip
    parser.add_argument("--mouse", action="store_true", default=none,
                        help="enable the mouse, also over SSH")  # fmt: skip
    looks = parser.add_mutually_exclusive_group()
    for look in ("light", "dark"):
        looks.add_argument(f"--{look}", action="store_const", const=look, dest="look", default=none,
                           help=f"{look} colours")  # fmt: skip


FORCE_HINT = "Choose another name, or add --force."


def add_force(parser: argparse.ArgumentParser) -> None:
    """For commands that write a file where the user says."""
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
