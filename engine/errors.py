"""The errors that a user can act on: what happened, where, what to do.

Anything else that is raised is our own mistake and keeps its traceback.
"""


class EngineError(Exception):
    """Wrong use or wrong input.

    `title` says what happened, `detail` where (file and line), `hint` what to do about it.
    """

    exit_code = 2

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.detail, self.hint) if part)


class JobFailed(EngineError):
    """A job was started rightly and did not reach its end."""

    exit_code = 1
