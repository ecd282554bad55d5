"""Viewers on the desks: which are offered, how they are called, and what their tokens open."""

import datetime
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import ApiToken, Scope, User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.audit.tokens import STUDY_TOKEN_LASTS, make_study_token
from apps.studies.models import Instance, Study
from apps.viewer.launching import encoded
from apps.viewer.models import Launcher
from tests.api.conftest import script
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import address_of, keep
from tests.factories import make_user
from tests.studies.conftest import spool

__all__ = ["keep", "spool"]

AsRole = Callable[[str], Client]
Keep = Callable[..., Instance]
UID = "2.25.1"


@pytest.fixture
def study(db: None) -> Study:
    return Study.objects.create(
        study_instance_uid=UID,
        accession_number="A 1&b",
        patient_identifier='P"1',
        last_instance_at=timezone.now(),
    )


def offered(name: str, **fields: Any) -> Launcher:
    launcher, _new = Launcher.objects.update_or_create(
        name=name, defaults={"active": True, **fields}
    )
    return launcher


def address_from(client: Client, launcher: Launcher, uid: str = UID) -> str:
    response = client.post(reverse("viewer:launch", args=[uid, launcher.pk]))
    assert response.status_code == 204
    return response["HX-Redirect"]


@pytest.mark.django_db
def test_the_usual_programs_are_there_and_none_is_offered() -> None:
    assert list(Launcher.objects.values_list("name", "active")) == [
        ("Weasis", False),
        ("OsiriX", False),
        ("Horos", False),
        ("RadiAnt", False),
    ]
    for launcher in Launcher.objects.all():
        launcher.full_clean()


def test_the_menu_of_a_study_has_what_is_offered(as_role: AsRole, study: Study) -> None:
    client, address = as_role("radiologist"), reverse("viewer:elsewhere", args=[UID])
    assert client.get(address).content.strip() == b""
    offered("Horos", position=2)
    offered("<b>Desk", template="desk://{study_uid}", position=1)
    assert re.findall(r'hx-swap="none">(.*?)</button>', client.get(address).text) == [
        "&lt;b&gt;Desk",
        "Horos",
    ]
    assert as_role("referrer").get(address).status_code == 404
    assert as_role("front-desk").get(address).status_code == 403


def test_what_stands_for_a_placeholder_is_encoded(as_role: AsRole, study: Study) -> None:
    launcher = offered("Desk", template="desk://x?a={accession}&p={patient_id}&u={dicomweb}")
    address = address_from(as_role("radiologist"), launcher)
    web = "http%3A%2F%2Ftestserver%2Fdicom-web"
    assert address == f"desk://x?a=A%201%26b&p=P1&u={web}"


def test_a_value_does_not_end_the_argument_it_stands_in() -> None:
    harmful = 'A" -u "http://evil\'`\\\n\r\t\0{token}'
    assert unquote(encoded(harmful)) == "A -u http://evil{token}"


@pytest.mark.parametrize(
    "template",
    [
        "javascript://%0aalert(1)",
        "data://x",
        "study",
        "desk://{secret}",
        "desk://{study_uid.__class__}",
        "desk://{study_uid!r}",
        "desk://{study_uid:>99}",
        "desk://{0}",
        "desk://{}",
        "desk://{study_uid",
    ],
)
def test_a_template_is_an_address_with_known_placeholders(template: str) -> None:
    with pytest.raises(ValidationError):
        Launcher(name="x", template=template).full_clean(validate_unique=False)


def test_only_offered_programs_are_called_for_visible_studies(
    as_role: AsRole, study: Study
) -> None:
    horos = Launcher.objects.get(name="Horos")
    address = reverse("viewer:launch", args=[UID, horos.pk])
    client = as_role("radiologist")
    assert client.post(address).status_code == 404
    offered("Horos")
    assert client.get(address).status_code == 405
    assert as_role("referrer").post(address).status_code == 404
    assert as_role("front-desk").post(address).status_code == 403
    assert Event.objects.filter(kind=Kind.STUDY_VIEWED).count() == 0
    assert "StudyInstanceUID&filterValue=2.25.1" in address_from(client, horos)
    assert Event.objects.get(kind=Kind.STUDY_VIEWED).study_instance_uid == UID
    assert not ApiToken.objects.exists()


def test_weasis_gets_a_token_for_a_quarter_of_an_hour(as_role: AsRole, study: Study) -> None:
    address = address_from(as_role("radiologist"), offered("Weasis"))
    command = unquote(address.removeprefix("weasis://"))
    secret = command.rpartition("Bearer ")[2].rstrip('"')
    assert command == (
        '$dicom:rs --url "http://testserver/dicom-web" -r "studyUID=2.25.1"'
        f' -H "Authorization: Bearer {secret}"'
    )
    token = ApiToken.objects.get()
    assert secret not in (token.digest, token.prefix)
    assert (token.only_study, token.scopes) == (UID, [Scope.DICOMWEB_READ])
    assert token.expires_at - timezone.now() <= datetime.timedelta(minutes=15)
    event = Event.objects.get(kind=Kind.API_TOKEN_MADE)
    assert (event.study_instance_uid, event.peer) == (UID, "radiologist")
    assert secret not in str(event.details)


def test_the_offered_programs_are_known_to_the_viewer(as_role: AsRole, study: Study) -> None:
    launcher = offered("RadiAnt")
    facts = as_role("radiologist").get("/viewer/app-config.js").text.partition("\n")[0]
    assert f'"launchers": [{{"key": {launcher.pk}, "name": "RadiAnt"}}]' in facts
    assert '"send": "/viewer/send/"' in facts
    assert '"send": ""' in as_role("resident").get("/viewer/app-config.js").text


def test_sending_leads_to_the_page_of_sending(as_role: AsRole, study: Study) -> None:
    client, address = as_role("radiologist"), reverse("viewer:send", args=[UID])
    page = client.get(address, follow=True)
    assert page.redirect_chain == [(f"/transfers/studies/?study={study.pk}", 302)]
    assert as_role("resident").get(address).status_code == 403
    assert client.get(reverse("viewer:send", args=["2.25.9"])).status_code == 404


# --- What a token for one study opens ---------------------------------------------------


@pytest.fixture
def two(keep: Keep) -> tuple[Instance, Instance]:
    return keep(ct_image()), keep(ct_image())


def program(user: User, study: Study) -> Client:
    _token, secret = make_study_token(
        user,
        name="Weasis",
        study_instance_uid=study.study_instance_uid,
        origin=Origin(protocol="test"),
    )
    return script(secret)


def uri_of(row: Instance) -> str:
    """The address of an instance by WADO-URI."""
    study, series = row.series.study.study_instance_uid, row.series.series_instance_uid
    object_uid = row.sop_instance_uid
    return f"/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={object_uid}"


def test_a_program_finds_and_reads_its_study_and_no_other(
    two: tuple[Instance, Instance],
) -> None:
    own, other = two
    client = program(make_user("radiologist"), own.series.study)
    found = client.get("/dicom-web/studies").json()
    assert [one["0020000D"]["Value"] for one in found] == [[own.series.study.study_instance_uid]]
    for level in ("series", "instances"):
        assert len(client.get(f"/dicom-web/{level}").json()) == 1
    for row, status in ((own, 200), (other, 404)):
        study, series = address_of(row).split("/series/")[0], address_of(row).split("/inst")[0]
        for address in (
            study,
            f"{study}/series",
            f"{study}/metadata",
            f"{study}/thumbnail",
            series,
            f"{series}/metadata",
            f"{series}/instances",
            address_of(row),
            f"{address_of(row)}/metadata",
            f"{address_of(row)}/frames/1",
            f"{address_of(row)}/rendered",
            f"{uri_of(row)}&contentType=application/dicom",
            f"{uri_of(row)}&contentType=image/png",
        ):
            assert client.get(address).status_code == status, address


def test_a_token_for_one_study_changes_and_exports_nothing(
    two: tuple[Instance, Instance],
) -> None:
    study = f"/dicom-web/studies/{two[0].series.study.study_instance_uid}"
    client = program(make_user("pacs-administrator"), two[0].series.study)
    assert client.delete(study).status_code == 403
    assert client.post("/dicom-web/studies").status_code == 403
    assert client.get(f"{study}/archive").status_code == 403
    for address in ("/dicom-web/workitems", "/api/v1/studies", "/api/v1/patients"):
        assert client.get(address).status_code == 403, address
    assert client.get("/studies/").status_code in (302, 403)


def test_it_ends_by_itself_and_with_the_rights_of_its_owner(
    two: tuple[Instance, Instance],
) -> None:
    user, study = make_user("radiologist"), two[0].series.study
    client = program(user, study)
    later = timezone.now() + STUDY_TOKEN_LASTS + datetime.timedelta(seconds=1)
    with time_machine.travel(later):
        assert client.get("/dicom-web/studies").status_code == 401
        program(user, study)
        assert user.api_tokens.count() == 1  # the expired one is gone
    stranger = program(make_user("referrer"), study)
    assert stranger.get("/dicom-web/studies").json() == []
    assert stranger.get(address_of(two[0])).status_code == 404


def test_tokens_for_one_study_are_not_among_ones_own(
    as_role: AsRole, two: tuple[Instance, Instance]
) -> None:
    client = as_role("radiologist")
    program(User.objects.get(username="radiologist"), two[0].series.study)
    assert b"Weasis" not in client.get(reverse("api:tokens")).content
