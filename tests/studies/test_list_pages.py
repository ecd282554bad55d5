"""The list of studies in the browser: fragments, saved searches, what arrives, rows opened."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import Event, Kind
from apps.dicom.names import search_form
from apps.studies.models import DefaultFilter, SavedFilter, Study
from tests.factories import (
    IssuerFactory,
    PatientFactory,
    PatientIdentifierFactory,
    make_user,
    signed_in,
)
from tests.reports.rows import make_order, make_report, make_study
from tests.studies.rows import make_instance, make_series

pytestmark = pytest.mark.django_db
LIST = reverse("studies:list")
HTMX = {"HX-Request": "true"}
NASTY = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>"
As = Callable[[str], Client]


@pytest.fixture
def keeper(as_role: As) -> Client:
    return as_role("pacs-administrator")


def text(answer: Any) -> str:
    return str(answer.content.decode())


# --- Searching as one types -------------------------------------------------------------


def test_a_search_as_one_types_answers_rows_and_its_address(keeper: Client) -> None:
    make_study(patient_identifier="P1")
    make_study(patient_identifier="X1")
    answer = keeper.get(LIST, {"number": "P1", "q": "", "date": ""}, headers=HTMX)
    assert "<html" not in text(answer)
    assert text(answer).count("data-row=") == 1
    assert "1 study" in text(answer)
    # The address says what is looked for, and nothing that is empty.
    assert answer.headers["HX-Replace-Url"] == f"{LIST}?number=P1"


def test_a_further_page_is_rows_only(keeper: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.studies.services.listing.PAGE_SIZE", 2)
    for _count in range(3):
        make_study(modalities="\\MR\\")
    page = keeper.get(LIST, {"modality": "MR"})
    address = page.context["next_address"]
    assert f'href="{address.replace("&", "&amp;")}"' in text(page)  # also without script
    further = keeper.get(address, headers=HTMX)
    assert text(further).count("data-row=") == 1
    assert "studies-count" not in text(further)
    assert keeper.get(address).context["studies"] == further.context["studies"]


def test_the_heads_of_the_columns_sort_by_indexes(keeper: Client) -> None:
    page = text(keeper.get(LIST, {"sort": "name"}))
    assert 'aria-sort="ascending"' in page
    assert 'value="-name"' in page
    assert 'value="-date"' in page


def test_a_period_is_counted_from_today(keeper: Client) -> None:
    make_study(study_date=None)
    assert keeper.get(LIST, {"date": "today"}).context["studies"] == []
    assert keeper.get(LIST, {"date": "today"}).context["page"].total == 0


@pytest.mark.parametrize("route", ["list", "arrivals"])
def test_a_search_takes_the_same_number_of_queries_for_any_length(
    route: str, keeper: Client, django_assert_max_num_queries: Any
) -> None:
    studies = [make_study(make_order()) for _count in range(12)]
    seen = [f"{one.pk}-7" for one in studies]
    keeper.get(LIST)
    with django_assert_max_num_queries(10):
        keeper.get(reverse(f"studies:{route}"), {"q": "P", "seen": seen}, headers=HTMX)


@pytest.mark.parametrize(
    "query",
    [
        {"modality": "'; DROP"},
        {"since": "x", "until": "0000-00-00"},
        {"sort": "size", "match": "x", "status": "x", "label": "x"},
        {"q": "\0", "after": "\0"},
        {"q": "x" * 200},
        {"q": "*" * 128, "number": "?" * 100},
    ],
)
def test_nonsense_never_breaks_the_list(query: dict[str, str], keeper: Client) -> None:
    make_study()
    assert keeper.get(LIST, query).status_code == 200
    assert keeper.get(LIST, query, headers=HTMX).status_code == 200
    assert keeper.get(reverse("studies:arrivals"), query).status_code in (200, 204)


def test_what_devices_send_is_text_in_every_column(keeper: Client) -> None:
    study = make_study(
        make_order(),
        patient_name=NASTY,
        patient_search_name=search_form(NASTY),
        patient_identifier=NASTY[:64],
        patient_identifier_issuer=NASTY[:64],
        patient_birth_date="<b>1</b>",
        accession_number=NASTY[:64],
        description=NASTY,
        referring_physician=NASTY,
        modalities="\\<b>\\",
        match_reason=NASTY,
    )
    series = make_series(
        study, description=NASTY, station_name=NASTY[:64], body_part=NASTY[:64], modality="<b>"
    )
    make_instance(series, sop_instance_uid="<b>")
    pages = [
        LIST,
        reverse("studies:expanded", args=[study.pk]),
        reverse("studies:instances", args=[series.pk]),
        reverse("studies:patient", args=[study.pk]),
        f"{reverse('studies:arrivals')}?seen={study.pk}-99",
        f"{reverse('studies:label-several')}?study={study.pk}",
        f"{reverse('routing:send-several')}?study={study.pk}",
        f"{LIST}?q={NASTY}&number={NASTY}&modality={NASTY}",
    ]
    for address in pages:
        page = text(keeper.get(address))
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
        assert "<b>" not in page, address


# --- Saved searches ---------------------------------------------------------------------


def test_some_searches_come_with_the_house(keeper: Client) -> None:
    page = text(keeper.get(LIST))
    for name in ("Today", "Unmatched", "Waiting for decision"):
        assert name in page


def keep(client: Client, name: str, **fields: Any) -> Any:
    given = {"name": name, "query": "modality=CT&after=5&nonsense=1", **fields}
    return client.post(reverse("studies:filter-save"), given)


def test_a_search_is_kept_for_oneself(as_role: As) -> None:
    answer = keep(as_role("radiologist"), "My CT", shared="on")
    row = SavedFilter.objects.get(name="My CT")
    assert answer.headers["Location"] == f"{LIST}?modality=CT"
    # Only what the list understands is kept, and only administrators share.
    assert (row.query, row.shared) == ("modality=CT", False)
    assert Event.objects.filter(kind=Kind.FILTER_SAVED).count() == 1
    assert "My CT" not in text(as_role("technologist").get(LIST))


def test_an_administrator_shares_a_search_with_everybody(keeper: Client, as_role: As) -> None:
    keep(keeper, "CT for all", shared="on")
    assert "CT for all" in text(as_role("radiologist").get(LIST))


def test_a_name_is_given_once(keeper: Client) -> None:
    keep(keeper, "Mine")
    answer = keeper.post(
        reverse("studies:filter-save"), {"name": "Mine", "query": "q=x"}, follow=True
    )
    assert "You have a search of this name already." in text(answer)
    assert SavedFilter.objects.filter(name="Mine").count() == 1


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"name": "x" * 41}, {"query": "q=" + "x" * 1000}, {"query": ""}]
)
def test_what_cannot_be_kept_is_told(given: dict[str, str], keeper: Client) -> None:
    fields = {"name": "Mine", "query": "q=x", **given}
    answer = keeper.post(reverse("studies:filter-save"), fields, follow=True)
    assert 'class="notice' in text(answer)
    assert not SavedFilter.objects.filter(name="Mine", owner__isnull=False).exists()


def test_the_list_begins_with_the_search_one_chose(keeper: Client) -> None:
    row = SavedFilter.objects.get(name="Unmatched")
    keeper.post(reverse("studies:filter-choose", args=[row.pk]))
    assert keeper.get(LIST).headers["Location"] == f"{LIST}?match=unmatched"
    assert keeper.get(LIST, {"all": "1"}).status_code == 200
    keeper.post(reverse("studies:filter-choose-none"))
    assert keeper.get(LIST).status_code == 200


def test_who_forgets_a_search(keeper: Client, as_role: As) -> None:
    keep(keeper, "Shared", shared="on")
    row = SavedFilter.objects.get(name="Shared")
    radiologist = as_role("radiologist")
    radiologist.post(reverse("studies:filter-choose", args=[row.pk]))
    radiologist.post(reverse("studies:filter-remove", args=[row.pk]))
    assert SavedFilter.objects.filter(pk=row.pk).exists()
    keeper.post(reverse("studies:filter-remove", args=[row.pk]))
    assert not SavedFilter.objects.filter(pk=row.pk).exists()
    assert not DefaultFilter.objects.exists()


def test_a_foreign_search_is_not_found(keeper: Client, as_role: As) -> None:
    keep(as_role("radiologist"), "Private")
    row = SavedFilter.objects.get(name="Private")
    for verb in ("choose", "remove"):
        answer = keeper.post(reverse(f"studies:filter-{verb}", args=[row.pk]))
        assert answer.status_code == 404


# --- What arrives -----------------------------------------------------------------------


def ask(client: Client, *seen: str, **asked: Any) -> Any:
    return client.get(reverse("studies:arrivals"), {"seen": seen, **asked}, headers=HTMX)


def test_nothing_new_costs_nothing(keeper: Client) -> None:
    study = make_study(revision=3)
    assert ask(keeper, f"{study.pk}-3", newest=study.pk).status_code == 204


def test_new_studies_are_counted_once_they_are_told(keeper: Client) -> None:
    old = make_study()
    make_study(modalities="\\CT\\")
    make_study(modalities="\\MR\\")
    assert "2 new studies: show" in text(ask(keeper, newest=old.pk))
    assert "1 new study: show" in text(ask(keeper, newest=old.pk, modality="MR"))
    assert ask(keeper, newest=old.pk, told="2").status_code == 204


def test_a_study_that_grew_is_put_in_place_of_its_row(keeper: Client) -> None:
    study, other = make_study(revision=3, instance_count=70), make_study(revision=1)
    answer = text(ask(keeper, f"{study.pk}-2", f"{other.pk}-1", newest=other.pk))
    assert f'id="row-{study.pk}"' in answer
    assert "hx-swap-oob" in answer
    assert f'id="row-{other.pk}"' not in answer


@pytest.mark.parametrize("seen", ["x", "1-", "-1", f"{'9' * 30}-1", "²-²", "1-2-3"])
def test_a_row_that_is_none_is_passed_over(seen: str, keeper: Client) -> None:
    assert ask(keeper, seen, newest="x", told="-1").status_code in (200, 204)


# --- Rows that open in place, and the patient ---------------------------------------------


def test_a_row_opens_with_its_series_and_is_journalled(keeper: Client) -> None:
    order = make_order()
    study = make_study(order)
    series = make_series(study, description="Lung 1mm", station_name="CT7")
    instance = make_instance(series)
    page = text(keeper.get(reverse("studies:expanded", args=[study.pk])))
    for said in ("Lung 1mm", "CT7", reverse("studies:tags", args=[instance.pk])):
        assert said in page
    assert f"/series/{series.series_instance_uid}/thumbnail" in page
    assert 'loading="lazy"' in page
    assert reverse("orders:detail", args=[order.pk]) in page
    assert Event.objects.filter(kind=Kind.STUDY_VIEWED).count() == 1


def test_opening_a_row_takes_the_same_number_of_queries_for_any_number_of_series(
    keeper: Client, django_assert_max_num_queries: Any
) -> None:
    study = make_study(make_order())
    for _count in range(15):
        make_instance(make_series(study))
    keeper.get(reverse("studies:expanded", args=[study.pk]))
    with django_assert_max_num_queries(12):
        keeper.get(reverse("studies:expanded", args=[study.pk]))


def test_the_images_of_a_series_come_in_pages(keeper: Client) -> None:
    series = make_series(make_study())
    for _count in range(30):
        make_instance(series)
    address = reverse("studies:instances", args=[series.pk])
    first, second = text(keeper.get(address)), text(keeper.get(address, {"page": 2}))
    assert "24 of 30" in first
    assert second.count("data-thumbnail") == 6


def test_all_studies_of_a_patient_by_number_and_by_match(keeper: Client) -> None:
    number = PatientIdentifierFactory.create(value="P7", issuer=IssuerFactory(namespace="A"))
    former = PatientFactory.create(status="merged", merged_into=number.patient)
    given: dict[str, Any] = {"patient_identifier": "P7", "patient_identifier_issuer": "A"}
    first = make_study(patient=number.patient, description="By match", **given)
    make_study(patient=former, patient_identifier="R1", description="Before the merge")
    make_study(**given, description="Same number and issuer", patient_name="Other^Name")
    make_study(**{**given, "patient_identifier_issuer": "B"}, description="Other issuer")
    make_study(**given, description="Not settled", match=Study.Match.CONFLICT)
    make_study(patient_identifier="P70", description="Somebody else")
    answer = keeper.get(reverse("studies:patient", args=[first.pk]))
    shown = {one.description for one in answer.context["studies"]}
    assert shown == {"By match", "Before the merge", "Same number and issuer"}
    others = {one.description for one in answer.context["namesakes"]}
    assert others == {"Other issuer", "Not settled"}
    assert "do not all say the same of the patient" in text(answer)
    assert "Somebody else" not in text(answer)


def test_the_studies_of_a_patient_take_as_many_queries_for_any_number_of_them(
    keeper: Client, django_assert_max_num_queries: Any
) -> None:
    number = PatientIdentifierFactory.create()
    studies = [make_study(patient=number.patient) for _count in range(12)]
    address = reverse("studies:patient", args=[studies[0].pk])
    keeper.get(address)
    with django_assert_max_num_queries(13):
        keeper.get(address)


def test_a_study_without_number_and_patient_stands_alone(keeper: Client) -> None:
    study = make_study()
    make_study()
    answer = keeper.get(reverse("studies:patient", args=[study.pk]))
    assert answer.context["studies"] == [study]


def test_reports_are_told_beside_the_studies(as_role: As) -> None:
    order = make_order()
    study, other = make_study(order), make_study(make_order())
    make_report(order)
    answer = text(
        as_role("radiologist").get(
            reverse("reports:study-states"), {"study": [str(study.pk), str(other.pk), "x"]}
        )
    )
    assert f'id="report-of-{study.pk}"' in answer
    assert "Unread" in answer
    assert f'id="report-of-{other.pk}"' not in answer


@pytest.mark.parametrize("route", ["expanded", "patient"])
def test_foreign_studies_are_not_found(route: str, as_role: As) -> None:
    study = make_study(make_order())
    address = reverse(f"studies:{route}", args=[study.pk])
    assert as_role("referrer").get(address).status_code == 404
    assert as_role("front-desk").get(address).status_code == 403


# --- Several at once ----------------------------------------------------------------------


def test_several_studies_are_labelled_and_each_is_told(keeper: Client) -> None:
    studies = [make_study() for _count in range(3)]
    keys = [one.pk for one in studies]
    address = reverse("studies:label-several")
    assert "Label 3 studies" in text(keeper.get(address, {"study": keys}))
    given = {"study": [*keys, 999_999, "x"], "name": "Teaching", "verb": "hang"}
    answer = keeper.post(address, given)
    assert [one.done for one in answer.context["results"]] == [True] * 3
    assert "2 studies are not there any more" in text(answer)
    assert Study.objects.filter(labels__name="Teaching").count() == 3
    off = keeper.post(address, {"study": keys[:1], "name": "teaching", "verb": "take-off"})
    assert "The label is off." in text(off)
    assert Study.objects.filter(labels__name="Teaching").count() == 2


@pytest.mark.parametrize("name", ["", "a/b", "x" * 65])
def test_a_label_that_is_none_is_told(name: str, keeper: Client) -> None:
    given = {"study": [make_study().pk], "name": name, "verb": "hang"}
    assert keeper.post(reverse("studies:label-several"), given).status_code == 422


@pytest.mark.parametrize(
    ("role", "code"),
    [("technologist", 200), ("pacs-administrator", 200), ("radiologist", 403), ("referrer", 403)],
)
def test_who_labels_studies(role: str, code: int, as_role: As) -> None:
    assert as_role(role).get(reverse("studies:label-several")).status_code == code


def test_what_a_user_may_not_do_is_not_offered(as_role: As) -> None:
    make_study()
    page = text(as_role("technologist").get(LIST))
    assert reverse("studies:label-several") in page
    assert reverse("routing:send-several") not in page


def test_a_user_sees_own_rights_only(as_role: As) -> None:
    user = make_user("auditor")
    client = signed_in(user)
    for route in ("arrivals", "list"):
        assert client.get(reverse(f"studies:{route}")).status_code == 403
