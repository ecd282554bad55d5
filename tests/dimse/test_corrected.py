"""A correction is seen on every way out, by real clients: query, move, get and DICOMweb."""

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.dimse import offers
from apps.dimse.listener import Listener
from apps.studies.models import CoercionRule, Correction, Instance, Study
from apps.studies.services import correct_study, forget_rules, outgoing_file, undo_correction
from apps.worklist.models import Device
from tests.dicom.objects import ct_image, part10
from tests.dimse.conftest import Dial, Tool
from tests.dimse.receiving import Receiver, keep, receiver
from tests.dimse.test_get import Getter
from tests.dimse.test_move import identifier

NAME = Change("00100010", "PN", [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}])
CHANGES = [
    NAME,
    Change("00100020", "LO", ["H42"]),
    Change("00080050", "SH", ["A42"]),
    Change("00180015", "CS", ["KNEE"]),
]
SHOWN = ("Yamada^Tarou=山田^太郎", "H42", "A42", "KNEE")
STUDY = "2.25.77"


@pytest.fixture
def device(device: Device) -> Device:
    device.may_retrieve = device.may_query = True
    device.save()
    return device


@pytest.fixture
def peer(device: Device) -> Iterator[Receiver]:
    with receiver() as made:
        made.device()
        yield made


@pytest.fixture
def study(device: Device) -> Study:
    keep(part10(ct_image(StudyInstanceUID=STUDY, BodyPartExamined="HAND")))
    return Study.objects.get(study_instance_uid=STUDY)


def correct(study: Study, origin: Origin) -> list[Correction]:
    return correct_study(
        study,
        changes=CHANGES,
        reason="typed wrong",
        source=Correction.Source.PERSON,
        origin=origin,
    )


def said(found: Dataset) -> tuple[str, ...]:
    """Name, number, accession number, body part."""
    keywords = ("PatientName", "PatientID", "AccessionNumber", "BodyPartExamined")
    return tuple(str(found.get(keyword, "")) for keyword in keywords)


def ask(dial: Dial, listener: Listener) -> tuple[str, ...]:
    keys = {"PatientName": "", "PatientID": "", "AccessionNumber": "", "BodyPartExamined": ""}
    asked = identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID="", **keys)
    asked.SpecificCharacterSet = "ISO_IR 192"
    answers = list(dial(listener, offers.STUDY_FIND).send_c_find(asked, offers.STUDY_FIND))
    (found,) = [answer for _, answer in answers if answer]
    return said(found)


def moved(dial: Dial, listener: Listener, peer: Receiver) -> tuple[str, ...]:
    asked = identifier("STUDY", StudyInstanceUID=STUDY)
    list(dial(listener, offers.STUDY_MOVE).send_c_move(asked, "DEST", offers.STUDY_MOVE))
    return said(peer.got[-1])


def got(listener: Listener) -> tuple[str, ...]:
    getter = Getter(listener.port)
    getter.get(StudyInstanceUID=STUDY)
    return said(getter.got[-1])


def queried(browser: Client) -> tuple[str, ...]:
    (found,) = browser.get("/dicom-web/series", {"StudyInstanceUID": STUDY}).json()
    return said(Dataset.from_json(found))


def described(browser: Client) -> tuple[str, ...]:
    address = f"/dicom-web/studies/{STUDY}/metadata"
    answer = browser.get(address)
    (found,) = json.loads(b"".join(answer))
    return said(Dataset.from_json(found, bulk_data_uri_handler=lambda _uri: b""))


def downloaded(browser: Client) -> tuple[str, ...]:
    instance = Instance.objects.select_related("series").get()
    address = (
        f"/dicom-web/studies/{STUDY}/series/{instance.series.series_instance_uid}"
        f"/instances/{instance.sop_instance_uid}"
    )
    answer: Any = browser.get(address, HTTP_ACCEPT="application/dicom")
    return said(dcmread(BytesIO(b"".join(answer))))


@pytest.fixture
def ways(
    listener: Listener, dial: Dial, peer: Receiver, as_role: Callable[[str], Client]
) -> Callable[[], list[tuple[str, ...]]]:
    """What C-FIND, C-MOVE, C-GET, QIDO-RS, WADO-RS metadata and files say."""
    browser = as_role("radiologist")
    return lambda: [
        *(ask(dial, listener), moved(dial, listener, peer), got(listener)),
        *(queried(browser), described(browser), downloaded(browser)),
    ]


def test_every_way_out_shows_the_correction_and_its_end(
    study: Study, ways: Callable[[], list[tuple[str, ...]]], origin: Origin
) -> None:
    before = ways()
    assert before == [("Müller^Jörg", "P0000001", "A0000001", "HAND")] * 6
    made = correct(study, origin)
    assert ways() == [SHOWN] * 6
    for one in made:
        undo_correction(one, origin=origin)
    assert ways() == before


def test_what_was_corrected_is_found_by_its_new_values(
    listener: Listener, study: Study, dial: Dial, origin: Origin
) -> None:
    correct(study, origin)
    for wanted, count in (("Müller*", 0), ("yamada*", 1), ("山田*", 1)):
        asked = identifier("STUDY", StudyInstanceUID="", PatientName=wanted)
        asked.SpecificCharacterSet = "ISO_IR 192"
        answers = list(dial(listener, offers.STUDY_FIND).send_c_find(asked, offers.STUDY_FIND))
        assert len([one for _, one in answers if one]) == count, wanted


def test_a_device_is_told_where_a_rule_says_so(
    listener: Listener, device: Device, dial: Dial
) -> None:
    CoercionRule.objects.create(
        name="Capital station",
        device=device,
        attribute="StationName",
        action="upper",
        announce=True,
    )
    forget_rules()
    try:
        image = ct_image(StudyInstanceUID=STUDY, StationName="ct")
        part10(image)
        association = dial(listener, str(image.SOPClassUID))
        assert association.send_c_store(image).Status == 0xB000
        association.release()
        assert Instance.objects.get().series.station_name == "CT"
    finally:
        forget_rules()


@pytest.mark.peer
@pytest.mark.samples
@pytest.mark.filterwarnings("ignore")
def test_dcmtk_reads_what_was_rewritten_in_every_transfer_syntax(
    device: Device, samples: Path, tool: Tool, origin: Origin, tmp_path: Path
) -> None:
    paths = sorted((samples / "dicom" / "cornerstone").glob("*.dcm"))
    for path in paths:
        keep(path.read_bytes())
        instance = Instance.objects.select_related("series__study").latest("id")
        correct(instance.series.study, origin)
        instance.refresh_from_db()
        target = tmp_path / "rewritten.dcm"
        target.write_bytes(b"".join(outgoing_file(instance)[1]()))
        read = tool("dcmdump", "-q", "+L", target)
        assert read.returncode == 0, path.name
        told = read.stdout
        assert re.search(r"\(0010,0010\) PN \[Yamada\^Tarou=山田\^太郎", told), path.name
        assert re.search(r"\(0400,0563\) LO \[OPENPACS", told), path.name
        Study.objects.all().delete()
