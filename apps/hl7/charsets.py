"""HL7 table 0211 (MSH-18) as Python codecs."""

import codecs

_LATIN = {f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)}
_CODECS = {
    **_LATIN,
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    # Code extension by escape sequences: one codec knows the Japanese sets together.
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp_ext",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
    "KS X 1001": "euc_kr",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
}


def codec_of(name: str) -> str | None:
    """The Python codec of an MSH-18 value or a partner's setting; None where unknown.

    Of repetitions (code extension) the last one known decides. Names that table 0211
    does not have (TIS-620, Windows-1252) are tried as Python spells them.
    """
    found = [_CODECS.get(part.strip().upper()) or _python_codec(part) for part in name.split("~")]
    return next((codec for codec in reversed(found) if codec), None)


def _python_codec(name: str) -> str | None:
    # A probe, because a lookup also finds what is no character set (base64, rot13).
    try:
        b"x".decode(name.strip())
        return codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return None
