"""`finetop keys`: every key of the dashboard, by page, as the keymap has them."""

import argparse
import json

from engine.errors import EngineError
from tui.keymap import EVERYWHERE, KEYS, SCREENS, Key, faces, names_of


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("keys", help="list the keys of the dashboard")
    parser.add_argument(
        "page", nargs="?", default="", help="only the keys of this page, e.g. watch"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_list)
    return [parser]


def _list(options: argparse.Namespace) -> int:
    pages = _pages(options.page)
    if options.json:
        print(json.dumps([_as_table(key) for page in pages for key in _keys_of(page)], indent=1))
        return 0
    for at, page in enumerate(pages):
        print(("\n" if at else "") + SCREENS[page])
        for key in _keys_of(page):
            print(f"  {faces(key):<18}  {key.help}")
        if not _keys_of(page):
            print("  no keys but those that work everywhere")
    return 0


def _pages(name: str) -> list[str]:
    """The keymap's names of the pages that are listed. Raises EngineError."""
    if not name:
        return [page for page in SCREENS if _keys_of(page)]
    for page, title in SCREENS.items():
        if name.casefold() in (page or EVERYWHERE, title.casefold()):
            return [page]
    names = ", ".join(page or EVERYWHERE for page in SCREENS)
    raise EngineError(f"No page is called {name!r}.", "", f"The pages: {names}.")


def _keys_of(page: str) -> list[Key]:
    return [key for key in KEYS if key.screen == page]


def _as_table(key: Key) -> dict[str, object]:
    return {"page": key.screen or EVERYWHERE, "keys": names_of(key), "help": key.help}
