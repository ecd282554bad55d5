"""C-FIND: how keys are compared, indexed or not, alone, in sequences and together."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.association import Association

from apps.dimse.listener import Listener
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dicom.objects import ct_image
from tests.dimse.asking import STUDY_ROOT, Answers, agreed, ask, identifier, keep
from tests.dimse.conftest import Dial

Ask = Callable[..., list[str]]


def item(**values: Any) -> Sequence:
    one = Dataset()
    for keyword, value in values.items():
        setattr(one, keyword, value)
    return Sequence([one])


def maker_image() -> Dataset:
    """An image with a maker's block, a sequence, and attributes no index knows."""
    image = ct_image(
        PatientID="P1",
        PatientName="Müller^Jörg",
        StudyInstanceUID="2.25.1",
        PerformingPhysicianName="Ångström^Éva",
        PatientWeight="71.5",
        PatientComments="50% off_now [yes]",
        ContrastBolusStartTime="101112",
        ProcedureCodeSequence=item(
            CodeValue="CTCHEST", CodingSchemeDesignator="99X", CodeMeaning="Chest"
        ),
        RequestAttributesSequence=item(ScheduledProcedureStepID="S1", RequestedProcedureID="R1"),
    )
    block = image.private_block(0x0029, "OPENPACS TEST", create=True)
    block.add_new(0x08, "LO", "of the maker")
    return image


@pytest.fixture
def archive(device: Device, spool: Spool) -> None:
    Device.objects.filter(pk=device.pk).update(may_query=True)
    keep(
        spool,
        maker_image(),
        {
            "PatientID": "p1",
            "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
            "StudyInstanceUID": "2.25.2",
            "StudyDate": "20260601",
            "StudyTime": "233000",
            "AccessionNumber": "A_1",
            "ReferringPhysicianName": "Wójcik^Łucja",
            "ProcedureCodeSequence": item(
                CodeValue="MRHEAD", CodingSchemeDesignator="99X", CodeMeaning="Head"
            ),
        },
        {
            "PatientID": "P_3",
            "PatientName": "O'Brien^%_\\^",
            "StudyInstanceUID": "2.25.3",
            "StudyDate": "20260602",
            "StudyTime": "003000",
            "AccessionNumber": "AX1",
            "ReferringPhysicianName": None,
        },
    )


@pytest.fixture
def association(archive: None, listener: Listener, dial: Dial) -> Association:
    return dial(listener, STUDY_ROOT)


@pytest.fixture
def asking(association: Association) -> Ask:
    """The studies that fit some keys, by the last number of their UIDs."""

    def send(**keys: Any) -> list[str]:
        asked = identifier(StudyInstanceUID="", SpecificCharacterSet="ISO_IR 192", **keys)
        found = ask(association, asked)
        assert found.status == 0
        return [uid.rpartition(".")[2] for uid in found.of("StudyInstanceUID")]

    return send


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        # Single values: case counts everywhere but in names.
        ({"PatientID": "P1"}, ["1"]),
        ({"PatientID": "p1"}, ["2"]),
        ({"PatientName": "muller^jorg"}, ["1"]),
        # Wildcards, and what is none.
        ({"PatientID": "P?"}, ["1"]),
        ({"PatientID": "P*"}, ["1", "3"]),
        ({"PatientID": "*"}, ["1", "2", "3"]),
        ({"PatientID": "P_?"}, ["3"]),
        ({"AccessionNumber": "A_*"}, ["2"]),
        ({"PatientID": "%"}, []),
        ({"PatientID": "[P]1"}, []),
        ({"PatientID": "' OR 1=1 --"}, []),
        ({"AccessionNumber": "?" * 1000}, []),
        # Any group of a name.
        ({"PatientName": "山田*"}, ["2"]),
        ({"PatientName": "やまだ^たろう"}, ["2"]),
        ({"PatientName": "YAMADA*"}, ["2"]),
        ({"PatientName": "*TAROU*"}, ["2"]),
        ({"PatientName": "O'BRIEN*"}, ["3"]),
        ({"PatientName": "*%_*"}, ["3"]),
        ({"ReferringPhysicianName": "WOJCIK^*"}, ["2"]),
        ({"ReferringPhysicianName": "house^gregory"}, ["1"]),
        ({"PerformingPhysicianName": "angstrom*"}, ["1"]),
        # Ranges, open on either side.
        ({"StudyDate": "20260601-20260602"}, ["2", "3"]),
        ({"StudyDate": "20260602-"}, ["3"]),
        ({"StudyDate": "-20260531"}, ["1"]),
        ({"StudyTime": "000000-040000"}, ["3"]),
        ({"StudyTime": "2330-"}, ["2"]),
        ({"StudyDate": "20260601-20260602", "StudyTime": "2300-0100"}, []),
        ({"PatientBirthDate": "19800517"}, ["1", "2", "3"]),
        # Attributes that no index knows, alone and in sequences.
        ({"PatientWeight": "71.50"}, ["1"]),
        ({"PatientComments": "50% off_now [yes]"}, ["1"]),
        ({"PatientComments": "50?*_now*"}, ["1"]),
        ({"PatientComments": "50_ off*"}, []),
        ({"PatientComments": "*"}, ["1", "2", "3"]),
        ({"ContrastBolusStartTime": "1000-1100"}, ["1"]),
        ({"ContrastBolusStartTime": "12-"}, []),
        ({"BitsStored": 12}, ["1", "2", "3"]),
        ({"ProcedureCodeSequence": item(CodeValue="CT*")}, ["1"]),
        ({"ProcedureCodeSequence": item(CodeValue="CT*", CodingSchemeDesignator="XX")}, []),
        ({"ProcedureCodeSequence": item(CodeValue="", CodingSchemeDesignator="99X")}, ["1", "2"]),
        ({"RequestAttributesSequence": item(ScheduledProcedureStepID="S1")}, ["1"]),
        ({"RequestAttributesSequence": item(ScheduledProcedureStepID="")}, ["1", "2", "3"]),
    ],
)
def test_a_key_finds_its_studies(keys: dict[str, Any], expected: list[str], asking: Ask) -> None:
    assert asking(**keys) == expected


def test_a_list_of_uids_may_be_long(asking: Ask, association: Association) -> None:
    wanted = [f"1.2.826.0.1.3680043.8.498.{number:010}" for number in range(1_500)]
    asked = identifier(StudyInstanceUID=[*wanted, "2.25.2", "2.25.3"])
    assert ask(association, asked).of("StudyInstanceUID") == ["2.25.2", "2.25.3"]


@pytest.mark.filterwarnings("ignore:The value for the data element")
def test_a_list_of_uids_may_be_longer_than_its_vr_can_say(association: Association) -> None:
    wanted = [f"1.2.826.0.1.3680043.8.498.1{number:010}" for number in range(2_500)]
    asked = identifier(StudyInstanceUID=[*wanted, "2.25.2", "2.25.3"])  # written as UN
    assert ask(association, asked).of("StudyInstanceUID") == ["2.25.2", "2.25.3"]


def test_a_date_of_birth_is_answered_as_da_or_not_at_all(
    association: Association, spool: Spool
) -> None:
    for number, born in enumerate(("1950-07-04", "4 July 1950"), 7):
        keep(spool, {"StudyInstanceUID": f"2.25.{number}", "PatientBirthDate": born})
    asked = identifier(StudyInstanceUID=["2.25.7", "2.25.8"], PatientBirthDate="")
    assert ask(association, asked).of("PatientBirthDate") == ["", "19500704"]
    asked = identifier(StudyInstanceUID="", PatientBirthDate="19500704")
    assert ask(association, asked).of("StudyInstanceUID") == ["2.25.7"]


@pytest.mark.parametrize(
    "keys",
    [
        {"PatientID": "?" * 10_000},
        {"StudyDate": "20269999-"},
        {"StudyDate": "20260101", "StudyTime": "99"},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    keys: dict[str, Any], association: Association
) -> None:
    found = ask(association, identifier(StudyInstanceUID="", **keys))
    assert (len(found), found.status) == (0, 0xA900)


def test_group_lengths_and_group_2_are_no_keys(association: Association) -> None:
    asked = identifier(StudyInstanceUID="", PatientID="P1")
    for tag, value in ((0x00080000, 8), (0x00100000, 99)):
        asked.add_new(tag, "UL", value)
    found = ask(association, asked)
    assert (len(found), found.statuses) == (1, [0xFF00, 0])
    assert "00080000" not in found[0]


def test_stored_attributes_are_answered_too(association: Association) -> None:
    asked = identifier(
        PatientID="P1",
        PatientWeight="",
        BitsStored=None,
        ProcedureCodeSequence=item(CodeMeaning="", CodeValue=""),
        RequestAttributesSequence=Sequence(),
        ContrastBolusAgent="",
    )
    block = asked.private_block(0x0029, "OPENPACS TEST", create=True)
    block.add_new(0x08, "LO", "")
    (found,) = ask(association, asked)
    assert (found.PatientWeight, found.BitsStored) == (71.5, 12)
    (code,) = found.ProcedureCodeSequence
    assert (code.CodeValue, code.CodeMeaning, len(code)) == ("CTCHEST", "Chest", 2)
    assert len(found.RequestAttributesSequence[0]) == 2
    assert found.ContrastBolusAgent == ""
    assert found[0x0029, 0x1008].value == "of the maker"


def test_an_attribute_is_empty_where_a_study_has_none(association: Association) -> None:
    found = ask(association, identifier(StudyInstanceUID="", PatientComments=""))
    assert found.of("PatientComments") == ["", "", "50% off_now [yes]"]


@pytest.fixture
def settled(archive: None, listener: Listener) -> Iterator[Callable[..., Answers]]:
    """Asks with extended negotiation: `settled((1, 1), "SERIES", …)`."""
    opened: list[Association] = []

    def send(wanted: tuple[int, ...], level: str = "STUDY", **keys: Any) -> Answers:
        opened.append(agreed(listener.port, *wanted))
        return ask(opened[-1], identifier(level, **keys))

    yield send
    for association in opened:
        association.release()


def test_relational_queries_need_no_parents(settled: Callable[..., Answers]) -> None:
    found = settled((1,), "IMAGE", PatientID="P1", SOPInstanceUID="", StudyInstanceUID="")
    assert found.of("StudyInstanceUID") == ["2.25.1"]
    found = settled((1,), "SERIES", Modality="CT", StudyDate="20260601-", SeriesInstanceUID="")
    assert len(found) == 2
    assert settled((0,), "SERIES", SeriesInstanceUID="").status == 0xA900


def test_a_date_and_its_time_are_one_moment_where_agreed(
    settled: Callable[..., Answers],
) -> None:
    keys = {"StudyInstanceUID": "", "StudyDate": "20260601-20260602", "StudyTime": "2300-0100"}
    assert settled((0, 1), **keys).of("StudyInstanceUID") == ["2.25.2", "2.25.3"]
    assert settled((0, 0), **keys).of("StudyInstanceUID") == []


def test_times_are_those_of_the_callers_zone(settled: Callable[..., Answers]) -> None:
    keys = {"StudyInstanceUID": "", "StudyTime": "", "TimezoneOffsetFromUTC": "+0200"}
    (found,) = settled((0, 0, 0, 1), StudyDate="20260602", PatientID="p1", **keys)
    assert (found.StudyDate, found.StudyTime) == ("20260602", "013000")
    assert found.TimezoneOffsetFromUTC == "+0200"
    assert settled((0, 0, 0, 1), StudyDate="20260601", PatientID="p1", **keys).status == 0
