"""Person names: the DICOM PN and the form that searches compare (PS3.5 6.2.1)."""

import unicodedata


def search_form(text: str) -> str:
    """Upper case without accents and separators: what is stored and compared in searches.

    `Müller^Jörg=..` and `muller jorg` give the same words.
    """
    spaced = text.translate(str.maketrans("^=,", "   "))
    decomposed = unicodedata.normalize("NFKD", spaced.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(bare.upper().split())


def in_latin_letters(text: str) -> bool:
    """Is every letter in it a Latin one, with or without accents?"""
    return all(unicodedata.name(char, "").startswith("LATIN") for char in text if char.isalpha())


def shortened(name: str, length: int) -> str:
    """A PN with at most `length` characters in each group, cut at a word where there is one."""
    return "=".join(_shortened(group, length) for group in name.split("="))


def _shortened(group: str, length: int) -> str:
    if len(group) <= length:
        return group
    cut = group[:length]
    if group[length] in " ^":
        return cut
    at_word = max(cut.rfind(" "), cut.rfind("^"))
    return cut[:at_word] if at_word > 0 else cut
