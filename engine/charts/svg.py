"""A sketch of a chart as an SVG document. No library, no script, no font of its own."""

from xml.sax.saxutils import escape, quoteattr

from engine.charts.figure import INK, Mark, Sketch, Stroke, Words


def draw(sketch: Sketch) -> str:
    """The document, well-formed for any text."""
    size = f'width="{sketch.width}" height="{sketch.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}'
        f' viewBox="0 0 {sketch.width} {sketch.height}" font-family="sans-serif" font-size="13"'
        f' fill="{INK}">',
        f"<title>{_written(sketch.title)}</title>",
        f'<rect {size} fill="#fff"/>',
    ]
    for shape in sketch.shapes:
        if isinstance(shape, Words):
            parts.append(_words(shape))
        elif isinstance(shape, Stroke):
            parts.append(_stroke(shape))
        else:
            parts.append(_mark(shape))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _words(words: Words) -> str:
    look = ' font-size="16" font-weight="bold"' if words.title else ""
    look += f' text-anchor="{words.anchor}"' if words.anchor != "start" else ""
    return f'<text x="{words.x:g}" y="{words.y:.1f}"{look}>{_written(words.text)}</text>'


def _stroke(stroke: Stroke) -> str:
    steps = []
    for piece in stroke.pieces:
        first, *rest = [f"{x:.1f} {y:.1f}" for x, y in piece.tolist()]
        # A point between two gaps would else not be seen: a line of no length, round ends.
        steps.append(f"M{first}h0{''.join(f'L{one}' for one in rest)}")
    return (
        f'<path d="{"".join(steps)}" fill="none" stroke={quoteattr(stroke.colour)}'
        f' stroke-width="{stroke.width:g}" stroke-linecap="round" stroke-linejoin="round"'
        f' opacity="{stroke.opacity:g}"/>'
    )


def _mark(mark: Mark) -> str:
    at, colour = f"{mark.x:.1f} {mark.y:.1f}", mark.colour
    if mark.shape == "circle":
        return f'<circle cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="4" fill="{colour}"/>'
    strokes = {
        "square": "m-4 -4h8v8h-8z",
        "diamond": "m0 -5l5 5l-5 5l-5 -5z",
        "triangle": "m0 -5l5 9h-10z",
        "cross": "m-4 -4l8 8m0 -8l-8 8",
        "plus": "m-5 0h10m-5 -5v10",
    }
    filled = "none" if mark.shape in ("cross", "plus") else colour
    return (
        f'<path d="M{at}{strokes[mark.shape]}" fill="{filled}" stroke="{colour}"'
        ' stroke-width="1.8"/>'
    )


def _written(text: str) -> str:
    """Text that may stand in XML; what XML cannot hold at all is replaced."""
    return escape(text).replace("\ufffe", "�").replace("\uffff", "�")
