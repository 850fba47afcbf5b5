"""Runs what may block on a thread, and comes back to the screens' own with what it gave.

The one way for a page, a window or a widget to touch a disk or to compute. What arrives after its
node has gone is dropped. Threads that live as long as a page (feeds, write queues) are not this.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from textual.dom import DOMNode
from textual.worker import Worker, get_current_worker

from engine.errors import EngineError

T = TypeVar("T")


class _ShowsErrors(Protocol):
    def show_error(self, error: EngineError) -> None: ...


def run_in_background(
    node: DOMNode,
    work: Callable[[], T],
    then: Callable[[T], Any] | None = None,
    *,
    failed: Callable[[EngineError], Any] | None = None,
    group: str = "default",
    exclusive: bool = False,
) -> Worker[None]:
    """Call `work` on a thread; hand its result to `then`, or its error to `failed`.

    Both are called on the app's thread, and only while `node` is attached. Without `failed` the
    app shows the error in a window. EngineError and OSError are for the user; any other exception
    is a fault of ours and ends the app with a traceback. `exclusive` drops the results of earlier
    work of the same node and `group`.
    """
    app = node.app

    def deliver(worker: Worker[Any], receive: Callable[[Any], Any], value: object) -> None:
        if node.is_attached and not worker.is_cancelled:
            receive(value)

    def show(error: EngineError) -> None:
        cast("_ShowsErrors", app).show_error(error)

    def run() -> None:
        worker = get_current_worker()
        try:
            value = work()
        except EngineError as error:
            app.call_from_thread(deliver, worker, failed or show, error)
        except OSError as error:
            app.call_from_thread(deliver, worker, failed or show, file_error(error))
        else:
            if then is not None:
                app.call_from_thread(deliver, worker, then, value)

    # Without a description Textual would put the whole function into words for one.
    return node.run_worker(run, thread=True, group=group, exclusive=exclusive, description=group)


def file_error(error: OSError) -> EngineError:
    """A file that cannot be read or written, in words for the user."""
    where = f"{error.filename}: " if error.filename else ""
    return EngineError("A file could not be read or written.", f"{where}{error.strerror or error}")
