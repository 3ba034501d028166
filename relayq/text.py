r"""Make text that a job could have written fit for a terminal.

Everything a job can influence is hostile: names, messages, output. A terminal
obeys what it is sent: it moves, retitles its window, fills the clipboard, answers
as if the person had typed. So nothing passes but characters that merely print.
What does not pass is shown, not dropped: two different texts never look the same.

    C0 controls, DEL   their symbols: ESC is ␛, BEL is ␇, newline is ␊
    the rest           �: C1 controls, bidirectional overrides and isolates, zero-width
                       and tag characters, invisible fillers, line separators, lone
                       surrogates, private use, and marks piled up on one letter

Newlines, tabs and colours pass where they are asked for; of the colours only plain
SGR sequences, without blinking and concealment, and they end where the text ends.
"""

from __future__ import annotations

import codecs
import re

_MARKS_MAX = 4
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNSAFE = (
    f"[\x01-\x1f\x7f-\x9f{_INVISIBLE}\\ud800-\\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]|\\0"
    f"|(?<![{_EMOJI}])[\ufe0e\ufe0f]"  # they choose how an emoji looks
    f"|(?<=[{_MARKS}]{{{_MARKS_MAX}}})[{_MARKS}]"
)
_PLAIN = re.compile(_UNSAFE)
_COLOURED = re.compile(rf"\x1b\[([0-9;]{{0,32}})m|{_UNSAFE}")
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-9;]{0,32})?)\Z")
_STYLES = frozenset({*range(5), 7, 9, 22, 23, 24, 27, 29, *range(30, 38), *range(39, 48), 49})
_BRIGHT = frozenset({*range(90, 98), *range(100, 108)})
_RESET = "\x1b[0m"


def safe(text: str, *, keep_sgr: bool = False, keep_newlines: bool = False) -> str:
    """Return text that does nothing to a terminal but print.

    `keep_newlines` lets newlines and tabs pass (a carriage return becomes a newline),
    `keep_sgr` colours, which are reset at the end.
    """
    if text.isascii() and text.isprintable():
        return text
    cleaner = _Cleaner(keep_sgr=keep_sgr, keep_newlines=keep_newlines)
    return cleaner.clean(text) + cleaner.end()


class SafeStream:
    """`safe` for output that arrives in pieces, which may end inside a character or a colour."""

    def __init__(self, *, keep_sgr: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cleaner = _Cleaner(keep_sgr=keep_sgr, keep_newlines=True)
        self._held = ""

    def feed(self, data: bytes) -> str:
        """Return what can be shown of the output so far and was not shown yet."""
        text = self._held + self._decoder.decode(data)
        unfinished = _UNFINISHED.search(text)
        self._held = unfinished.group() if unfinished else ""
        return self._cleaner.clean(text.removesuffix(self._held))

    def close(self) -> str:
        """Return the rest."""
        rest = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return self._cleaner.clean(rest) + self._cleaner.end()


class _Cleaner:
    """Cleans a text piece by piece; `_before` is what the marks of the next piece stand on."""

    __slots__ = ("_before", "_coloured", "_newlines", "_pattern")

    def __init__(self, *, keep_sgr: bool, keep_newlines: bool) -> None:
        self._pattern = _COLOURED if keep_sgr else _PLAIN
        self._newlines = keep_newlines
        self._coloured = False
        self._before = ""

    def clean(self, text: str) -> str:
        if self._newlines:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        before, text = self._before, self._before + text
        self._before = text[-_MARKS_MAX:]
        return self._pattern.sub(self._shown, text)[len(before) :]

    def end(self) -> str:
        was, self._coloured = self._coloured, False
        return _RESET if was else ""

    def _shown(self, match: re.Match[str]) -> str:
        found = match.group()
        if len(found) > 1:
            return self._sgr(found, match.group(1))
        if self._newlines and found in "\n\t":
            return found
        return symbol(found)

    def _sgr(self, sequence: str, parameters: str) -> str:
        if not _is_plain_style([int(word or 0) for word in parameters.split(";")]):
            return symbol(sequence[0]) + sequence[1:]
        self._coloured = bool(parameters.strip("0;"))
        return sequence


def symbol(character: str) -> str:
    """Return the visible stand-in for a character that is not to be printed."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _is_plain_style(codes: list[int]) -> bool:
    """Say whether SGR codes only set colours and plain styles: `1;31`, `38;5;208`, `48;2;0;0;255`."""
    while codes:
        size = _style_words(codes)
        if not size:
            return False
        codes = codes[size:]
    return True


def _style_words(codes: list[int]) -> int:
    """How many of the codes make the first style; 0 when it is none that passes."""
    code, colour = codes[0], {5: 3, 2: 5}.get(codes[1] if len(codes) > 1 else 0, 0)
    if code in (38, 48) and colour and len(codes) >= colour and max(codes[2:colour]) < 256:
        return colour
    return int(code in _STYLES - {38} or code in _BRIGHT)
