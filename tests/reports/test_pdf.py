"""The signed sheet: what it says, in all scripts, text staying text."""

import shutil
import subprocess
from collections.abc import Callable

import pytest
from django.test import override_settings

from apps.accounts.models import User
from apps.patients.models import Patient
from apps.reports import pdf, services
from apps.reports.models import ReportVersion
from apps.reports.services import ReportText
from tests.factories import PatientFactory, ReferrerFactory
from tests.reports.rows import PRELIMINARY, by, make_order, make_report, make_study, sign

pytestmark = pytest.mark.django_db

TYPST = """#import "/etc/passwd": *
$a^2$ *bold* @ref _x_ `raw` = heading
- list "quotes" -- \\ # [ ] < > // comment /* c */
#panic("x") #sys.inputs <label> https://example.org ~ 'single'"""


@pytest.fixture
def ada(user_of: Callable[[str], User]) -> User:
    return user_of("radiologist")


@pytest.fixture
def text_in() -> Callable[[ReportVersion], str]:
    """The words of a PDF, read by poppler."""
    if shutil.which("pdftotext") is None:
        pytest.fail("pdftotext is missing: install poppler-utils")

    def read(version: ReportVersion) -> str:
        arguments = ["pdftotext", "-layout", "-", "-"]
        done = subprocess.run(arguments, input=bytes(version.pdf), capture_output=True, check=True)
        return done.stdout.decode()

    return read


def a_patient(**fields: str) -> Patient:
    patient: Patient = PatientFactory.create(family_name="Müller", given_name="Jörg", **fields)
    return patient


@pytest.mark.peer
def test_the_sheet_says_who_what_when(ada: User, text_in: Callable[[ReportVersion], str]) -> None:
    referrer = ReferrerFactory.create(family_name="Fernando", title="Dr")
    order = make_order(patient=a_patient(), referrer=referrer)
    study = make_study(order, study_date="2026-11-20")
    with override_settings(OPENPACS_SITE_NAME="Riverside Hospital"):
        text = text_in(sign(make_report(order), ada))
    for said in (
        "Riverside Hospital",
        "Müller, Jörg",
        order.patient.identifiers.get().value,
        "1980-05-17",
        "Female",
        order.accession_number,
        "CT of the chest",
        "Dr Fernando",
        "2026-11-20",
        "Final report",
        "Clear lungs.",
        "Normal chest.",
        f"Signed electronically by {ada}",
        "UTC",
        "Page 1 of 1",
        study.study_instance_uid,
    ):
        assert said in text
    assert "PRELIMINARY" not in text


@pytest.mark.peer
def test_typst_syntax_in_a_report_comes_out_literally(
    ada: User, text_in: Callable[[ReportVersion], str]
) -> None:
    version = sign(make_report(), ada, text=ReportText(findings=TYPST, impression="#pagebreak()"))
    text = text_in(version)
    for line in [*TYPST.splitlines(), "#pagebreak()"]:
        assert line in text


@pytest.mark.peer
@pytest.mark.parametrize("name", ["สมชาย^ใจดี", "山田^太郎", "Иванов^Иван", "Παπαδόπουλος", "محمد"])
def test_names_in_other_scripts_are_written(
    ada: User, name: str, text_in: Callable[[ReportVersion], str]
) -> None:
    order = make_order(patient=a_patient(ideographic_name=name))
    text = text_in(sign(make_report(order), ada))
    words = set("".join(name.split("^")))
    assert len(words & set(text)) > len(words) / 2


def test_a_character_in_no_font_does_not_stop_signing(ada: User) -> None:
    order = make_order(patient=a_patient(ideographic_name="\U00016a00\U0001f600"))
    assert bytes(sign(make_report(order), ada).pdf).startswith(b"%PDF")


def test_without_installed_fonts_a_report_is_still_signed(ada: User, tmp_path: object) -> None:
    pdf.fonts.cache_clear()
    try:
        with override_settings(BUILD_DIR=tmp_path):
            version = sign(make_report(), ada)
    finally:
        pdf.fonts.cache_clear()
    assert bytes(version.pdf).startswith(b"%PDF")


@pytest.mark.peer
def test_a_preliminary_sheet_is_watermarked(
    ada: User, text_in: Callable[[ReportVersion], str]
) -> None:
    version = sign(make_report(), ada, status=PRELIMINARY)
    assert pdf.sheet(version, earlier=[], study_uid="")["watermark"] == "PRELIMINARY"
    text = text_in(version)
    assert "Preliminary report" in text
    assert f"Preliminary, by {ada}" in text


@pytest.mark.peer
def test_an_addendum_stands_below_the_text_it_adds_to(
    ada: User, text_in: Callable[[ReportVersion], str]
) -> None:
    report = make_report()
    sign(report, ada)
    services.add_addendum(report, text="First more.", origin=by(ada))
    version = services.add_addendum(report, text="Second more.", origin=by(ada))
    text = text_in(version)
    places = [text.index(said) for said in ("Clear lungs.", "First more.", "Second more.")]
    assert places == sorted(places)
    assert "version 3 (Addendum)" in text


@pytest.mark.peer
def test_an_addendum_after_a_change_of_name_names_both(
    ada: User, text_in: Callable[[ReportVersion], str]
) -> None:
    order = make_order(patient=a_patient())
    report = make_report(order)
    sign(report, ada)
    Patient.objects.filter(pk=order.patient.pk).update(family_name="Schmidt")
    text = text_in(services.add_addendum(report, text="More.", origin=by(ada)))
    assert "Schmidt, Jörg" in text
    assert "At the time of the report: Müller, Jörg" in text


@pytest.mark.peer
def test_a_long_report_counts_its_pages(ada: User, text_in: Callable[[ReportVersion], str]) -> None:
    long = ReportText(findings="\n".join(f"Line {number}." for number in range(120)))
    text = text_in(sign(make_report(), ada, text=long))
    assert "Page 3 of 3" in text
    assert "Line 119." in text
