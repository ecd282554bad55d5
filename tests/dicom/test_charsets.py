"""Character sets: read any, write what the receiver can read."""

import pytest
from pydicom.dataset import Dataset

from apps.dicom.charsets import decode, fit_dataset, fit_text, pick_character_set


def test_text_that_fits_is_left_alone_and_the_rest_is_approximated() -> None:
    assert fit_text("Ünal", "ISO_IR 100") == "Ünal"
    assert fit_text("Ünal", "") == "Unal"
    assert fit_text("Şahin 山", "ISO_IR 100") == "Sahin ?"
    assert fit_text("山田", "\\ISO 2022 IR 87") == "山田"


def test_the_smallest_character_set_that_holds_everything_is_picked() -> None:
    assert pick_character_set(["DOE"], preferred="ISO_IR 100") == ""
    assert pick_character_set(["Müller"], preferred="ISO_IR 100") == "ISO_IR 100"
    assert pick_character_set(["Müller", "山田"], preferred="ISO_IR 100") == "ISO_IR 192"


@pytest.mark.parametrize("character_set", ["ISO_IR 999", "", "ISO 2022 IR 87", "\\\\", "GB18030"])
def test_no_bytes_and_no_character_set_make_reading_fail(character_set: str) -> None:
    assert isinstance(decode(bytes(range(1, 256)), character_set), str)


def test_a_dataset_is_made_writable_with_its_sequences() -> None:
    item = Dataset()
    item.CodeMeaning = "Schädel"
    dataset = Dataset()
    dataset.PatientName = "Yamada^Tarou=山田^太郎"
    dataset.OtherPatientNames = ["Ωm", "B"]
    dataset.ProcedureCodeSequence = [item]
    fit_dataset(dataset, "ISO_IR 100")
    assert str(dataset.PatientName) == "Yamada^Tarou=??^??"
    assert dataset.ProcedureCodeSequence[0].CodeMeaning == "Schädel"
    assert dataset.SpecificCharacterSet == "ISO_IR 100"
    fit_dataset(dataset, "")
    assert dataset.ProcedureCodeSequence[0].CodeMeaning == "Schadel"
