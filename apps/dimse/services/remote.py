"""Asking other archives what they have (C-FIND as SCU, PS3.4 C.4.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from django.utils.translation import gettext
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.charsets import decode, pick_character_set
from apps.dicom.dates import format_date, parse_date, parse_time
from apps.dimse.offers import STUDY_FIND
from apps.dimse.services.calling import CalledDeviceFailed, calling
from apps.studies.models import Series, Study
from apps.worklist.models import Device

MOST = 200  # answers that are shown; whoever needs more asks more closely
DRAINED = 2000  # answers after our C-CANCEL until we hang up
FIND_SECONDS = 30
PENDING, SUCCESS, CANCELLED = (0xFF00, 0xFF01), 0x0000, 0xFE00
_STUDY_KEYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SERIES_KEYS = (
    "SeriesInstanceUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "BodyPartExamined",
    "NumberOfSeriesRelatedInstances",
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for at the study level; what is empty is not asked for."""

    patient_name: str = ""
    patient_identifier: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    modality: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def keys(self) -> list[str]:
        """Names of what is asked for, for the journal: never the values."""
        return [name for name, value in vars(self).items() if value]


@dataclass(frozen=True, kw_only=True)
class RemoteStudy:
    """A study as another archive describes it; numbers are None where it does not say."""

    study_instance_uid: str
    patient_name: str
    patient_identifier: str
    patient_birth_date: date | None
    study_date: date | None
    study_time: time | None
    accession_number: str
    description: str
    modalities: list[str]
    series_count: int | None
    instance_count: int | None
    here: int | None  # instances of it that we have; None: we do not know the study


@dataclass(frozen=True, kw_only=True)
class RemoteSeries:
    series_instance_uid: str
    modality: str
    number: str
    description: str
    body_part: str
    instance_count: int | None
    here: int | None


@dataclass(frozen=True)
class Answers:
    """`more`: the archive had more than are kept here."""

    rows: list[Any]
    more: bool


def find_remote_studies(device: Device, wanted: Wanted, *, origin: Origin) -> Answers:
    """Studies of another archive; raises CalledDeviceFailed."""
    found, more = _find(device, _study_question(device, wanted))
    details = {"keys": wanted.keys, "answers": len(found)}
    record(Kind.REMOTE_QUERIED, device, origin=origin, details=details)
    uids = [_text(one, "StudyInstanceUID") for one in found]
    known = Study.objects.filter(study_instance_uid__in=uids)
    here = dict(known.values_list("study_instance_uid", "instance_count"))
    rows = [_study(one, here) for one in found]
    return Answers(sorted(rows, key=lambda one: one.study_date or date.min, reverse=True), more)


def find_remote_series(device: Device, study_instance_uid: str) -> Answers:
    """The series of a study of another archive; raises CalledDeviceFailed."""
    question = _question("SERIES", _SERIES_KEYS, StudyInstanceUID=study_instance_uid)
    found, more = _find(device, question)
    uids = [_text(one, "SeriesInstanceUID") for one in found]
    known = Series.objects.filter(series_instance_uid__in=uids)
    here = dict(known.values_list("series_instance_uid", "instance_count"))
    rows = [_series(one, here) for one in found]
    return Answers(sorted(rows, key=lambda one: one.number.zfill(12)), more)


def find_remote_classes(device: Device, study_instance_uid: str, series: str = "") -> set[str]:
    """The SOP classes of a study, or of one series; empty where the archive does not say."""
    asked = [series] if series else _series_of(device, study_instance_uid)
    classes: set[str] = set()
    for uid in asked:
        question = _question(
            "IMAGE",
            ("SOPInstanceUID", "SOPClassUID"),
            StudyInstanceUID=study_instance_uid,
            SeriesInstanceUID=uid,
        )
        found, _more = _find(device, question)
        classes |= {_text(one, "SOPClassUID") for one in found}
    return classes - {""}


def _series_of(device: Device, study_instance_uid: str) -> list[str]:
    found = find_remote_series(device, study_instance_uid)
    return [one.series_instance_uid for one in found.rows]


def _study_question(device: Device, wanted: Wanted) -> Dataset:
    since, until = format_date(wanted.since), format_date(wanted.until)
    name = pattern_of(wanted.patient_name)
    question = _question(
        "STUDY",
        _STUDY_KEYS,
        PatientID=wanted.patient_identifier,
        AccessionNumber=wanted.accession_number,
        StudyInstanceUID=wanted.study_instance_uid,
        ModalitiesInStudy=wanted.modality,
        StudyDate=f"{since}-{until}" if since or until else "",
    )
    texts = [name, wanted.patient_identifier, wanted.accession_number]
    character_set = pick_character_set(texts, preferred=device.character_set)
    if character_set:
        question.SpecificCharacterSet = character_set.split("\\")
    question.PatientName = name
    return question


def pattern_of(name: str) -> str:
    """The PN to look for: `Doe, John` and `doe john` as typed become `Doe^John*`, `doe*john*`.

    What has carets or wildcards already is left as it is.
    """
    if not name or set(name) & set("^*?"):
        return name
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return f"{family}^{given}*"
    return "*".join(name.split()) + "*"


def _question(level: str, keys: Iterable[str], **values: str) -> Dataset:
    question = Dataset()
    for keyword in keys:
        setattr(question, keyword, "")
    for keyword, value in values.items():
        setattr(question, keyword, value)
    question.QueryRetrieveLevel = level
    return question


def _find(device: Device, question: Dataset) -> tuple[list[Dataset], bool]:
    found: list[Dataset] = []
    count = 0
    with calling(device, STUDY_FIND, answer_seconds=FIND_SECONDS) as association:
        for answer, identifier in association.send_c_find(question, STUDY_FIND):
            status = answer.get("Status")
            if status not in PENDING:
                _check(status)
                break
            count += 1
            if identifier is not None and count <= MOST:
                found.append(identifier)
            if count == MOST + 1:
                association.send_c_cancel(1, query_model=STUDY_FIND)
            if count > DRAINED:
                association.abort()
                break
    return found, count > MOST


def _check(status: int | None) -> None:
    if status is None:
        raise CalledDeviceFailed(gettext("The device did not answer in time."))
    if status not in (SUCCESS, CANCELLED):
        said = gettext("The device answered with status %s.") % f"0x{status:04X}"
        raise CalledDeviceFailed(said)


def _study(answer: Dataset, here: dict[str, int]) -> RemoteStudy:
    uid = _text(answer, "StudyInstanceUID")
    return RemoteStudy(
        study_instance_uid=uid,
        patient_name=_shown(_text(answer, "PatientName")),
        patient_identifier=_text(answer, "PatientID"),
        patient_birth_date=parse_date(_text(answer, "PatientBirthDate")),
        study_date=parse_date(_text(answer, "StudyDate")),
        study_time=parse_time(_text(answer, "StudyTime")),
        accession_number=_text(answer, "AccessionNumber"),
        description=_text(answer, "StudyDescription"),
        modalities=[one for one in _text(answer, "ModalitiesInStudy").split("\\") if one],
        series_count=_number(answer, "NumberOfStudyRelatedSeries"),
        instance_count=_number(answer, "NumberOfStudyRelatedInstances"),
        here=here.get(uid),
    )


def _series(answer: Dataset, here: dict[str, int]) -> RemoteSeries:
    uid = _text(answer, "SeriesInstanceUID")
    return RemoteSeries(
        series_instance_uid=uid,
        modality=_text(answer, "Modality"),
        number=_text(answer, "SeriesNumber"),
        description=_text(answer, "SeriesDescription"),
        body_part=_text(answer, "BodyPartExamined"),
        instance_count=_number(answer, "NumberOfSeriesRelatedInstances"),
        here=here.get(uid),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    """A value as text, decoded by the character set of the answer, whatever that is."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return ""
    element = dataset.get_item(tag)
    value: Any = element.value
    if isinstance(element, RawDataElement) and isinstance(value, bytes):
        return decode(value, dataset.get("SpecificCharacterSet")).strip(" \0")
    if isinstance(value, str) or not isinstance(value, Sequence):
        return "" if value is None else str(value).strip()
    return "\\".join(str(one) for one in value)


def _number(dataset: Dataset, keyword: str) -> int | None:
    text = _text(dataset, keyword)
    return int(text) if text.isdecimal() else None


def _shown(name: str) -> str:
    """Groups apart, components by spaces (PS3.5 6.2.1)."""
    groups = (" ".join(group.replace("^", " ").split()) for group in name.split("="))
    return " / ".join(group for group in groups if group)
