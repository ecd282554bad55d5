"""Pictures of the viewer in a report: who puts them in, what is refused, what is signed."""

import io
import shutil
import subprocess
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image, PngImagePlugin

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.reports import services
from apps.reports.models import Report, ReportPicture
from apps.reports.services import ShownImage
from apps.reports.services.pictures import MOST_PICTURES
from apps.studies.models import Instance, Series, Study
from tests.factories import make_user
from tests.reports.rows import PRELIMINARY, by, make_order, make_report, make_study, sign

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]


def picture(
    *, size: tuple[int, int] = (64, 48), form: str = "JPEG", level: int = 90, **how: Any
) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(target, form, **how)
    return target.getvalue()


@pytest.fixture
def ada(user_of: Callable[[str], User]) -> User:
    return user_of("radiologist")


@pytest.fixture
def report(db: None) -> Report:
    order = make_order()
    study = make_study(order)
    series = Series.objects.create(study=study, series_instance_uid="2.25.71")
    Instance.objects.create(
        series=series,
        sop_instance_uid="2.25.72",
        sop_class_uid="1.2",
        transfer_syntax_uid="1.2",
        file_name="one",
        size=1,
        sha256="",
        header=b"",
    )
    return make_report(order)


def study_of(report: Report) -> Study:
    return Study.objects.get(patient=report.order.patient)


def shown(report: Report, **fields: Any) -> ShownImage:
    uid = study_of(report).study_instance_uid
    return ShownImage(**{"study_instance_uid": uid, **fields})


def put_in(report: Report, user: User, caption: str = "Nodule", **fields: Any) -> ReportPicture:
    return services.add_picture(
        report, content=picture(), caption=caption, shown=shown(report, **fields), origin=by(user)
    )


def send(client: Client, of: Report, /, *, content: bytes | None = None, **fields: Any) -> Any:
    file = SimpleUploadedFile("picture.jpg", picture() if content is None else content)
    given = {"study": study_of(of).study_instance_uid, "caption": "Nodule", "picture": file}
    return client.post(reverse("reports:add-picture"), {**given, **fields})


def test_the_viewer_puts_a_picture_into_the_draft(as_role: AsRole, report: Report) -> None:
    client = as_role("radiologist")
    answer = send(client, report, series="2.25.71", instance="2.25.72", frame=1)
    assert (answer.status_code, answer.json()["report"]) == (201, report.pk)
    row = report.pictures.get()
    assert (row.caption, row.sop_instance_uid, row.frame) == ("Nodule", "2.25.72", 1)
    report.refresh_from_db()
    assert (report.status, str(report.claimed_by)) == (Report.Status.CLAIMED, str(row.added_by))
    event = Event.objects.get(kind=Kind.REPORT_PICTURE_ADDED)
    assert (event.peer, event.details["sha256"]) == ("radiologist", row.sha256)
    page = client.get(reverse("reports:pictures", args=[report.pk])).content.decode()
    address = reverse("reports:picture", args=[report.pk, row.pk])
    assert address in page
    assert 'value="Nodule"' in page
    assert client.get(address)["Content-Type"] == "image/jpeg"


def test_a_picture_of_a_prior_goes_into_the_report_that_is_open_beside_it(
    as_role: AsRole, report: Report
) -> None:
    prior = make_study(patient=report.order.patient, match=Study.Match.MATCHED)
    own = report.studies[0].study_instance_uid
    client = as_role("resident")
    alone = client.post(
        reverse("reports:add-picture"),
        {"study": prior.study_instance_uid, "picture": SimpleUploadedFile("a.jpg", picture())},
    )
    assert alone.status_code == 409
    file = SimpleUploadedFile("a.jpg", picture())
    given = {"study": prior.study_instance_uid, "opened": [own], "picture": file}
    assert client.post(reverse("reports:add-picture"), given).status_code == 201


@pytest.mark.parametrize("role", ["technologist", "referrer", "front-desk", "pacs-administrator"])
def test_who_does_not_write_reports_neither_adds_nor_sees_their_pictures(
    as_role: AsRole, ada: User, report: Report, role: str
) -> None:
    row = put_in(report, ada)
    client = as_role(role)
    assert send(client, report, report=report.pk).status_code == 403
    assert client.get(reverse("reports:pictures", args=[report.pk])).status_code == 403
    for name in ("describe-picture", "move-picture-up", "remove-picture"):
        address = reverse(f"reports:{name}", args=[report.pk, row.pk])
        assert client.post(address).status_code == 403
    assert client.get(reverse("reports:picture", args=[report.pk, row.pk])).status_code == 403
    assert report.pictures.count() == 1


def test_an_image_of_another_patient_is_refused(as_role: AsRole, report: Report) -> None:
    foreign = make_study(make_order())
    client = as_role("radiologist")
    answer = send(client, report, report=report.pk, study=foreign.study_instance_uid)
    assert (answer.status_code, report.pictures.count()) == (409, 0)
    assert send(client, report, series="2.25.999").status_code == 409
    assert send(client, report, instance="2.25.999").status_code == 409


def test_only_who_has_claimed_the_report_changes_its_pictures(
    as_role: AsRole, ada: User, report: Report
) -> None:
    row = put_in(report, ada)
    client = as_role("resident")
    assert send(client, report).status_code == 409
    removing = client.post(reverse("reports:remove-picture", args=[report.pk, row.pk]))
    assert removing.status_code == 409
    assert "is writing this report" in removing.content.decode()
    page = client.get(reverse("reports:pictures", args=[report.pk])).content.decode()
    assert "Take out" not in page


def test_a_picture_of_another_report_is_not_found(as_role: AsRole, ada: User) -> None:
    order = make_order()
    make_study(order)
    mine, other = make_report(order), make_report()
    row = put_in(mine, ada)
    address = reverse("reports:picture", args=[other.pk, row.pk])
    assert as_role("resident").get(address).status_code == 404


def bomb() -> bytes:
    """A PNG of few bytes whose header promises 900 million pixels."""
    head = b"\x00\x00\x75\x30\x00\x00\x75\x30\x08\x00\x00\x00\x00"
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    made = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        made += len(body).to_bytes(4, "big") + name + body
        made += zlib.crc32(name + body).to_bytes(4, "big")
    return made


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff" + bytes(500),
        picture()[:200],
        picture(form="GIF"),
        picture(size=(2, 2)),
        picture(form="PNG") + bytes(9 << 20),
        bomb(),
    ],
    ids=["svg", "noise", "cut off", "gif", "tiny", "too many bytes", "too many pixels"],
)
def test_what_is_no_picture_is_refused(as_role: AsRole, report: Report, content: bytes) -> None:
    answer = send(as_role("radiologist"), report, content=content)
    assert (answer.status_code, report.pictures.count()) == (422, 0)


def test_a_form_that_is_not_whole_is_refused(as_role: AsRole, report: Report) -> None:
    client = as_role("radiologist")
    wrong: list[dict[str, Any]] = [{"frame": "x"}, {"caption": "a" * 301}, {"report": "9" * 30}]
    for fields in (*wrong, {"study": ""}):
        assert send(client, report, **fields).status_code == 400
    assert send(client, report, report=999_999).status_code == 404
    assert client.post(reverse("reports:add-picture")).status_code == 400


def test_a_picture_is_kept_without_what_is_written_beside_its_pixels(
    ada: User, report: Report
) -> None:
    remarks = PngImagePlugin.PngInfo()
    remarks.add_text("Comment", "Jane Doe")
    content = picture(form="PNG", size=(4000, 1000), pnginfo=remarks) + b"Jane Doe"
    row = services.add_picture(
        report, content=content, caption="", shown=shown(report), origin=by(ada)
    )
    assert b"Jane" not in bytes(row.picture)
    assert (row.media_type, row.width, row.height) == ("image/png", 2048, 512)


def test_there_is_a_most_of_pictures(ada: User, report: Report) -> None:
    for _number in range(MOST_PICTURES):
        put_in(report, ada)
    with pytest.raises(services.TooManyPictures):
        put_in(report, ada)


def test_pictures_are_described_put_in_order_and_taken_out(as_role: AsRole, report: Report) -> None:
    client = as_role("radiologist")
    for caption in ("first", "second"):
        send(client, report, caption=caption)
    first, second = report.pictures.all()
    for name, fields in (("move-picture-up", {}), ("describe-picture", {"caption": "other"})):
        client.post(reverse(f"reports:{name}", args=[report.pk, second.pk]), fields)
    assert [one.caption for one in report.pictures.all()] == ["other", "first"]
    page = client.post(reverse("reports:remove-picture", args=[report.pk, first.pk]))
    assert "first" not in page.content.decode()
    assert [one.caption for one in report.pictures.all()] == ["other"]
    events = Event.objects.filter(kind__startswith="report-picture").order_by("id")
    assert [one.kind for one in events] == [
        *["report-picture-added"] * 2,
        *["report-picture-changed"] * 2,
        "report-picture-removed",
    ]


def pictures_in(content: bytes) -> int:
    """How many pictures a PDF has, as poppler counts them."""
    if shutil.which("pdfimages") is None:
        pytest.fail("pdfimages is missing: install poppler-utils")
    done = subprocess.run(
        ["pdfimages", "-list", "-"], input=content, capture_output=True, check=True
    )
    return len(done.stdout.splitlines()) - 2


@pytest.mark.peer
def test_the_signed_sheet_has_the_pictures_and_keeps_them(ada: User, report: Report) -> None:
    for caption in ("Nodule #1", "Nodule [2]"):
        put_in(report, ada, caption)
    version = sign(report, ada, status=PRELIMINARY)
    assert pictures_in(bytes(version.pdf)) == 2
    words = subprocess.run(
        ["pdftotext", "-layout", "-", "-"],
        input=bytes(version.pdf),
        capture_output=True,
        check=True,
    ).stdout.decode()
    for said in ("Images", "Nodule #1", "Nodule [2]"):
        assert said in words
    assert b"pdfaid:part" in bytes(version.pdf)  # still PDF/A
    services.remove_picture(report.pictures.all()[0], origin=by(ada))
    version.refresh_from_db()
    assert pictures_in(bytes(version.pdf)) == 2
    final = sign(report, ada)
    assert pictures_in(bytes(final.pdf)) == 1
    addendum = services.add_addendum(report, text="More.", origin=by(ada))
    assert pictures_in(bytes(addendum.pdf)) == 1
    signed = Event.objects.filter(kind=Kind.REPORT_SIGNED).order_by("id")
    assert [len(one.details["pictures"]) for one in signed] == [2, 1, 1]


def test_a_final_report_keeps_its_pictures(as_role: AsRole, ada: User, report: Report) -> None:
    row = put_in(report, ada)
    sign(report, ada)
    client = as_role("resident")
    assert send(client, report, report=report.pk).status_code == 409
    address = reverse("reports:remove-picture", args=[report.pk, row.pk])
    assert client.post(address).status_code == 409
    assert report.pictures.count() == 1


def test_a_picture_that_comes_while_it_is_signed_stops_the_signature(
    ada: User, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_time_of_rendering = services.signing.pdf.render  # type: ignore[attr-defined]

    def meanwhile(*args: Any, **kwargs: Any) -> bytes:
        put_in(report, ada)
        made: bytes = from_time_of_rendering(*args, **kwargs)
        return made

    monkeypatch.setattr("apps.reports.pdf.render", meanwhile)
    with pytest.raises(services.StaleRevision):
        sign(report, ada)
    assert report.versions.count() == 0


def test_the_report_page_asks_for_its_pictures(as_role: AsRole, report: Report) -> None:
    page = as_role("radiologist").get(reverse("reports:edit", args=[report.pk])).content.decode()
    assert f'hx-get="{reverse("reports:pictures", args=[report.pk])}"' in page


def test_somebody_else_is_refused_by_the_service_too(report: Report) -> None:
    with pytest.raises(services.NotAllowed):
        put_in(report, make_user("technologist"))
