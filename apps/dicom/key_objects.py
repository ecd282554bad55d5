"""Key Object Selection Documents: images that somebody found worth marking (PS3.3 A.35.4).

A document has one title, which says what the images are marked for, and names its images
(PS3.16 TID 2010). It cannot be changed: another list is another document.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset

from apps.dicom.amending import text_of
from apps.dicom.codestreams import EXPLICIT_LITTLE
from apps.dicom.encoding import encoded
from apps.dicom.json import JsonDataset
from apps.dicom.part10 import file_meta

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
OF_INTEREST = "113000"
# What images may be marked for (PS3.16 CID 7010). Its other titles are no marks of a reader:
# rejection notes, manifests, lists of what is complete.
TITLES = {
    OF_INTEREST: "Of Interest",
    "113002": "For Referring Provider",
    "113003": "For Surgery",
    "113004": "For Teaching",
    "113005": "For Conference",
    "113006": "For Therapy",
    "113007": "For Patient",
    "113008": "For Peer Review",
    "113009": "For Research",
    "113010": "Quality Issue",
    "113013": "Best In Set",
    "113018": "For Printing",
    "113020": "For Report Attachment",
}
_TITLE, _CONTENT, _CODE, _SCHEME = "0040A043", "0040A730", "00080100", "00080102"
_NAME, _TEXT, _KIND = "0040A123", "0040A160", "0040A040"
_OBJECTS, _OBJECT, _FRAME = "00081199", "00081155", "00081160"
_OBSERVER, _DESCRIPTION = "121008", "113012"


@dataclass(frozen=True, order=True)
class Mark:
    """One marked image; `frame` counts from 1, 0 is the image as a whole."""

    sop_instance_uid: str
    frame: int = 0


@dataclass(frozen=True)
class Referenced:
    """A marked image, and where it is."""

    mark: Mark
    sop_class_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class KeyObjects:
    """What a document says: the code of its title, who marked, which images."""

    title: str
    author: str
    description: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Selection:
    """A document to be written. `about`: patient and study, by keyword of the attribute."""

    about: Mapping[str, Any]
    series_instance_uid: str
    sop_instance_uid: str
    series_number: int
    number: int
    title: str
    author: str
    at: datetime
    images: Sequence[Referenced]


def key_object_file(selection: Selection) -> bytes:
    """The document as a PS3.10 file, in UTF-8."""
    with warnings.catch_warnings(action="ignore"):  # what a device sent goes on as it is
        dataset = key_object(selection)
        content = encoded(dataset, implicit_vr=False, encodings=["utf-8"])
    front = file_meta(
        sop_class=KEY_OBJECTS,
        sop_instance=selection.sop_instance_uid,
        transfer_syntax=EXPLICIT_LITTLE,
        source="",
    )
    return front + content


def key_object(selection: Selection) -> Dataset:
    """The document as a data set (PS3.3 table A.35.4-1)."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = KEY_OBJECTS
    dataset.SOPInstanceUID = selection.sop_instance_uid
    for keyword, value in selection.about.items():
        setattr(dataset, keyword, value)
    dataset.Modality = "KO"
    dataset.SeriesInstanceUID = selection.series_instance_uid
    dataset.SeriesNumber = selection.series_number
    dataset.SeriesDescription = "Key images"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.Manufacturer = "openpacs"
    dataset.InstanceNumber = selection.number
    dataset.ContentDate = dataset.SeriesDate = f"{selection.at:%Y%m%d}"
    dataset.ContentTime = dataset.SeriesTime = f"{selection.at:%H%M%S}"
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(selection)]
    _add_content(dataset, selection)
    return dataset


def read_key_objects(header: JsonDataset) -> KeyObjects:
    """A document of anybody, out of its DICOM JSON; what it lacks is empty."""
    items = _items(header, _CONTENT)
    said = {_code(item): item for item in items}
    return KeyObjects(
        title=_code(header),
        author=_value(said.get(_OBSERVER, {}), _NAME),
        description=_value(said.get(_DESCRIPTION, {}), _TEXT),
        marks=tuple(dict.fromkeys(mark for item in items for mark in _marks(item))),
    )


def _add_content(dataset: Dataset, selection: Selection) -> None:
    """PS3.16 TID 2010, with the person who marked (TID 1002, 1003)."""
    dataset.ValueType = "CONTAINER"
    dataset.ConceptNameCodeSequence = [_coded(selection.title, TITLES[selection.title])]
    dataset.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    dataset.ContentTemplateSequence = [template]
    person = _item("HAS OBS CONTEXT", "CODE", _coded("121005", "Observer Type"))
    person.ConceptCodeSequence = [_coded("121006", "Person")]
    name = _item("HAS OBS CONTEXT", "PNAME", _coded(_OBSERVER, "Person Observer Name"))
    name.PersonName = selection.author
    dataset.ContentSequence = [person, name, *(_image(one) for one in selection.images)]


def _image(one: Referenced) -> Dataset:
    item = _item("CONTAINS", "IMAGE")
    item.ReferencedSOPSequence = [_reference(one)]
    if one.mark.frame:
        item.ReferencedSOPSequence[0].ReferencedFrameNumber = one.mark.frame
    return item


def _evidence(selection: Selection) -> Dataset:
    """The study, with each referenced object once (PS3.3 C.17.2.3)."""
    series: dict[str, dict[str, Referenced]] = defaultdict(dict)
    for one in selection.images:
        series[one.series_instance_uid][one.mark.sop_instance_uid] = one
    study = Dataset()
    study.StudyInstanceUID = selection.about["StudyInstanceUID"]
    study.ReferencedSeriesSequence = [_series(uid, found.values()) for uid, found in series.items()]
    return study


def _series(uid: str, images: Iterable[Referenced]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedSOPSequence = [_reference(one) for one in images]
    return series


def _reference(one: Referenced) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = one.sop_class_uid
    reference.ReferencedSOPInstanceUID = one.mark.sop_instance_uid
    return reference


def _item(relation: str, kind: str, name: Dataset | None = None) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, kind
    if name is not None:
        item.ConceptNameCodeSequence = [name]
    return item


def _coded(value: str, words: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", words
    return code


def _items(dataset: JsonDataset, tag: str) -> list[JsonDataset]:
    return [one for one in dataset.get(tag, {}).get("Value", []) if isinstance(one, dict)]


def _value(dataset: JsonDataset, tag: str) -> str:
    return text_of(dataset.get(tag, {}).get("Value")).strip()


def _code(dataset: JsonDataset) -> str:
    """The code of a concept name, where DICOM itself gave it."""
    names = _items(dataset, _TITLE)
    return _value(names[0], _CODE) if names and _value(names[0], _SCHEME) == "DCM" else ""


def _marks(item: JsonDataset) -> Iterator[Mark]:
    if _value(item, _KIND) != "IMAGE":
        return
    for one in _items(item, _OBJECTS):
        uid = _value(one, _OBJECT)
        frames = [int(word) for word in _value(one, _FRAME).split("\\") if word.isdecimal()]
        yield from (Mark(uid, frame) for frame in frames or [0])
