"""Images, videos and audio in a row: found and named, so that the row is refused.

A model that is trained on text sees none of them: an answer about a picture would teach it to make
things up. Looks at the row's columns, at the keys of its turns and at the parts of their contents.
"""

from collections.abc import Iterator, Mapping, Sequence

from engine.data.schemas import MEDIA
from engine.data.values import BadRow, Row, is_blank

_NAMES = {"image": "an image", "video": "a video", "audio": "audio"}
_KEYS = (*MEDIA, "image_url", "video_url", "audio_url", "input_audio")
"""Of a part that has no type."""


def check_media(row: Row, fields: Mapping[str, str], turns: Mapping[str, Sequence[Row]]) -> None:
    """Raise BadRow where a row has an image, a video or audio.

    `fields` are those that are read, with their columns; `turns` those that they hold.
    """
    for field in MEDIA:
        if field in fields and not _is_absent(row.get(field)):
            raise BadRow(f"{fields[field]!r} contains {_name(field)}, and only text is trained on")
    for field, listed in turns.items():
        for index, turn in enumerate(listed):
            if word := next(_list_media(turn), ""):
                raise BadRow(
                    f"{field}[{index}]: contains {_name(word)}, and only text is trained on"
                )


def _is_absent(value: object) -> bool:
    return value is False or is_blank(value)


def _list_media(turn: Row) -> Iterator[str]:
    """Which words of a turn name something that is no text."""
    yield from (key for key in MEDIA if key in turn and not _is_absent(turn[key]))
    for content in (turn.get("content"), turn.get("value")):
        for part in content if isinstance(content, list) else ():
            if isinstance(part, Mapping):
                yield from _list_media_of_part(part)


def _list_media_of_part(part: Row) -> Iterator[str]:
    kind = part.get("type")
    if isinstance(kind, str):
        yield from (kind for name in _NAMES if name in kind)
    else:
        yield from (key for key in _KEYS if not _is_absent(part.get(key)))


def _name(word: str) -> str:
    return next(text for name, text in _NAMES.items() if name in word)
