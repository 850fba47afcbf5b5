"""The letters of charts that are made of pixels: five by seven, drawn for this program.

Knows ASCII and a few signs. Accents fall away; what has no letter here is an empty box, so that
nobody takes a name for another one.
"""

import unicodedata

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, BELOW = 5, 7, 2
ADVANCE = 6
"""From one letter to the next."""
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_BOX = "VHHHHHV"
# Each letter row by row, five pixels as a digit of base 32; rows 8 and 9 hang below the line.
# fmt: off
_LETTERS = {
    " ": "0000000", "!": "4444404", '"': "AAA0000", "#": "AAVAVAA", "$": "4FKE5U4",
    "%": "OP248J3", "&": "CIK8LID", "'": "4480000", "(": "2488842", ")": "8422248",
    "*": "04LEL40", "+": "044V440", ",": "00000C48", "-": "000V000", ".": "00000CC",
    "/": "01248G0", "0": "EHJLPHE", "1": "4C4444E", "2": "EH1248V", "3": "V2421HE",
    "4": "26AIV22", "5": "VGU11HE", "6": "68GUHHE", "7": "V124888", "8": "EHHEHHE",
    "9": "EHHF12C", ":": "0CC0CC0", ";": "0CC0C48", "<": "248G842", "=": "00V0V00",
    ">": "8421248", "?": "EH12404", "@": "EH1DLLE", "A": "EHHVHHH", "B": "UHHUHHU",
    "C": "EHGGGHE", "D": "UHHHHHU", "E": "VGGUGGV", "F": "VGGUGGG", "G": "EHGNHHF",
    "H": "HHHVHHH", "I": "E44444E", "J": "72222IC", "K": "HIKOKIH", "L": "GGGGGGV",
    "M": "HRLLHHH", "N": "HHPLJHH", "O": "EHHHHHE", "P": "UHHUGGG", "Q": "EHHHLID",
    "R": "UHHUKIH", "S": "FGGE11U", "T": "V444444", "U": "HHHHHHE", "V": "HHHHHA4",
    "W": "HHHLLLA", "X": "HHA4AHH", "Y": "HHA4444", "Z": "V1248GV", "[": "E88888E",
    "\\": "0G84210", "]": "E22222E", "^": "4AH0000", "_": "000000V", "`": "8420000",
    "a": "00E1FHF", "b": "GGMPHHU", "c": "00EGGHE", "d": "11DJHHF", "e": "00EHVGE",
    "f": "698S888", "g": "00FHHHF1E", "h": "GGMPHHH", "i": "40C444E", "j": "2062222IC",
    "k": "GGIKOKI", "l": "C44444E", "m": "00QLLLL", "n": "00MPHHH", "o": "00EHHHE",
    "p": "00UHHHUGG", "q": "00FHHHF11", "r": "00MPGGG", "s": "00FGE1U", "t": "88S8896",
    "u": "00HHHJD", "v": "00HHHA4", "w": "00HHLLA", "x": "00HA4AH", "y": "00HHHHF1E",
    "z": "00V248V", "{": "2448442", "|": "4444444", "}": "8442448", "~": "008L200",
    "·": "0004000",
}
# fmt: on
_SPELLED = {"…": "...", "–": "-", "—": "-", "“": '"', "”": '"', "’": "'", "\N{MICRO SIGN}": "u"}
_CELLS = HEIGHT + BELOW


def bitmap(text: str) -> npt.NDArray[np.float64]:
    """`text` as ones on zeros: 9 rows, of which the last two hang below the line."""
    letters = [_letter(character) for character in spelled(text)]
    blank = np.zeros((_CELLS, ADVANCE - WIDTH))
    return np.hstack([part for one in letters for part in (one, blank)] or [blank])


def spelled(text: str) -> str:
    """`text` in characters that there are letters for, as far as there are."""
    plain = "".join(_SPELLED.get(one, one) for one in text)
    parts = unicodedata.normalize("NFKD", plain)
    return "".join(one for one in parts if not unicodedata.combining(one))


def _letter(character: str) -> npt.NDArray[np.float64]:
    rows = [_DIGITS.index(one) for one in _LETTERS.get(character, _BOX).ljust(_CELLS, "0")]
    return np.array([[row >> (WIDTH - 1 - at) & 1 for at in range(WIDTH)] for row in rows], float)
