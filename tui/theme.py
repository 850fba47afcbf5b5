"""The two looks, dark and light: calm, one accent for the base and one for the tuned model."""

from textual.theme import Theme

DARK = Theme(
    name="finetop-dark",
    primary="#7aa2c8",
    secondary="#e0a458",
    warning="#d9b44a",
    error="#e06c66",
    success="#7fb77e",
    accent="#e0a458",
    foreground="#c9ced6",
    background="#101317",
    surface="#101317",
    panel="#1a1f26",
    dark=True,
    variables={
        "base-arm": "#7aa2c8",
        "tuned-arm": "#e0a458",
        "third-arm": "#b594d6",
        "fourth-arm": "#6fb8ac",
        "quiet": "#7b8492",
        "rule": "#2b323c",
        "row": "#243040",
        "row-blurred": "#1a1f26",
        "bright": "#f2f4f8",
    },
)
LIGHT = Theme(
    name="finetop-light",
    primary="#2b5f8f",
    secondary="#9a5b00",
    warning="#7d6000",
    error="#b3261e",
    success="#2f6f3a",
    accent="#9a5b00",
    foreground="#22262c",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#efefea",
    dark=False,
    variables={
        "base-arm": "#2b5f8f",
        "tuned-arm": "#9a5b00",
        "third-arm": "#6b3f99",
        "fourth-arm": "#1d6f66",
        "quiet": "#6a717c",
        "rule": "#d5d6d0",
        "row": "#dbe6f2",
        "row-blurred": "#efefea",
        "bright": "#000000",
    },
)
