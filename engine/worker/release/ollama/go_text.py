"""Writing in Go's text/template: literal text, and white space taken off the ends of a value.

Owns what may stand as it is. All else becomes a string of Go: Ollama's parser of Modelfiles drops
characters that Go does not print (a joiner, a no-break space), and ends a value at three quotes.
"""

from engine.release.modelfile import is_printed

_SPACES = "32 9 10 11 12 13 28 29 30 31"
"""ASCII that Python strips, as bytes. White space beyond ASCII is left."""
_LAST = "(len (slice . 1))"
"""Index of the last byte."""
DEFINITIONS = {
    "ltrim": (
        '{{ define "ltrim" }}{{ if . }}{{ if eq (index . 0) ' + _SPACES + " }}"
        '{{ template "ltrim" slice . 1 }}{{ else }}{{ . }}{{ end }}{{ end }}{{ end }}'
    ),
    "rtrim": (
        '{{ define "rtrim" }}{{ if . }}{{ if eq (index . ' + _LAST + ") " + _SPACES + " }}"
        '{{ template "rtrim" slice . 0 ' + _LAST + " }}{{ else }}{{ . }}{{ end }}{{ end }}{{ end }}"
    ),
    "trim": (
        '{{ define "trim" }}{{ if . }}{{ if eq (index . 0) ' + _SPACES + " }}"
        '{{ template "trim" slice . 1 }}{{ else }}{{ template "rtrim" . }}'
        "{{ end }}{{ end }}{{ end }}"
    ),
}
"""Templates that write a value without white space at its start, its end, or both: Go has no
function for it, so each takes off one byte and calls itself."""


def write_literal(text: str) -> str:
    """Template code that writes exactly `text`."""
    written: list[str] = []
    escaped = ""
    for at, one in enumerate(text):
        before = text[at - 1] if at else ""
        # A brace would make one of two with that of the action behind it.
        plain = (is_printed(one) or one in "\n\t") and one != "{"
        if plain and not (one == '"' and before == '"'):
            if escaped:
                written.append(f'{{{{ "{escaped}" }}}}')
                escaped = ""
            written.append(one)
        else:
            escaped += _escape(one)
    if escaped:
        written.append(f'{{{{ "{escaped}" }}}}')
    return "".join(written)


def _escape(one: str) -> str:
    code = ord(one)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def write_value(value: str, left: bool, right: bool) -> str:
    """Code that writes `value` (as `.Content`), stripped where that is wanted."""
    name = {(True, True): "trim", (True, False): "ltrim", (False, True): "rtrim"}.get((left, right))
    return f'{{{{ template "{name}" {value} }}}}' if name else f"{{{{ {value} }}}}"


def with_definitions(body: str) -> str:
    """`body` with the definitions that it calls before it."""
    wanted = {name for name in DEFINITIONS if f'template "{name}"' in body}
    if "trim" in wanted:
        wanted.add("rtrim")
    return "".join(DEFINITIONS[name] for name in DEFINITIONS if name in wanted) + body
