"""What runs on a thread comes back on the app's own, or not at all."""

import threading

from textual.app import App
from textual.widgets import Label

from engine.errors import EngineError
from tui.background import run_in_background


class _App(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.errors: list[EngineError] = []

    def show_error(self, error: EngineError) -> None:
        self.errors.append(error)


async def test_result_comes_back_on_the_thread_of_the_app() -> None:
    app = _App()
    async with app.run_test():
        threads: list[int] = []
        received: list[tuple[str, int]] = []

        def work() -> str:
            threads.append(threading.get_ident())
            return "rows"

        def then(value: str) -> None:
            received.append((value, threading.get_ident()))

        await run_in_background(app, work, then).wait()
        assert received == [("rows", threading.get_ident())]
        assert threads != [threading.get_ident()]


async def test_errors_reach_who_asked_else_a_window() -> None:
    app = _App()
    async with app.run_test():

        def refuse() -> None:
            raise EngineError("No such file.", "x.jsonl", "")

        def full() -> None:
            raise OSError(28, "No space left on device", "notes.json")

        seen: list[EngineError] = []
        await run_in_background(app, refuse, failed=seen.append).wait()
        assert [error.title for error in seen] == ["No such file."]
        assert not app.errors
        await run_in_background(app, refuse).wait()
        await run_in_background(app, full).wait()
        assert [error.detail for error in app.errors] == [
            "x.jsonl", "notes.json: No space left on device",
        ]  # fmt: skip


async def test_nothing_comes_back_to_a_node_that_is_gone() -> None:
    app = _App()
    async with app.run_test():
        label = Label("old")
        await app.mount(label)
        go = threading.Event()
        received: list[bool] = []
        worker = run_in_background(label, lambda: go.wait(60), received.append)
        await label.remove()
        go.set()
        await app.workers.wait_for_complete([worker] if not worker.is_cancelled else [])
        assert not received


async def test_exclusive_work_drops_what_came_before() -> None:
    app = _App()
    async with app.run_test():
        go = threading.Event()
        received: list[str] = []

        def slow() -> str:
            go.wait(60)
            return "first"

        first = run_in_background(app, slow, received.append, group="list", exclusive=True)
        second = run_in_background(
            app, lambda: "second", received.append, group="list", exclusive=True
        )
        await second.wait()
        go.set()
        assert first.is_cancelled
        assert received == ["second"]
