"""The Native DICOM Model as XML (PS3.19 A.1), made from DICOM JSON."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

from apps.dicom.json import JsonDataset
from apps.dicom.writing import value_text

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# What XML 1.0 has no way to write, not even escaped (2.2 Characters).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def native_xml(dataset: JsonDataset) -> bytes:
    """A data set in DICOM JSON as a document of its own, in UTF-8.

    Private attributes are named by their creator, in block 00 (A.1.5). Characters that XML
    cannot write become U+FFFD.
    """
    return b"".join(
        [
            b'<?xml version="1.0" encoding="UTF-8"?>\n',
            f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'.encode(),
            "".join(_attributes(dataset)).encode(),
            b"</NativeDicomModel>",
        ]
    )


def _attributes(dataset: JsonDataset) -> Iterator[str]:
    for name in sorted(dataset):
        yield _attribute(int(name, 16), dataset[name], dataset)


def _attribute(tag: int, element: dict[str, Any], dataset: JsonDataset) -> str:
    vr = element["vr"]
    return (
        f"<DicomAttribute {_name(tag, dataset)} vr={quoteattr(vr)}>"
        f"{''.join(_content(vr, element))}</DicomAttribute>"
    )


def _name(tag: int, dataset: JsonDataset) -> str:
    if not _is_private(tag):
        keyword = keyword_for_tag(tag)
        return f'tag="{tag:08X}"' + (f' keyword="{keyword}"' if keyword else "")
    reserved = dataset.get(f"{tag >> 16:04X}{tag >> 8 & 0xFF:04X}", {}).get("Value")
    if not reserved or not reserved[0]:  # among them the elements that reserve blocks
        return f'tag="{tag:08X}"'
    return f'tag="{tag & 0xFFFF00FF:08X}" privateCreator={quoteattr(_clean(str(reserved[0])))}'


def _content(vr: str, element: dict[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in element:
        yield f"<BulkData uri={quoteattr(_clean(element['BulkDataURI']))}/>"
    elif "InlineBinary" in element:
        yield f"<InlineBinary>{element['InlineBinary']}</InlineBinary>"
    else:
        write = _WRITERS.get(vr, _value)
        for number, value in enumerate(element.get("Value", []), start=1):
            if value is not None:
                yield write(number, value)


def _value(number: int, value: Any) -> str:
    return f'<Value number="{number}">{_text(value_text(value))}</Value>'


def _item(number: int, value: JsonDataset) -> str:
    return f'<Item number="{number}">{"".join(_attributes(value))}</Item>'


def _person_name(number: int, value: Any) -> str:
    groups = value if isinstance(value, dict) else {"Alphabetic": str(value)}
    inner = "".join(_group(name, groups[name]) for name in _GROUPS if groups.get(name))
    return f'<PersonName number="{number}">{inner}</PersonName>'


def _group(name: str, text: str) -> str:
    parts = zip(_COMPONENTS, text.split("^"), strict=False)
    inner = "".join(f"<{part}>{_text(said)}</{part}>" for part, said in parts if said)
    return f"<{name}>{inner}</{name}>"


_WRITERS: dict[str, Callable[[int, Any], str]] = {"SQ": _item, "PN": _person_name}


def _text(text: str) -> str:
    # A bare carriage return would be read as a line feed (XML 2.11).
    return escape(_clean(text), {"\r": "&#13;"})


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)


def _is_private(tag: int) -> bool:
    return tag >> 16 & 1 == 1
