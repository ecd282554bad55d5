"""What the database refuses is told to people in plain words."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import models
from django.test import Client

from apps.audit.services import Origin
from apps.orders.models import Procedure
from apps.site.configuration.problems import SiteFileError
from apps.site.services import import_site

CONSTRAINTS = [
    constraint
    for model in apps.get_models()
    if model.__module__.startswith("apps.")
    for constraint in model._meta.constraints
]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda one: one.name)
def test_every_constraint_says_what_it_wants(constraint: models.BaseConstraint) -> None:
    said = str(constraint.violation_error_message)
    assert said != str(models.BaseConstraint.default_violation_error_message)
    assert constraint.name not in said
    assert said.endswith(".")


@pytest.mark.django_db
def test_the_site_file_is_answered_in_these_words(origin: Origin) -> None:
    text = """\
version: 1
procedures:
  - {code: A, meaning: CT of the head, modality: CT, duration_minutes: 0}
devices:
  - {ae_title: CT1, name: Scanner, check_address: yes}
rooms:
  - name: CT 1
    modality: CT
    opening_hours:
      - {weekday: monday, opens: 12:00, closes: 08:00}
"""
    with pytest.raises(SiteFileError) as refused:
        import_site(text, origin=origin)
    told = {problem.line: problem.message for problem in refused.value.problems}
    assert told == {
        3: "A procedure takes at least one minute.",
        5: "A device whose address is checked needs a host.",
        10: "A room closes later than it opens.",
    }


@pytest.mark.django_db
def test_a_form_of_the_back_office_is_answered_in_these_words(
    as_role: Callable[[str], Client],
) -> None:
    Procedure.objects.create(code="A", scheme="99OPACS", meaning="CT", modality="CT")
    again = {"code": "A", "scheme": "99OPACS", "meaning": "CT", "modality": "CT"}
    page = as_role("pacs-administrator").post(
        "/admin/orders/procedure/add/", {**again, "duration_minutes": "15"}
    )
    assert "There is a procedure with this code in this scheme already." in page.text
