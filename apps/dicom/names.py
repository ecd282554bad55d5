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
