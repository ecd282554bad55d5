"""What the viewer asks about the study that it shows."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.orders.models import Referrer
from apps.studies.models import Study
from tests.factories import PatientFactory, ReferrerFactory, make_user
from tests.reports.rows import make_order, make_report, make_study, sign
from tests.studies.rows import make_series

AsRole = Callable[[str], Client]
pytestmark = pytest.mark.django_db


def about(client: Client, study: Study) -> dict[str, str]:
    response = client.get(reverse("viewer:about", args=[study.study_instance_uid]))
    assert "no-store" in response["Cache-Control"]
    found: dict[str, str] = response.json()
    return found


def test_the_identity_is_word_for_word_that_of_the_report(as_role: AsRole) -> None:
    order = make_order()
    study, report = make_study(order, patient_name="SENT^OTHERWISE"), make_report(order)
    client = as_role("radiologist")
    line = about(client, study)["identity"].strip()
    page = client.get(reverse("reports:edit", args=[report.pk])).content.decode()
    assert line in page
    assert order.patient.display_name in line
    assert order.accession_number in line


def test_a_study_of_nobody_we_know_says_what_its_headers_say(as_role: AsRole) -> None:
    study = make_study(patient_name="Doe^<b>Jane", patient_identifier="S1", patient_sex="F")
    said = about(as_role("radiologist"), study)
    assert "Doe &lt;b&gt;Jane" in said["identity"]
    assert "S1" in said["identity"]
    assert "Female" in said["identity"]
    assert said["report"] == ""


def test_the_report_of_a_study_is_the_one_still_to_be_written(as_role: AsRole) -> None:
    first, second = make_order(), make_order()
    study = make_study(second)
    study.procedures.add(*first.procedures.all())
    waiting, signed = make_report(first), make_report(second)
    sign(signed, make_user("radiologist", username="bob"))
    assert about(as_role("radiologist"), study)["report"].endswith(f"/{waiting.pk}/")
    assert about(as_role("technologist"), study)["report"] == ""


def test_priors_come_in_order_with_the_state_of_their_reports(as_role: AsRole) -> None:
    order = make_order()
    now, knee = make_study(order), make_study(patient=order.patient, description="Knee")
    make_series(knee, body_part="KNEE")
    before = make_order(patient=order.patient)
    chest = make_study(before, description="Chest")
    sign(make_report(before), make_user("radiologist", username="bob"))
    url = reverse("viewer:priors", args=[now.study_instance_uid])
    rows = as_role("radiologist").get(url).json()["priors"]
    assert [row["study"] for row in rows] == [chest.study_instance_uid, knee.study_instance_uid]
    assert [row["relevant"] for row in rows] == [True, False]
    assert [row["report"] for row in rows] == ["Final", ""]


def test_a_referrer_is_told_of_own_studies_only(as_role: AsRole) -> None:
    client = as_role("referrer")
    doctor: Referrer = ReferrerFactory.create(user=User.objects.get(username="referrer"))
    patient = PatientFactory.create()
    own = make_study(make_order(patient=patient, referrer=doctor))
    mine = make_study(make_order(patient=patient, referrer=doctor))
    foreign = make_study(make_order(patient=patient))
    rows = client.get(reverse("viewer:priors", args=[own.study_instance_uid])).json()["priors"]
    assert [row["study"] for row in rows] == [mine.study_instance_uid]
    for name in ("about", "priors"):
        url = reverse(f"viewer:{name}", args=[foreign.study_instance_uid])
        assert client.get(url).status_code == 404
    both = [own.study_instance_uid, foreign.study_instance_uid]
    assert client.get(reverse("viewer:compare", args=both)).status_code == 404
    assert client.get(reverse("viewer:next")).status_code == 403


def test_comparing_opens_both_side_by_side(as_role: AsRole) -> None:
    now, prior = make_study(), make_study()
    both = [now.study_instance_uid, prior.study_instance_uid]
    response = as_role("radiologist").get(reverse("viewer:compare", args=both))
    assert f"StudyInstanceUIDs={both[0]}%2C{both[1]}" in response["Location"]
    assert "hangingProtocolId=openpacs-compare" in response["Location"]


def test_the_next_exam_has_images_and_is_not_claimed(as_role: AsRole) -> None:
    client, url = as_role("radiologist"), reverse("viewer:next")
    order, later = make_order(), make_order(modality="MR")
    first, last = make_study(order), make_study(later)
    make_report(order)
    make_report()  # without images
    report = make_report(later)
    after = {"after": first.study_instance_uid}
    assert client.get(url, after).json() == {"studies": [last.study_instance_uid]}
    assert client.get(url, {**after, "modality": "CT"}).json() == {"studies": []}
    assert client.get(url).json() == {"studies": [first.study_instance_uid]}
    for strange in ("2.25.404", "nonsense", "\x00"):
        assert client.get(url, {"after": strange}).status_code == 404
    report.refresh_from_db()
    assert report.claimed_by is None


def test_the_front_desk_is_told_nothing(as_role: AsRole) -> None:
    study, client = make_study(), as_role("front-desk")
    for name in ("about", "priors"):
        url = reverse(f"viewer:{name}", args=[study.study_instance_uid])
        assert client.get(url).status_code == 403
