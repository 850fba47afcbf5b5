"""Sections as one HTML page that needs nothing else: no script, no font, no address outside of it.

Light and dark follow the reader's system, wide tables scroll within themselves, and print is black
on white. All text is escaped once, here.
"""

import html
from collections.abc import Iterable, Iterator

from engine.charts.svg import draw
from engine.impact.report.blocks import (
    Block,
    Bullets,
    Grid,
    GridCell,
    ItemBlock,
    Paragraph,
    Plot,
    Section,
    clip,
)
from engine.text import clean, one_line

LONGEST_CELL = 2000
_LONG = 40
"""Characters from which a text in a table is given room on a narrow screen."""


def write_html(title: str, sections: Iterable[Section]) -> Iterator[str]:
    """The page, piece by piece."""
    shown = tuple(sections)
    yield _HEAD.replace("TITLE", escape_line(title)).replace("STYLE", _STYLE)
    links = "".join(f'<li><a href="#{one.key}">{escape_line(one.title)}</a></li>' for one in shown)
    yield f"<h1>{escape_line(title)}</h1>\n<nav><ul>{links}</ul></nav>\n"
    for section in shown:
        yield f'<section id="{section.key}"><h2>{escape_line(section.title)}</h2>\n'
        for block in section.blocks:
            yield from _write_block(block)
        yield "</section>\n"
    yield "</main></body></html>\n"


def escape_line(text: str) -> str:
    """A text in one line, without a meaning in HTML."""
    return html.escape(_drop_noncharacters(one_line(text)))


def escape_text(text: str) -> str:
    """The same of several lines."""
    return html.escape(_drop_noncharacters(clean(text)))


def _drop_noncharacters(text: str) -> str:
    """What no HTML may hold, replaced visibly."""
    return text.replace("\ufffe", "�").replace("\uffff", "�")


def _write_block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield f"<p{_tone(block.tone)}>{escape_line(block.text)}</p>\n"
    elif isinstance(block, Bullets):
        rows = "".join(f"<li>{escape_line(text)}</li>\n" for text in block.texts)
        yield f"<ul>\n{rows}</ul>\n"
    elif isinstance(block, Grid):
        yield from _write_grid(block)
    elif isinstance(block, Plot):
        caption = escape_line(block.caption)
        yield f'<figure role="img" aria-label="{caption}"><div class="wide">\n{draw(block.sketch)}'
        yield f"</div><figcaption>{caption}</figcaption></figure>\n"
    else:
        yield from _write_item(block)


def _write_grid(block: Grid) -> Iterator[str]:
    yield '<div class="wide"><table>'
    if block.title:
        yield f"<caption>{escape_line(block.title)}</caption>"
    head = "".join(
        f'<th scope="col"{_number(at, block)}>{escape_line(clip(text, LONGEST_CELL))}</th>'
        for at, text in enumerate(block.head)
    )
    yield f"<thead><tr>{head}</tr></thead>\n<tbody>"
    for row in block.rows:
        yield f"<tr>{''.join(_write_cell(at, cell, block) for at, cell in enumerate(row))}</tr>\n"
    yield "</tbody></table></div>\n"


def _write_cell(at: int, cell: GridCell, block: Grid) -> str:
    text = escape_line(clip(cell.text, LONGEST_CELL))
    if not at:
        return f'<th scope="row" dir="auto">{text}</th>'
    return f"<td{_number(at, block, cell.tone, len(cell.text))}>{text}</td>"


def _number(at: int, block: Grid, tone: str = "", length: int = 0) -> str:
    """The classes of a cell: a number, a long text, its tone."""
    kind = "n" if at not in block.texts else "long" if length > _LONG else ""
    names = " ".join(filter(None, (kind, tone)))
    return f' class="{names}"' if names else ""


def _tone(tone: str) -> str:
    return f' class="{tone}"' if tone else ""


def _write_item(block: ItemBlock) -> Iterator[str]:
    yield f'<article><h3 dir="auto">{escape_line(clip(block.title, LONGEST_CELL))}</h3>'
    yield f'<p class="dim">{escape_line(block.facts)}</p>'
    yield f'<pre class="prompt" dir="auto">{escape_text(block.prompt)}</pre>'
    if block.gold:
        yield f'<p>Right: <b dir="auto">{escape_line(block.gold)}</b></p>'
    yield '<div class="answers">'
    for answer in block.answers:
        yield (
            f'<div class="answer"><h4>{escape_line(answer.arm)} '
            f"<span{_tone(answer.tone)}>{escape_line(answer.note)}</span></h4>"
            f'<pre dir="auto">{escape_text(answer.text)}</pre></div>\n'
        )
    yield "</div></article>\n"


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>STYLE</style></head><body><main>
"""
_STYLE = """
:root{--ink:#1c1c1c;--paper:#fff;--grid:#ddd;--dim:#666;--good:#00664a;--bad:#a83f00;--soft:#f4f4f4}
@media (prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181b;--grid:#3a3e44;--dim:#a0a4aa;
--good:#5fd3a6;--bad:#ff9a5c;--soft:#22252a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;
border-top:1px solid var(--grid);padding-top:1rem}h3{font-size:1rem;margin:1.4rem 0 .2rem;
overflow-wrap:anywhere}h4{font-size:.95rem;margin:.4rem 0;overflow-wrap:anywhere}
h4 span{font-weight:400;font-size:.85rem}
p,li{max-width:70ch;overflow-wrap:anywhere}nav ul{columns:16rem;padding-left:1.2rem}
a{color:inherit}
.wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{padding:.25rem .7rem .25rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--grid)}
td.long{min-width:16rem}td{max-width:34rem;overflow-wrap:break-word}
tbody th{font-weight:400;max-width:20rem;overflow-wrap:break-word}
th.n,td.n{text-align:right;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.dim{color:var(--dim)}
figure{margin:1rem 0}figcaption{color:var(--dim);font-size:.9rem}
svg{width:100%;min-width:38rem;max-width:60rem;height:auto}svg text{fill:var(--ink)}
svg rect[fill="#fff"]{fill:var(--paper)}svg [stroke="#222222"]{stroke:var(--ink)}
svg [stroke="#dddddd"]{stroke:var(--grid)}
@media (prefers-color-scheme:dark){svg [stroke="#4d4d4d"],svg [stroke="#666666"]{stroke:#b0b0b0}
svg [fill="#4d4d4d"],svg [fill="#666666"]{fill:#b0b0b0}svg [stroke="#0072b2"]{stroke:#4aa8e0}
svg [fill="#0072b2"]{fill:#4aa8e0}svg [stroke="#7a5195"]{stroke:#b58ad0}
svg [fill="#7a5195"]{fill:#b58ad0}}
article{border-left:3px solid var(--grid);padding-left:.8rem;margin:1.2rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;background:var(--soft);
padding:.4rem .6rem;margin:.3rem 0;border-radius:4px}
.answers{display:flex;flex-wrap:wrap;gap:.8rem}.answer{flex:1 1 16rem;min-width:0}
@media print{:root{--ink:#000;--paper:#fff;--grid:#bbb;--dim:#444;--good:#000;--bad:#000;
--soft:#fff}nav{display:none}article,figure,tr{break-inside:avoid}.wide{overflow:visible}
body{font-size:11px}}
"""
