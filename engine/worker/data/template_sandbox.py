"""Rendering templates that somebody else wrote: in bounded time, every fault with its line.

The sandbox itself is that of transformers, which keeps Python's internals out of reach. What it
leaves open is closed here: loops in loops, and texts that fill the memory.
"""

import resource
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, cast

from jinja2 import Environment
from jinja2.exceptions import TemplateError, TemplateSyntaxError

from engine.chat import Tools
from engine.worker.data.template_texts import DATE, Turn, pin_dates

SECONDS = 2.0
"""Of computing, for one conversation; an honest template takes a thousandth of one."""
SPARE_BYTES = 1 << 30
"""What a template may take of the memory for one conversation."""
LONGEST = 1 << 26
"""Characters; a row of data has an eighth of it at most."""


class Fault(TemplateError):
    """A template that refused a conversation, or could not render it."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        """In the template's text, from 1; None where no line is to blame."""


class _OutOfTime(Exception):
    """Rendering took longer than SECONDS."""


def render(
    tokenizer: Any,
    text: str,
    turns: Sequence[Turn],
    *,
    answer_next: bool = False,
    tools: Tools = (),
) -> str:
    """What the template makes of a conversation. Raises Fault, and nothing else."""
    pinned = pin_dates(text)
    line: int | None
    try:
        with _limited_time(), _limited_memory():
            written = cast(
                str,
                tokenizer.apply_chat_template(
                    turns,
                    tools=list(tools) or None,
                    chat_template=pinned,
                    add_generation_prompt=answer_next,
                    tokenize=False,
                    bos_token=tokenizer.bos_token or "",
                    date_string=DATE,
                ),
            )
        if len(written) > LONGEST:
            raise Fault(f"writes more than {LONGEST:,} characters for one conversation")
        return written
    except Fault:
        raise
    except TemplateSyntaxError as error:
        line = error.lineno
        reason = f"syntax error: {error.message}"
    except TemplateError as error:
        line, reason = _line(error.__traceback__), str(error)
    except _OutOfTime as error:
        line = _line(error.__traceback__)
        reason = f"takes longer than {SECONDS:g} s for one conversation"
    except MemoryError as error:
        line, reason = _line(error.__traceback__), "exceeds the memory limit"
    except RecursionError as error:
        line, reason = _line(error.__traceback__), "recursion never ends"
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        line, reason = _line(error.__traceback__), str(error)
    moved = pinned.count("\n") - text.count("\n")
    # No cause: it would keep the frames, and with them what filled the memory.
    raise Fault(reason, max(1, line - moved) if line else None) from None


def check_powers(text: str) -> None:
    """Refuse `**`: one power can run without limit and cannot be interrupted. Raises Fault."""
    try:
        for line, kind, word in Environment(autoescape=False).lex(text):
            if (kind, word) == ("operator", "**"):
                raise Fault("uses the power operator (**), which is not allowed", line)
    except TemplateSyntaxError as error:
        raise Fault(f"syntax error: {error.message}", error.lineno) from None


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Within it, what would fill the memory raises MemoryError. Does nothing where it cannot."""
    try:
        with open("/proc/self/statm", "rb") as counts:
            pages = int(counts.read(32).split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    except (OSError, ValueError):
        yield
        return
    limit = pages * resource.getpagesize() + SPARE_BYTES
    bounds = [limit, *(one for one in (soft, hard) if one != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    try:
        yield
    finally:
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _limited_time() -> Iterator[None]:
    """Computing time, so that a machine that is busy or asleep is not blamed on the template.

    Only the main thread can be interrupted, and it is where workers render.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _OutOfTime


def _line(trace: TracebackType | None) -> int | None:
    """The innermost line of the template that a traceback leads through."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":  # Jinja makes lines its own
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
