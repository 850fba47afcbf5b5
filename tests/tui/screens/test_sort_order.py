"""The order of another version of finetop is not lost."""

from pathlib import Path

from tui.screens import sort_order
from tui.screens.sort_order import SortOrder


def test_one_that_is_newer_is_set_aside(tmp_path: Path) -> None:
    path = sort_order.order_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"schema": 2, "order": {}}')
    order, note = sort_order.load(tmp_path)
    assert order == SortOrder()
    assert note == "The saved sort order is from a newer finetop; using defaults."
    sort_order.save(tmp_path, SortOrder("loss", pinned=["a"]))
    assert sort_order.load(tmp_path) == (SortOrder("loss", pinned=["a"]), "")
    (aside,) = path.parent.glob("*.aside")
    assert aside.read_bytes() == b'{"schema": 2, "order": {}}'
