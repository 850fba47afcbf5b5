"""Whether runs end with the login session, so that launching can warn.

Some systems kill all of a user's processes at logout, new session or not.
"""

import os
import shutil
import subprocess
from pathlib import Path

CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
SYSTEMD_MARK = "/run/systemd/system"


def warning() -> str:
    """Why a run started here may end with the session; empty where no reason is known."""
    if os.environ.get("SLURM_JOB_ID"):
        return f"runs stop when Slurm job {os.environ['SLURM_JOB_ID']} ends"
    if kills_at_logout() and not lingers():
        return "runs stop at logout; run `loginctl enable-linger` once to keep them running"
    if any(Path(mark).exists() for mark in CONTAINER_MARKS):
        return "runs stop when this container stops"
    return ""


def scope() -> list[str]:
    """The command prefix that keeps a process running after logout; empty where it is not
    needed."""
    if not kills_at_logout() or not os.environ.get("XDG_RUNTIME_DIR"):
        return []
    program = shutil.which("systemd-run")
    return [program, "--user", "--scope", "--quiet", "--collect"] if program else []


def kills_at_logout() -> bool:
    """Whether systemd-logind is set to kill a user's processes at logout."""
    return _ask(
        "busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager", "KillUserProcesses",
    ).endswith("true")  # fmt: skip


def lingers() -> bool:
    """Whether the user's services keep running after logout."""
    return _ask("loginctl", "show-user", str(os.getuid()), "--property=Linger").endswith("yes")


def _ask(*command: str) -> str:
    program = shutil.which(command[0])
    if program is None or not Path(SYSTEMD_MARK).exists():
        return ""
    try:
        answer = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
