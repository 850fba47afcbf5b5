"""A page that lies over another one: `esc` leads back to that."""

from tui.screens.page import Page


class Sheet(Page):
    over = True

    def step_back(self) -> bool:
        if not super().step_back():
            self.dismiss()
        return True
