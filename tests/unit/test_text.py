"""Facts about hostile text: nothing reaches a terminal but what merely prints."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.text import SafeStream, safe

SGR = re.compile(r"\x1b\[([0-9;]{0,32})m")
ESC, BEL, CSI_8BIT = "\x1b", "\a", "\x9b"
ANY_TEXT = st.text(st.characters(categories=None), max_size=60) | st.text(  # with lone surrogates
    st.sampled_from("ab1;[]m\\\x1b\x9b\x07\r\n\t\u202e\u200b\ud800\ufe0f❤\u0301"), max_size=40
)

ATTACKS = {
    "retitle the window": f"{ESC}]0;owned{BEL}",
    "retitle, ended by ST": f"{ESC}]2;owned{ESC}\\",
    "fill the clipboard": f"{ESC}]52;c;cm0gLXJmIH4={BEL}",
    "link elsewhere": f"{ESC}]8;;http://evil.example{ESC}\\click{ESC}]8;;{ESC}\\",
    "notify": f"{ESC}]9;hello{BEL}",
    "notify by 777": f"{ESC}]777;notify;a;b{BEL}",
    "ask for the colours": f"{ESC}]11;?{BEL}",
    "set the palette": f"{ESC}]4;0;#000000{BEL}",
    "iTerm file": f"{ESC}]1337;File=name=x:AAAA{BEL}",
    "working directory": f"{ESC}]7;file:///etc{BEL}",
    "prompt mark": f"{ESC}]133;A{BEL}",
    "8-bit OSC": "\x9d0;owned\x9c",
    "clear the screen": f"{ESC}[2J{ESC}[H",
    "move up": f"{ESC}[5A",
    "erase the line": f"{ESC}[2K",
    "scroll region": f"{ESC}[1;1r",
    "alternate screen": f"{ESC}[?1049h",
    "mouse reports": f"{ESC}[?1003h",
    "bracketed paste off": f"{ESC}[?2004l",
    "hide the cursor": f"{ESC}[?25l",
    "ask who": f"{ESC}[c",
    "ask where": f"{ESC}[6n",
    "window report": f"{ESC}[21t",
    "keyboard protocol": f"{ESC}[>1u",
    "insert mode": f"{ESC}[4h",
    "8-bit CSI": f"{CSI_8BIT}2J",
    "DCS": f"{ESC}P$qm{ESC}\\",
    "8-bit DCS": "\x90$qm\x9c",
    "sixel": f"{ESC}Pq#0;2;0;0;0{ESC}\\",
    "APC": f"{ESC}_Gf=100;AAAA{ESC}\\",
    "kitty graphics, 8-bit": "\x9fGf=100;AAAA\x9c",
    "PM": f"{ESC}^x{ESC}\\",
    "SOS": f"{ESC}Xx{ESC}\\",
    "reset the terminal": f"{ESC}c",
    "line drawing": f"{ESC}(0",
    "shift out": "\x0e",
    "application keypad": f"{ESC}=",
    "double height": f"{ESC}#3",
    "save, restore": f"{ESC}7{ESC}8",
    "bell": BEL,
    "backspace": "safe\b\b\b\bevil",
    "overwrite": "safe\revil",
    "vertical tab, form feed": "\v\f",
    "NEL": "a\x85b",
    "DEL": "\x7f",
    "NUL": "\0",
    "right to left": "txt.\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "zero width": "ad\u200bmin",
    "joiner": "ad\u200dmin",
    "byte order mark": "\ufeffadmin",
    "word joiner": "ad\u2060min",
    "soft hyphen": "ad\u00admin",
    "Hangul filler": "ad\u3164min",
    "tags": "a\U000e0041\U000e0042",
    "variation selector": "admin\ufe0f",
    "variation selector supplement": "a\U000e0101",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "Mongolian vowel separator": "a\u180eb",
    "interlinear annotation": "\ufff9a\ufffab\ufffb",
    "private use": "\ue000\U000f0000",
    "lone surrogate": "\ud800",
    "noncharacter": "\uffff",
    "piled marks": "e" + "\u0301" * 400,
}


def assert_inert(text: str) -> None:
    for character in text:
        assert unicodedata.category(character) not in {"Cc", "Cs", "Co", "Zl", "Zp"}, ascii(text)
        assert unicodedata.bidirectional(character) not in {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN", "B", "S"),
        }, ascii(text)


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_becomes_something_to_see(text: str) -> None:
    for keep_sgr in (False, True):
        shown = safe(text, keep_sgr=keep_sgr)
        assert_inert(shown)
        assert shown != text
        assert len(shown) == len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 100 %", "plain text, 100 %"),
        ("", ""),
        ("Grüße, 日本語, עברית, हिन्दी, é", "Grüße, 日本語, עברית, हिन्दी, é"),
        ("⚠\ufe0f done ❤\ufe0f 🎉", "⚠\ufe0f done ❤\ufe0f 🎉"),
        ("a\nb\tc", "a␊b␉c"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x00\x1f\x7f\x80\x9f", "␀␟␡��"),
        ("ad\u200bmin\ud800", "ad�min�"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + "��"),
        ("[@click=app.quit]", "[@click=app.quit]"),
    ],
)
def test_what_is_seen(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\tc", "a\nb\tc"), ("a\r\nb", "a\nb"), ("10%\r20%\r", "10%\n20%\n"), ("a\x0bb", "a␋b")],
)
def test_newlines_and_tabs_pass_where_they_are_asked_for(text: str, shown: str) -> None:
    assert safe(text, keep_newlines=True) == shown


GOOD_STYLES = [
    "",
    "0",
    "1",
    "31",
    "1;31",
    "01;32",
    "97;104",
    "38;5;208",
    "48;2;0;10;255",
    "38;5;1;1;48;5;2",
    "39;49",
    "7;27",
]


@pytest.mark.parametrize("style", GOOD_STYLES)
def test_plain_colours_pass_where_they_are_asked_for_and_end_with_the_text(style: str) -> None:
    end = "\x1b[0m" if style.strip("0") else ""
    assert safe(f"\x1b[{style}mx", keep_sgr=True) == f"\x1b[{style}mx{end}"


def test_colours_that_were_reset_are_not_reset_again() -> None:
    text = "\x1b[1;31mred\x1b[0m plain"
    assert safe(text, keep_sgr=True) == text


BAD_STYLES = [
    "5",
    "6",
    "8",
    "10",
    "21",
    "53",
    "58;5;1",
    "38",
    "38;5",
    "38;5;256",
    "38;2;1;2",
    "38;3;1",
    "108",
    "999",
    "1;8",
]


@pytest.mark.parametrize("style", [*BAD_STYLES, "1;" * 20, "0" * 33])
def test_blinking_concealed_and_malformed_styles_are_shown(style: str) -> None:
    assert safe(f"\x1b[{style}mx", keep_sgr=True) == f"␛[{style}mx"


@pytest.mark.parametrize(
    "sequence", ["\x1b[38:5:1m", "\x1b[?1m", "\x1b[>4;2m", "\x1b[1 m", "\x9b1m", "\x1b[١m", "\x1b\x1b[1"]
)
def test_what_only_looks_like_a_colour_is_shown(sequence: str) -> None:
    assert_inert(safe(sequence, keep_sgr=True))


@given(ANY_TEXT)
def test_any_text_becomes_inert(text: str) -> None:
    assert_inert(safe(text))
    assert_inert(safe(text, keep_newlines=True).replace("\n", "").replace("\t", ""))
    assert_inert(SGR.sub("", safe(text, keep_sgr=True)))


@given(ANY_TEXT)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    for options in ({}, {"keep_sgr": True}, {"keep_newlines": True}):
        once = safe(text, **options)
        assert safe(once, **options) == once


@given(ANY_TEXT)
def test_no_colour_outlives_the_text(text: str) -> None:
    styles = SGR.findall(safe(text, keep_sgr=True))
    assert not styles or not styles[-1].strip("0;")


@given(ANY_TEXT)
def test_safe_text_can_be_written_as_utf8(text: str) -> None:
    safe(text, keep_sgr=True).encode()


def test_every_character_that_python_calls_a_control_or_format_is_shown() -> None:
    invisible = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    allowed = {
        chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2)
    }  # Arabic signs, visible
    passed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in invisible
        and chr(code) not in allowed
        and safe(chr(code)) == chr(code)
    ]
    assert passed == []


def test_a_long_line_of_escapes_takes_no_time_to_speak_of() -> None:
    assert len(safe("\x1b[" + "1;" * 500_000, keep_sgr=True)) == 1_000_002


def stream(pieces: list[bytes], *, keep_sgr: bool = True) -> str:
    cleaner = SafeStream(keep_sgr=keep_sgr)
    return "".join([*map(cleaner.feed, pieces), cleaner.close()])


@given(
    st.binary(max_size=60) | ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.integers(1, 5),
)
def test_output_in_pieces_is_what_it_is_in_one(data: bytes, size: int) -> None:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert stream(pieces) == stream([data])


@given(ANY_TEXT.filter(lambda text: text.isprintable()))
def test_a_stream_ends_as_a_text_does(text: str) -> None:
    assert stream([text.encode()]) == safe(text, keep_sgr=True, keep_newlines=True)


def test_a_character_and_a_colour_may_be_cut_anywhere() -> None:
    data = "é\x1b[1;31m✓\r\nok".encode()
    for cut in range(len(data)):
        assert stream([data[:cut], data[cut:]]) == "é\x1b[1;31m✓\nok\x1b[0m"


def test_marks_do_not_pile_up_piece_by_piece() -> None:
    assert stream([b"e", *["\u0301".encode()] * 6]) == "e" + "\u0301" * 4 + "��"


def test_an_endless_escape_is_not_held_back_for_ever() -> None:
    assert stream([b"\x1b[" + b"1" * 40, b"2m"]) == "␛[" + "1" * 40 + "2m"
    cleaner = SafeStream()
    assert cleaner.feed(b"\x1b[" + b"1" * 40) == "␛[" + "1" * 40
