"""One request, or a few, to a companion process that is started for a command and ends with it.

Apart from the commands, which import one another here and there.
"""

from typing import Any


async def ask_companion(runs: str, *asked: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The last event of each request, of a companion process that is started for them.

    Requests are their kinds and fields. The process ends with the last of them.
    """
    from tui.companion import Companion, Stream

    companion = Companion(runs=runs, warm=False)
    try:
        return [await Stream(companion, kind, fields).last() for kind, fields in asked]
    finally:
        await companion.close()
