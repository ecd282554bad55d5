"""C-FIND: every answer in characters that the caller can read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_charset_files
from pynetdicom.association import Association

from apps.audit.services import Origin
from apps.dimse.listener import Listener
from apps.studies.models import Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dicom.objects import part10
from tests.dimse.asking import STUDY_ROOT, Answers, ask, identifier, keep
from tests.dimse.conftest import Dial

Ask = Callable[..., Answers]
JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"
SAMPLES = [
    "chrArab",
    "chrFren",
    "chrFrenMulti",
    "chrGerm",
    "chrGreek",
    "chrH31",
    "chrH32",
    "chrHbrw",
    "chrI2",
    "chrKoreanMulti",
    "chrRuss",
    "chrX1",
    "chrX2",
]


@pytest.fixture
def asking(device: Device, listener: Listener, dial: Dial) -> Ask:
    """Asks for the names of all studies, by a device of some character set."""

    def send(own: str = "ISO_IR 192", *, length: int | None = None, **keys: Any) -> Answers:
        Device.objects.update(may_query=True, character_set=own, name_length=length)
        association: Association = dial(listener, STUDY_ROOT)
        return ask(association, identifier(**{"PatientName": "", "StudyInstanceUID": "", **keys}))

    return send


def one_name(answers: Answers) -> tuple[str, str]:
    (found,) = answers
    declared = found.get("SpecificCharacterSet", "")
    return str(found.PatientName), declared if isinstance(declared, str) else "\\".join(declared)


def test_ascii_needs_no_character_set(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": "Miller^Anna"})
    assert one_name(asking(SpecificCharacterSet="ISO_IR 100")) == ("Miller^Anna", "")


def test_the_set_of_the_question_is_taken_where_it_suffices(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": "Müller^Jörg"})
    asked = asking("ISO_IR 192", SpecificCharacterSet="ISO_IR 100")
    assert one_name(asked) == ("Müller^Jörg", "ISO_IR 100")


def test_else_the_set_of_the_device_is_taken(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": JAPANESE})
    assert one_name(asking(SpecificCharacterSet="ISO_IR 100")) == (JAPANESE, "ISO_IR 192")
    japanese = "ISO 2022 IR 6\\ISO 2022 IR 87"
    assert one_name(asking(japanese)) == (JAPANESE, "ISO 2022 IR 6\\ISO 2022 IR 87")


def test_a_device_that_reads_little_gets_what_it_can_read(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": "Łukasz^Żółw"})
    assert one_name(asking("ISO_IR 100")) == ("?ukasz^Zó?w", "ISO_IR 100")


def test_a_device_of_unknown_reading_gets_utf_8(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": "Łukasz^Żółw"})
    assert one_name(asking("")) == ("Łukasz^Żółw", "ISO_IR 192")


def test_long_names_are_cut_for_devices_that_need_it(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": "Hubertus^Blaine Wolfe=名前^長い"})
    assert one_name(asking(length=12))[0] == "Hubertus=名前^長い"


def test_stored_attributes_are_written_in_it_too(asking: Ask, spool: Spool) -> None:
    keep(spool, {"PatientName": "Miller^Anna", "PatientComments": "größer"})
    (found,) = asking(SpecificCharacterSet="ISO_IR 100", PatientComments="")
    assert (found.PatientComments, found.SpecificCharacterSet) == ("größer", "ISO_IR 100")


@pytest.mark.parametrize("name", SAMPLES)
def test_names_of_every_character_set_are_answered(name: str, asking: Ask, spool: Spool) -> None:
    (path,) = [Path(one) for one in get_charset_files(f"{name}.dcm")]
    image = dcmread(path)
    image.SOPInstanceUID = image.StudyInstanceUID = "2.25.1"
    image.SeriesInstanceUID = "2.25.2"
    image.SOPClassUID = image.get("SOPClassUID") or "1.2.840.10008.5.1.4.1.1.7"
    file = spool.write([part10(image, syntax=image.file_meta.TransferSyntaxUID)])
    store_instances([file], origin=Origin(protocol="test"))
    stored = str(image.PatientName)
    assert one_name(asking())[0] == stored
    assert (
        one_name(
            asking(PatientName=Study.objects.get().patient_name, SpecificCharacterSet="ISO_IR 192")
        )[0]
        == stored
    )
    own = image.get("SpecificCharacterSet", "")
    declared = own if isinstance(own, str) else "\\".join(own)
    assert one_name(asking(SpecificCharacterSet=declared))[0] == stored
