"""Corrections: what is shown otherwise than it was sent, and how that is taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import UID

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.studies.models import Correction, Instance, Series, Study
from apps.studies.services import (
    NotCorrectableError,
    UndoneAlreadyError,
    correct_study,
    header_json,
    outgoing,
    outgoing_file,
    store_instances,
    undo_correction,
)
from apps.studies.services.correcting import Scope
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db

NAME = Change("00100010", "PN", [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}])
NUMBER = Change("00100020", "LO", ["H42"])
BODY_PART = Change("00180015", "CS", ["KNEE"])

Correct = Callable[..., list[Correction]]


@pytest.fixture
def correct(origin: Origin) -> Correct:
    def make(study: Study, *changes: Change, **how: Any) -> list[Correction]:
        how = {"reason": "typed wrong", "source": Correction.Source.PERSON, **how}
        return correct_study(study, changes=changes, origin=origin, **how)

    return make


@pytest.fixture
def kept(spool: Spool, origin: Origin) -> Callable[..., Instance]:
    def keep(dataset: Dataset | None = None, **how: Any) -> Instance:
        dataset = dataset or ct_image()
        store_instances([spool.write([part10(dataset, **how)])], origin=origin)
        return Instance.objects.select_related("series__study").get(
            sop_instance_uid=dataset.SOPInstanceUID
        )

    return keep


def sent(instance: Instance) -> Dataset:
    """The file as it goes out, read by pydicom; its length is what was announced."""
    size, chunks = outgoing_file(Instance.objects.get(pk=instance.pk))
    data = b"".join(chunks())
    assert len(data) == size
    found = dcmread(DicomBytesIO(data))
    found.decode()
    return found


def stored(instance: Instance) -> bytes:
    with stored_files().open(instance.file_name) as file:
        data: bytes = file.read()
    return data


def test_the_name_is_corrected_on_the_way_out_and_in_the_index(
    kept: Callable[..., Instance], correct: Correct
) -> None:
    instance = kept()
    before = stored(instance)
    study = instance.series.study
    correct(study, NAME, NUMBER)
    assert study.patient_name == "Yamada^Tarou=山田^太郎"
    assert study.patient_search_name == "YAMADA TAROU 山田 太郎"
    assert study.patient_identifier == "H42"
    found = sent(instance)
    assert found.PatientName == "Yamada^Tarou=山田^太郎"
    assert found.PatientID == "H42"
    item = found.OriginalAttributesSequence[0]
    assert item.ModifiedAttributesSequence[0].PatientName == "Müller^Jörg"
    assert item.ModifiedAttributesSequence[0].PatientID == "P0000001"
    assert item.ModifyingSystem == "OPENPACS"
    assert item.ReasonForTheAttributeModification == "CORRECT"
    assert item.SourceOfPreviousValues == "CT1"
    assert stored(instance) == before


def test_metadata_say_the_same_as_the_file(kept: Callable[..., Instance], correct: Correct) -> None:
    instance = kept()
    correct(instance.series.study, NAME)
    made = header_json(Instance.objects.get(pk=instance.pk), lambda path: path)
    assert made["00100010"]["Value"] == NAME.values
    originals = made["04000561"]["Value"][0]["04000550"]["Value"][0]
    assert originals["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]


def test_a_header_that_cannot_hold_the_new_name_is_written_in_utf8(
    kept: Callable[..., Instance], correct: Correct
) -> None:
    image = ct_image(SpecificCharacterSet="ISO_IR 100", InstitutionName="Krankenhaus Süd")
    image.RequestAttributesSequence = [Dataset()]
    image.RequestAttributesSequence[0].RequestedProcedureDescription = "Schädel"
    instance = kept(image)
    correct(instance.series.study, NAME)
    found = sent(instance)
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert found.PatientName == "Yamada^Tarou=山田^太郎"
    assert found.InstitutionName == "Krankenhaus Süd"
    assert found.RequestAttributesSequence[0].RequestedProcedureDescription == "Schädel"
    originals = found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert originals.SpecificCharacterSet == "ISO_IR 100"
    assert originals.PatientName == "Müller^Jörg"


def test_nothing_is_sent_otherwise_where_nothing_was_corrected(
    kept: Callable[..., Instance], django_assert_num_queries: Any
) -> None:
    instance = Instance.objects.get(pk=kept().pk)
    with django_assert_num_queries(0):
        data = b"".join(outgoing_file(instance)[1]())
        dataset = b"".join(outgoing(instance).pieces())
    assert data == stored(instance)
    assert data.endswith(dataset)


def test_many_corrected_images_of_a_series_ask_for_the_corrections_once(
    kept: Callable[..., Instance], correct: Correct, django_assert_num_queries: Any
) -> None:
    first = ct_image()
    same = {key: first[key].value for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    instances = [kept(first), *(kept(ct_image(**same)) for _ in range(3))]
    correct(instances[0].series.study, NAME)
    rows = list(Instance.objects.all())
    with django_assert_num_queries(1):
        for row in rows:
            outgoing(row)


def test_undoing_gives_back_the_bytes_as_sent(
    kept: Callable[..., Instance], correct: Correct, origin: Origin
) -> None:
    instance = kept()
    study = instance.series.study
    first = correct(study, NAME)
    second = correct(study, Change("00100010", "PN", [{"Alphabetic": "Other^Name"}]), NUMBER)
    undo_correction(first[0], origin=origin)
    assert sent(instance).PatientName == "Other^Name"
    for one in second:
        undo_correction(one, origin=origin)
    row = Instance.objects.get(pk=instance.pk)
    assert b"".join(outgoing_file(row)[1]()) == stored(instance)
    study.refresh_from_db()
    assert (study.overlay, row.overlay) == (0, 0)
    assert study.patient_name == "Müller^Jörg"
    assert study.patient_search_name == "MULLER JORG"
    assert study.patient_identifier == "P0000001"
    with pytest.raises(UndoneAlreadyError):
        undo_correction(first[0], origin=origin)


def test_every_change_makes_caches_look_again(
    kept: Callable[..., Instance], correct: Correct, origin: Origin
) -> None:
    series = kept().series
    made = correct(series.study, NAME)
    corrected = _state(series)
    undo_correction(made[0], origin=origin)
    undone = _state(series)
    assert all(one != other for one, other in zip(corrected, undone, strict=True))


def _state(series: Series) -> tuple[int, int, int]:
    series.refresh_from_db()
    study = Study.objects.get(pk=series.study_id)
    return study.revision, series.revision, study.overlay


def test_the_journal_says_what_was_corrected_and_no_names(
    kept: Callable[..., Instance], correct: Correct, origin: Origin
) -> None:
    made = correct(kept().series.study, NAME, NUMBER)
    undo_correction(made[0], origin=origin)
    events = Event.objects.filter(kind__in=[Kind.STUDY_CORRECTED, Kind.CORRECTION_UNDONE])
    corrected, undone = events.order_by("id")
    assert corrected.details["attributes"] == ["00100010", "00100020"]
    assert undone.details["attributes"] == ["00100010"]
    said = str(corrected.details) + str(undone.details)
    assert "Yamada" not in said
    assert "H42" not in said


def test_a_series_is_corrected_alone(kept: Callable[..., Instance], correct: Correct) -> None:
    image = ct_image(BodyPartExamined="HAND")
    one = kept(image)
    other = kept(ct_image(StudyInstanceUID=image.StudyInstanceUID, BodyPartExamined="HAND"))
    correct(one.series.study, BODY_PART, scope=Scope(series=one.series))
    one.series.refresh_from_db()
    other.series.refresh_from_db()
    assert (one.series.body_part, other.series.body_part) == ("KNEE", "HAND")
    assert sent(one).BodyPartExamined == "KNEE"
    row = Instance.objects.get(pk=other.pk)
    assert row.overlay == 0
    assert b"".join(outgoing_file(row)[1]()) == stored(other)


def test_an_attribute_within_a_sequence_is_corrected_and_the_sequence_kept(
    kept: Callable[..., Instance], correct: Correct
) -> None:
    image = ct_image()
    image.RequestAttributesSequence = [Dataset()]
    image.RequestAttributesSequence[0].RequestedProcedureID = "RP1"
    image.RequestAttributesSequence[0].ScheduledProcedureStepID = "SPS1"
    instance = kept(image)
    correct(instance.series.study, Change("00400275/0/00401001", "SH", ["RP2"]))
    found = sent(instance)
    assert found.RequestAttributesSequence[0].RequestedProcedureID == "RP2"
    assert found.RequestAttributesSequence[0].ScheduledProcedureStepID == "SPS1"
    originals = found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert originals.RequestAttributesSequence[0].RequestedProcedureID == "RP1"


def test_attributes_are_removed_and_emptied(
    kept: Callable[..., Instance], correct: Correct
) -> None:
    instance = kept(ct_image(InstitutionName="Elsewhere"))
    study = instance.series.study
    correct(study, Change("00080080", "LO", None), Change("00081030", "LO", []))
    found = sent(instance)
    assert "InstitutionName" not in found
    assert found.StudyDescription == ""
    assert study.description == ""
    originals = found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert originals.InstitutionName == "Elsewhere"


def test_what_original_attributes_said_before_stays(
    kept: Callable[..., Instance], correct: Correct
) -> None:
    image = ct_image()
    image.OriginalAttributesSequence = [Dataset()]
    image.OriginalAttributesSequence[0].ModifyingSystem = "ELSEWHERE"
    instance = kept(image)
    correct(instance.series.study, NUMBER)
    systems = [item.ModifyingSystem for item in sent(instance).OriginalAttributesSequence]
    assert systems == ["ELSEWHERE", "OPENPACS"]


@pytest.mark.parametrize(
    "change",
    [
        Change("0020000D", "UI", ["1.2.3"]),
        Change("00080018", "UI", ["1.2.3"]),
        Change("00280010", "US", [7]),
        Change("7FE00010", "OW", []),
        Change("00080005", "CS", ["ISO_IR 100"]),
    ],
)
def test_what_makes_an_object_itself_is_not_corrected(
    change: Change, kept: Callable[..., Instance], correct: Correct
) -> None:
    with pytest.raises(NotCorrectableError):
        correct(kept().series.study, change)


def test_saying_the_same_again_corrects_nothing(
    kept: Callable[..., Instance], correct: Correct
) -> None:
    study = kept().series.study
    assert correct(study, Change("00100020", "LO", ["P0000001"])) == []
    assert len(correct(study, NUMBER)) == 1
    assert correct(study, NUMBER) == []


@pytest.mark.samples
@pytest.mark.filterwarnings("ignore")
def test_files_of_every_transfer_syntax_keep_their_pixels(
    samples: Any, spool: Spool, origin: Origin, correct: Correct
) -> None:
    paths = sorted((samples / "dicom" / "cornerstone").glob("*.dcm"))
    assert len(paths) > 20
    for path in paths:
        before = dcmread(path)
        (result,) = store_instances([spool.write([path.read_bytes()])], origin=origin)
        instance = Instance.objects.filter(sop_instance_uid=result.sop_instance_uid).get()
        study = instance.series.study
        made = correct(study, NAME, BODY_PART)
        found = sent(instance)
        assert found.PatientName == "Yamada^Tarou=山田^太郎", path.name
        assert found.get("PixelData") == before.get("PixelData"), path.name
        assert found.file_meta == before.file_meta, path.name
        assert UID(found.file_meta.TransferSyntaxUID) == instance.transfer_syntax_uid
        for one in made:
            undo_correction(one, origin=origin)
        row = Instance.objects.get(pk=instance.pk)
        assert b"".join(outgoing_file(row)[1]()) == stored(instance), path.name
        Study.objects.all().delete()
