"""Messages as people read them."""

import re

from apps.hl7.charsets import codec_of
from apps.hl7.messages import trim
from apps.hl7.models import Partner

LONGEST_FIELD = 400  # of a document in a field only the beginning is of use to a reader


def readable(raw: bytes, partner: Partner | None) -> str:
    """One segment per line, unreadable bytes marked, long fields cut short.

    Reads what the parser would refuse too: a broken message is what one looks for.
    """
    data = trim(raw)
    first = re.split(rb"[\r\n]", data, maxsplit=1)[0]
    separator = first[3:4] or b"|"
    fields = first.split(separator)
    named = fields[17].decode("latin-1") if len(fields) > 17 else ""
    codec = codec_of(named) or codec_of(partner.character_set if partner else "") or "utf-8"
    text = data.decode(codec, errors="replace")
    lines = (line for line in re.split(r"[\r\n]+", text) if line)
    sign = separator.decode("latin-1")
    return "\n".join(sign.join(_shorten(part) for part in line.split(sign)) for line in lines)


def _shorten(field: str) -> str:
    if len(field) <= LONGEST_FIELD:
        return field
    return f"{field[:LONGEST_FIELD]} [... {len(field)}]"
