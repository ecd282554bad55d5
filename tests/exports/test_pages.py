"""The pages of exports: by role, own exports only, in few queries."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Role, User
from apps.accounts.policy import Action, Noun, can
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.exports.models import Export, Profile
from apps.exports.services import release_export
from apps.studies.models import Study
from tests.dicom.objects import ct_image
from tests.exports.conftest import Ask, MakeStudy, made, store
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
As = Callable[[str], Client]
LIST_QUERIES = 7  # session, user, roles, count, page


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study(2)


@pytest.fixture
def rita(radiologist: User) -> Client:
    """The browser of the radiologist who asks for exports."""
    return signed_in(radiologist)


def page(name: str, *keys: int) -> str:
    return reverse(f"exports:{name}", args=keys)


@pytest.mark.parametrize("role", Role.values)
def test_who_may_export(as_role: As, study: Study, role: str) -> None:
    client, user = as_role(role), User.objects.get(username=role)
    answer = client.post(page("new"), {"study": study.pk, "kind": "zip"})
    assert (answer.status_code == 302) == can(user, Action.EXPORT, Noun.STUDY)
    assert Export.objects.exists() == can(user, Action.EXPORT, Noun.STUDY)


def test_chosen_studies_come_to_the_form_and_the_form_makes_the_export(
    rita: Client, make_study: MakeStudy, study: Study
) -> None:
    other = make_study(1)
    keys = [study.pk, other.pk]
    form = rita.post(page("new"), {"study": keys})
    assert form.status_code == 200
    assert "2 studies" in form.text
    assert "3 images" in form.text
    done = rita.post(page("new"), {"study": keys, "kind": "zip", "viewer": "on"})
    export = Export.objects.get()
    assert done.headers["Location"] == page("detail", export.pk)
    assert set(export.studies.values_list("pk", flat=True)) == set(keys)
    assert export.options == {"viewer": True}


def test_studies_that_one_may_not_see_are_not_there(rita: Client, study: Study) -> None:
    assert rita.get(page("new"), {"study": [study.pk, 999]}).status_code == 404
    assert rita.get(page("new"), {"study": "x"}).status_code == 404
    assert rita.get(page("new")).headers["Location"] == reverse("studies:list")


def test_a_form_with_mistakes_comes_back(rita: Client, study: Study) -> None:
    Profile.objects.all().delete()
    answer = rita.post(page("new"), {"study": study.pk, "kind": "anonymised"})
    assert answer.status_code == 422
    assert "Choose a profile" in answer.text
    assert rita.post(page("new"), {"study": study.pk, "kind": "x"}).status_code == 422


def test_an_export_is_its_owners_and_the_pacs_administrators(
    as_role: As, rita: Client, ask: Ask, study: Study
) -> None:
    export = made(ask(study))
    assert rita.get(page("detail", export.pk)).status_code == 200
    file: Any = as_role("pacs-administrator").get(page("download", export.pk))
    assert len(b"".join(file.streaming_content)) == export.size
    stranger = as_role("radiologist")
    for name in ("detail", "download", "progress"):
        assert stranger.get(page(name, export.pk)).status_code == 404, name
    assert stranger.post(page("delete", export.pk)).status_code == 404
    assert export.get_kind_display() not in stranger.get(page("list")).text


def test_the_file_is_downloaded_and_that_is_journalled(
    rita: Client, ask: Ask, study: Study
) -> None:
    export = made(ask(study))
    answer: Any = rita.get(page("download", export.pk))
    assert len(b"".join(answer.streaming_content)) == export.size
    assert answer.headers["Content-Disposition"] == f'attachment; filename="zip-{export.pk}.zip"'
    assert answer.headers["Content-Length"] == str(export.size)
    assert "no-store" in answer.headers["Cache-Control"]
    row = Event.objects.get(kind=Kind.EXPORT_DOWNLOADED)
    assert (row.user, row.details["size"]) == (export.user, export.size)


def test_nothing_is_downloaded_before_it_is_ready_or_when_its_time_is_over(
    rita: Client, ask: Ask, study: Study
) -> None:
    export = ask(study)
    assert rita.get(page("download", export.pk)).status_code == 404
    made(export)
    Export.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert rita.get(page("download", export.pk)).status_code == 404
    Export.objects.update(expires_at=timezone.now() + datetime.timedelta(days=1))
    export.path.unlink()
    assert rita.get(page("download", export.pk)).status_code == 404


def test_progress_asks_for_itself_until_it_is_done(rita: Client, ask: Ask, study: Study) -> None:
    export = ask(study)
    part = rita.get(page("progress", export.pk))
    assert "hx-trigger" in part.text
    assert "0 %" in part.text
    made(export)
    part = rita.get(page("progress", export.pk))
    assert "hx-trigger" not in part.text
    assert part.headers["HX-Refresh"] == "true"


def test_a_full_disk_is_told(rita: Client, study: Study, settings: Any) -> None:
    settings.OPENPACS_DISK_LOW = 1 << 60
    answer = rita.post(page("new"), {"study": study.pk, "kind": "zip"})
    assert answer.status_code == 409
    assert "no room for this export" in answer.text


def test_the_list_asks_the_database_as_often_for_many_as_for_one(
    rita: Client, ask: Ask, make_study: MakeStudy, study: Study
) -> None:
    ask(study)
    rita.get(page("list"))
    with CaptureQueriesContext(connection) as few:
        rita.get(page("list"))
    for _number in range(4):
        made(ask(make_study(1), study))
    with CaptureQueriesContext(connection) as many:
        assert rita.get(page("list")).status_code == 200
    assert len(few) == len(many) <= LIST_QUERIES


def test_held_objects_are_shown_decided_on_and_released(
    rita: Client, ask: Ask, make_study: MakeStudy
) -> None:
    export = made(ask(make_study(2, Modality="US"), kind="anonymised"))
    first, second = export.held.all()
    shown = rita.get(page("detail", export.pk)).text
    assert "2 objects are held back" in shown
    assert page("picture", export.pk, first.instance_id) in shown
    assert rita.get(page("picture", export.pk, first.instance_id)).content[:2] == b"\xff\xd8"
    assert rita.get(page("picture", export.pk, first.instance_id) + "?frame=2").status_code == 404
    form = {"held": [first.pk, second.pk], f"{first.pk}-decision": "taken"}
    rita.post(page("decide", export.pk), {**form, f"{first.pk}-regions": "0 0 3 2; 1 1 1 1"})
    first.refresh_from_db()
    assert (first.decision, first.regions) == ("taken", [[0, 0, 3, 2], [1, 1, 1, 1]])
    refused = rita.post(page("release", export.pk), follow=True)
    assert "Decide on every held image first." in refused.text
    rita.post(page("decide", export.pk), {"held": second.pk, "all": "left-out"})
    rita.post(page("release", export.pk))
    assert made(export).status == "done"
    assert export.left_out_count == 1
    decided = Event.objects.filter(kind=Kind.EXPORT_DECIDED)
    assert [row.details["left_out"] for row in decided.order_by("id")] == [0, 1]


def test_a_held_report_can_be_read_before_it_is_decided_on(rita: Client, ask: Ask) -> None:
    report = ct_image(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", Rows=None)
    for name in ("PixelData", "Columns"):
        del report[name]
    export = made(ask(store(report), kind="anonymised"))
    (row,) = export.held.all()
    shown = rita.get(page("detail", export.pk)).text
    series = row.instance.series
    address = reverse(
        "dicomweb:rendered",
        args=[
            series.study.study_instance_uid,
            series.series_instance_uid,
            row.instance.sop_instance_uid,
        ],
    )
    assert f'href="{address}"' in shown
    assert "Blank these regions" not in shown


@pytest.mark.parametrize("regions", ["x", "1 2 3", "1 2 3 -4", "1 2 3 4; 5"])
def test_regions_that_are_none_come_back(
    rita: Client, ask: Ask, make_study: MakeStudy, regions: str
) -> None:
    export = made(ask(make_study(1, Modality="US"), kind="anonymised"))
    (row,) = export.held.all()
    form = {"held": row.pk, f"{row.pk}-decision": "taken", f"{row.pk}-regions": regions}
    answer = rita.post(page("decide", export.pk), form)
    assert answer.status_code == 422
    assert "four numbers for each region" in answer.text


def test_the_preview_is_escaped_and_says_why(rita: Client, ask: Ask, make_study: MakeStudy) -> None:
    study = make_study(1, StudyDescription="<b>Chest</b>")
    export = made(ask(study, kind="anonymised"))
    row = study.series.get().instances.get()
    text = rita.get(page("preview", export.pk, row.pk)).text
    assert "&lt;b&gt;Chest&lt;/b&gt;" in text
    assert "It may name somebody: removed" in text
    other = make_study(1)
    foreign = other.series.get().instances.get()
    assert rita.get(page("preview", export.pk, foreign.pk)).status_code == 404
    assert rita.get(page("picture", export.pk, foreign.pk)).status_code == 404


def test_codes_are_for_few_and_looking_is_journalled(
    as_role: As, rita: Client, ask: Ask, study: Study, origin: Origin
) -> None:
    export = made(ask(study, kind="anonymised"))
    release_export(export, origin=origin)
    made(export)
    assert rita.get(page("codes", export.pk)).status_code == 403
    text = as_role("pacs-administrator").get(page("codes", export.pk)).text
    assert "P0000001" in text
    assert export.pseudonyms.get().code in text
    assert Event.objects.filter(kind=Kind.CODES_VIEWED).count() == 1


def test_a_profile_is_made_with_options_that_go_together(rita: Client) -> None:
    url = page("profiles")
    assert "Nothing beyond the Basic Profile" in rita.get(url).text
    both = {
        "name": "X",
        "options": ["retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"],
    }
    assert rita.post(url, both).status_code == 422
    one = {"name": "Research", "options": ["retain_patient_characteristics"]}
    assert rita.post(url, one).status_code == 302
    assert rita.post(url, one).status_code == 422
    profile = Profile.objects.get(name="Research")
    assert (profile.options, len(profile.secret)) == (["retain_patient_characteristics"], 64)
    assert Event.objects.filter(kind=Kind.EXPORT_PROFILE_MADE).count() == 1


def test_an_export_is_deleted_by_its_owner(rita: Client, ask: Ask, study: Study) -> None:
    export = made(ask(study))
    rita.post(page("delete", export.pk))
    export.refresh_from_db()
    assert export.status == "expired"
    again = rita.post(page("delete", export.pk), follow=True)
    assert "deleted already" in again.text
