"""Tokens: one text through several tokenizers, and the window to choose them in."""

from pathlib import Path

from tests.snapshots.directories import write_runs
from tests.snapshots.scenes import scene
from tests.snapshots.stage import Stage
from tui.tokens import last_choice
from tui.tokens.page import TokensPage
from tui.tokens.pick_tokenizers import PickTokenizers


async def open_tokens(stage: Stage, *refs: str) -> None:
    """These tokenizers stand side by side, as they were left."""
    Path("models").mkdir()
    Path("models/second.gguf").write_bytes(b"GGUF")
    last_choice.save(["bundled:demo-base", *refs])
    write_runs()


@scene(
    {
        "tokens": TokensPage,
        "tokens-stepped": TokensPage,
        "tokens-ids": TokensPage,
        "tokens-right-to-left": TokensPage,
        "tokens-writing": TokensPage,
        "tokens-written": TokensPage,
    }
)
async def tokens(stage: Stage) -> None:
    await open_tokens(stage)
    async with stage.finetop():
        await stage.reach(TokensPage, "6")
        await stage.shoot("tokens", "The│·old│", "1/29 The  id 100")
        await stage.press("l")
        await stage.shoot("tokens-stepped", "2/29 ·old")
        await stage.press("i")
        await stage.shoot("tokens-ids", "100│101│102│")
        await stage.press("i", "i", "n")
        await stage.shoot("tokens-right-to-left", "text 2/6 Persian")
        await stage.press("e")
        await stage.shoot("tokens-writing", "leave field")
        await stage.press(*"my own Zoo", "ctrl+s")
        await stage.shoot("tokens-written", "text 7/7 yours", "loses letter case")


@scene(
    {
        "tokens-of-two": TokensPage,
        "tokens-texts": TokensPage,
        "tokens-templates": TokensPage,
        "tokens-template-refused": TokensPage,
        "tokens-difference": TokensPage,
        "tokens-conversation": TokensPage,
        "pick-tokenizers": PickTokenizers,
        "pick-tokenizers-path": PickTokenizers,
    }
)
async def tokens_of_two(stage: Stage) -> None:
    await open_tokens(stage, "models/second.gguf")
    async with stage.finetop():
        await stage.reach(TokensPage, "6")
        await stage.shoot("tokens-of-two", "1 demo-base  29 tokens", "2 models/second.gguf")
        await stage.press("v")
        await stage.shoot("tokens-texts", "tokens for one of English")
        await stage.press("v")
        await stage.shoot("tokens-templates", "⟦<raw>⟧You│")
        await stage.press("f", "f")
        await stage.shoot("tokens-template-refused", "It refuses this: no system")
        await stage.press("v")
        await stage.shoot("tokens-difference", "difference")
        await stage.press("V", "e")
        await stage.shoot("tokens-conversation", "leave field", "user:")
        await stage.press("escape")
        await stage.reach(PickTokenizers, "t")
        await stage.shoot("pick-tokenizers", "second.gguf", "enter takes 2", without="looking")
        await stage.press("tab", *"elsewhere/tokenizer.json", "enter")
        await stage.shoot("pick-tokenizers-path", "enter takes 3")
