"""How long a test waits for what must come. It ends a hang, and never times anything.

A wait is on a condition and ends with it; only a failing test waits for so long. Both are many
times what is needed on a machine with eight processes for each of its cores. pytest's own limit,
in pyproject.toml, is above them: a wait that fails says what it waited for.
"""

SECONDS = 120.0
"""For what this process has to do: a screen, a thread, a message."""
PROCESS_SECONDS = 600.0
"""For another process: its start, its libraries, a tiny run to its end."""
