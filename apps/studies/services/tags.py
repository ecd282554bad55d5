"""The whole header of an instance as a tree to be looked at, corrected beside as sent."""

import base64
import logging
import struct
from dataclasses import dataclass, field, replace
from typing import Any

from pydicom.datadict import (
    dictionary_description,
    keyword_for_tag,
    private_dictionary_description,
)

from apps.dicom.amending import text_of
from apps.dicom.header import WalkError
from apps.dicom.json import JsonDataset, to_json
from apps.studies.models import Instance
from apps.studies.services.outgoing import file_meta, header_json, sent_json

log = logging.getLogger(__name__)

ITEMS = 20  # of a sequence, unless all are asked for
MOST = 20_000  # attributes on one page, whatever is asked for
DEEPEST = 40  # levels of items, whatever is asked for: a template is drawn within a template
SHORT = 160  # characters of a value that are shown at first
HEX_BYTES = 48  # of a binary value
PIXEL_DATA = "7FE00010"


@dataclass(frozen=True)
class Attribute:
    """One attribute: what it is called, what it says, what it said when it came.

    `former` is None where it was not corrected, else the text as sent (empty: it had none);
    `removed`: a correction took it away. `bulk` is the path of its value for the bulk data
    address. `left_out` counts items that are not shown.
    """

    tag: str  # `(0010,0010)`
    keyword: str
    name: str
    vr: str
    text: str = ""
    former: str | None = None
    removed: bool = False
    creator: str = ""
    bulk: str = ""
    items: "tuple[tuple[Attribute, ...], ...]" = ()
    left_out: int = 0

    @property
    def is_sequence(self) -> bool:
        return self.vr == "SQ"

    @property
    def short(self) -> str:
        """The beginning of a long value, empty for one that is shown whole."""
        return self.text[:SHORT] if len(self.text) > SHORT else ""

    @property
    def item_count(self) -> int:
        return len(self.items) + self.left_out


@dataclass(frozen=True)
class Tree:
    """The file meta information and the data set; `shortened` where not all is shown."""

    meta: tuple[Attribute, ...]
    attributes: tuple[Attribute, ...]
    shortened: bool
    corrected: bool


def header_tree(instance: Instance, *, whole: bool = False) -> Tree:
    """The attributes of an instance; long sequences are cut unless the `whole` is wanted."""
    builder = _Builder(items=MOST if whole else ITEMS)
    shown = header_json(instance, _path_itself)
    sent = sent_json(instance, _path_itself) if instance.overlay else shown
    # Values of the file meta information have no address of their own.
    meta = tuple(replace(one, bulk="") for one in builder.level(_meta(instance), None, ""))
    attributes = builder.level(shown, sent if instance.overlay else None, "")
    if instance.rows:
        attributes += (builder.pixels(),)
    return Tree(meta, attributes, builder.shortened, corrected=bool(instance.overlay))


def _path_itself(path: str) -> str:
    return path


def _meta(instance: Instance) -> JsonDataset:
    try:
        return to_json(file_meta(instance), explicit_vr=True, bulk_uri=_path_itself)
    except (OSError, WalkError, struct.error) as error:
        log.warning("No file meta of %s: %s", instance.pk, type(error).__name__)
        return {}


@dataclass
class _Builder:
    """Makes attributes of DICOM JSON, no more than a page can hold."""

    items: int
    made: int = 0
    shortened: bool = field(default=False)

    def level(
        self, shown: JsonDataset, sent: JsonDataset | None, above: str
    ) -> tuple[Attribute, ...]:
        tags = sorted(shown.keys() | (sent or {}).keys())
        room = max(0, MOST - self.made)
        self.shortened |= len(tags) > room
        self.made += len(tags)
        return tuple(self._attribute(tag, shown, sent, above) for tag in tags[:room])

    def pixels(self) -> Attribute:
        return Attribute(**_names(PIXEL_DATA, {}), vr="OW", bulk=PIXEL_DATA)

    def _attribute(
        self, tag: str, shown: JsonDataset, sent: JsonDataset | None, above: str
    ) -> Attribute:
        now, before = shown.get(tag), (sent or {}).get(tag)
        element: dict[str, Any] = now or before or {}
        facts: dict[str, Any] = {
            **_names(tag, shown),
            "vr": str(element.get("vr", "")),
            "removed": now is None,
        }
        if element.get("vr") == "SQ":
            return self._sequence(facts, now, before, f"{above}{tag}")
        text = _text(now)
        was = None if sent is None or before == now else _text(before)
        large = element.keys() & {"BulkDataURI", "InlineBinary"}
        return Attribute(**facts, text=text, former=was, bulk=f"{above}{tag}" if large else "")

    def _sequence(self, facts: dict[str, Any], now: Any, before: Any, path: str) -> Attribute:
        items = (now or before or {}).get("Value", [])
        sent = (before or {}).get("Value", []) if now and before and now != before else None
        kept = items[: self.items] if path.count("/") < 2 * DEEPEST else []
        self.shortened |= len(kept) < len(items)
        made = tuple(
            self.level(one, _item(sent, number), f"{path}/{number}/")
            for number, one in enumerate(kept)
        )
        return Attribute(**facts, items=made, left_out=len(items) - len(kept))


def _item(sent: list[JsonDataset] | None, number: int) -> JsonDataset | None:
    if sent is None:
        return None
    return sent[number] if number < len(sent) else {}


def _names(tag: str, dataset: JsonDataset) -> dict[str, Any]:
    """What an attribute is called, private ones by their creator's dictionary."""
    number = int(tag, 16)
    facts: dict[str, Any] = {
        "tag": f"({tag[:4]},{tag[4:]})",
        "keyword": keyword_for_tag(number),
        "creator": "",
    }
    if not number >> 16 & 1:
        return {**facts, "name": _public_name(number)}
    if number & 0xFFFF <= 0xFF:
        return {**facts, "name": "Private Creator"}
    creator = _text(dataset.get(f"{tag[:4]}00{tag[4:6]}"))
    return {**facts, "creator": creator, "name": _private_name(number, creator)}


def _public_name(number: int) -> str:
    try:
        return dictionary_description(number)
    except KeyError:
        return ""


def _private_name(number: int, creator: str) -> str:
    try:
        return private_dictionary_description(number, creator)
    except KeyError:
        return ""


def _text(element: dict[str, Any] | None) -> str:
    if not element:
        return ""
    if "InlineBinary" in element:
        raw = base64.b64decode(element["InlineBinary"])
        return raw[:HEX_BYTES].hex(" ") + (" …" if len(raw) > HEX_BYTES else "")
    return text_of(element.get("Value"))
