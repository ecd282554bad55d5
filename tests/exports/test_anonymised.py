"""Anonymised exports: held for a person, released, made; nothing of the patient in the bytes."""

import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.deidentifying import Deidentifier
from apps.exports.models import Export, HeldObject, Profile, Pseudonym
from apps.exports.services import ExportRefused, decide, make_profile, release_export
from apps.exports.services.anonymising import NotNameless, changes_of
from apps.studies.models import Instance, Study
from tests.dicom.objects import ct_image
from tests.dimse.receiving import keep
from tests.exports.conftest import Ask, MakeStudy, made, objects_of, opened, store
from tests.prepare import find_program

pytestmark = pytest.mark.django_db
TELLING = [b"ller", b"rg", b"P0000001", b"19800517", b"A0000001", b"House", b"Gregory"]
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"


def released(export: Export, origin: Origin, decision: str = "taken", **regions: Any) -> Export:
    """The export after it was looked through, decided on and made."""
    made(export)
    assert export.status == "held", export.error
    keys = dict.fromkeys(export.held.values_list("pk", flat=True), decision)
    decide(export, keys, {key: regions.get("regions", []) for key in keys}, origin=origin)
    release_export(export, origin=origin)
    return made(export)


def test_nothing_is_made_before_somebody_has_looked(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    export = made(ask(make_study(1), kind="anonymised"))
    assert (export.status, export.file_name) == ("held", "")
    release_export(export, origin=origin)
    assert made(export).status == "done"
    assert Event.objects.filter(kind=Kind.EXPORT_RELEASED).count() == 1


def test_no_byte_of_the_archive_tells_whose_it_is(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    study = make_study(2)
    uids = [study.study_instance_uid, *Instance.objects.values_list("sop_instance_uid", flat=True)]
    export = released(ask(study, kind="anonymised"), origin)
    archive = opened(export)
    data = b"".join(archive.read(name) for name in archive.namelist())
    told = [one for one in [*TELLING[2:], *(uid.encode() for uid in uids)] if one in data]
    assert told == []
    assert "Müller".encode() not in data
    first, second = (dcmread(io.BytesIO(one)) for one in objects_of(archive))
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID
    assert first.file_meta.get("SourceApplicationEntityTitle") is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned-in"),
        ({"Modality": "US"}, "maybe-burned-in"),
        ({"SOPClassUID": SECONDARY}, "maybe-burned-in"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen"),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1", "EncapsulatedDocument": b"%PDF"},
            "document",
        ),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, "report"),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, ""),
        ({}, ""),
    ],
)
def test_objects_that_may_name_somebody_are_held(
    make_study: MakeStudy, ask: Ask, values: dict[str, Any], reason: str
) -> None:
    export = made(ask(make_study(1, **values), kind="anonymised"))
    assert list(export.held.values_list("reason", flat=True)) == ([reason] if reason else [])


def test_what_is_held_goes_nowhere_until_it_is_decided_on(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    export = made(ask(make_study(1, Modality="US"), kind="anonymised"))
    with pytest.raises(ExportRefused, match="Decide on every held image"):
        release_export(export, origin=origin)
    assert export.held.undecided().count() == 1


def test_what_is_left_out_is_not_in_the_archive(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    shown = make_study(1)
    held = make_study(1, Modality="US", PatientID="P9")
    export = released(ask(shown, held, kind="anonymised"), origin, "left-out")
    assert (export.status, export.left_out_count) == ("done", 1)
    (data,) = objects_of(opened(export))
    assert dcmread(io.BytesIO(data)).Modality == "CT"


def test_a_document_that_was_looked_at_stays_whole(ask: Ask, origin: Origin) -> None:
    document = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1",
        "EncapsulatedDocument": b"%PDF-1.7 ",
        "DocumentTitle": "Letter",
        "PixelData": None,
        "Rows": None,
        "Columns": None,
    }
    export = released(ask(store(ct_image(**document)), kind="anonymised"), origin)
    (data,) = objects_of(opened(export))
    sent = dcmread(io.BytesIO(data))
    assert sent.EncapsulatedDocument.startswith(b"%PDF-1.7")
    assert "Letter" not in str(sent)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80"])
def test_regions_of_pixels_are_blanked(ask: Ask, origin: Origin, syntax: str) -> None:
    image = ct_image(Modality="US")
    if syntax.endswith(".80"):
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.compress(syntax, generate_instance_uid=False)
    export = ask(store(image, syntax=syntax), kind="anonymised")
    released(export, origin, regions=[[1, 0, 3, 2]])
    (data,) = objects_of(opened(export))
    sent = dcmread(io.BytesIO(data))
    expected = np.arange(24, dtype="<u2").reshape(4, 6)
    expected[0:2, 1:4] = 0
    assert np.array_equal(sent.pixel_array, expected)
    assert (sent.ImageType[0], sent.BurnedInAnnotation) == ("DERIVED", "NO")
    codes = [item.CodeValue for item in sent.DeidentificationMethodCodeSequence]
    assert "113101" in codes


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_objects_of_every_encoding_become_nameless(ask: Ask, origin: Origin, syntax: str) -> None:
    image = ct_image()
    if syntax.endswith(".2.2"):
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    export = released(ask(store(image, syntax=syntax), kind="anonymised"), origin)
    (data,) = objects_of(opened(export))
    sent = dcmread(io.BytesIO(data))
    assert np.array_equal(sent.pixel_array.ravel(), np.arange(24))
    assert "Müller" not in str(sent)


def test_one_patient_has_one_code_in_all_exports_of_a_profile(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    first, second = make_study(1), make_study(1)
    other = make_profile(name="Other", options=[], origin=origin)
    codes = []
    for study, profile in ((first, None), (second, None), (first, other)):
        export = released(ask(study, kind="anonymised", profile=profile), origin)
        row = Pseudonym.objects.get(export=export)
        assert row.patient_identifier == "P0000001"
        codes.append(row.code)
    assert codes[0] == codes[1] != codes[2]


def test_the_preview_shows_what_will_be_written(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    study = make_study(1)
    profile = Profile.objects.get()
    row = Instance.objects.select_related("series__study").get()
    changes = {change.path: change.after for change in changes_of(row, profile)}
    export = released(ask(study, kind="anonymised"), origin)
    (data,) = objects_of(opened(export))
    sent = dcmread(io.BytesIO(data))
    assert changes["PatientName"] == sent.PatientName
    assert changes["StudyInstanceUID"] == sent.StudyInstanceUID
    assert changes["StudyDescription"] == ""
    assert "StudyDescription" not in sent


def test_decisions_on_other_exports_are_not_taken(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    one = made(ask(make_study(1, Modality="US"), kind="anonymised"))
    other = made(ask(make_study(1, Modality="US"), kind="anonymised"))
    (held,) = other.held.all()
    decide(one, {held.pk: "taken"}, {}, origin=origin)
    assert HeldObject.objects.get(pk=held.pk).decision == "open"


@pytest.mark.samples
@pytest.mark.peer("dciodvfy")
@pytest.mark.parametrize("name", ["GREYSCALE_IMAGE.dcm", "ctbrain1.dcm", "image1.dcm"])
def test_public_objects_become_nameless_and_stay_valid(
    ask: Ask, origin: Origin, samples: Path, tmp_path: Path, name: str
) -> None:
    source = samples / "dicom" / "deid" / name
    keep(source.read_bytes())
    study = Study.objects.get()
    export = released(ask(study, kind="anonymised"), origin)
    assert export.left_out_count == 0
    (data,) = objects_of(opened(export))
    before, after = dcmread(source), dcmread(io.BytesIO(data))
    header = data.split(after.PixelData[:64])[0] if "PixelData" in after else data
    assert [value for value in telling(before) if value in header] == []
    path = tmp_path / "after.dcm"
    path.write_bytes(data)
    assert errors_of(path) - errors_of(source) == set()


def telling(dataset: Dataset) -> list[bytes]:
    """Values of names, numbers, dates and UIDs, as they would stand in a file."""
    found = []
    for element in dataset.iterall():
        name = element.keyword
        if element.VR in ("PN", "DA", "DT") or name.endswith(("InstanceUID", "PatientID")):
            text = str(element.value)
            if len(text) > 3 and not text.startswith("1.2.840.10008."):
                found.append(text.encode())
    return found


def errors_of(path: Path) -> set[str]:
    program = find_program("dciodvfy") or "dciodvfy"
    done = subprocess.run([program, str(path)], capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    return {line.split(" - got")[0] for line in said.splitlines() if line.startswith("Error")}


def test_what_cannot_be_made_nameless_stays_here(
    make_study: MakeStudy, ask: Ask, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(2)
    apply, calls = Deidentifier.apply, []

    def fails_once(maker: Deidentifier, dataset: Dataset, **how: Any) -> Any:
        calls.append(how)
        if len(calls) == 1:
            raise ValueError("a value that is none")
        return apply(maker, dataset, **how)

    export = made(ask(study, kind="anonymised"))
    monkeypatch.setattr(Deidentifier, "apply", fails_once)
    with pytest.raises(NotNameless):
        changes_of(Instance.objects.select_related("series__study")[0], Profile.objects.get())
    calls.clear()
    release_export(export, origin=origin)
    made(export)
    assert (export.status, export.left_out_count) == ("done", 1)
    assert len(objects_of(opened(export))) == 1
