"""The errors that a user can act on: what happened, where, what to do.

Every other exception is a defect of finetop and keeps its traceback.
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

    @property
    def line(self) -> str:
        """What happened and where, as one text without the hint."""
        return f"{self.title} {self.detail}".rstrip()

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.detail, self.hint) if part)


class JobFailed(EngineError):
    """A job that started correctly and failed before its end."""

    exit_code = 1
