"""Work items in the back office: looked at, never typed in."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.services import Origin
from apps.workitems import services
from tests.workitems.samples import KEY, planned

pytestmark = pytest.mark.django_db
BY = Origin(protocol="test")


@pytest.mark.parametrize("name", ["workitem", "subscription", "workitemevent"])
def test_rows_are_shown_and_cannot_be_changed(as_role: Callable[[str], Client], name: str) -> None:
    row = services.create_workitem(planned(), origin=BY).workitem
    services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)
    services.subscribe(row, "AI1", origin=BY)
    client = as_role("pacs-administrator")
    page = client.get(reverse(f"admin:workitems_{name}_changelist"))
    assert page.status_code == 200
    shown = page.context["cl"].result_list[0]
    one = client.get(reverse(f"admin:workitems_{name}_change", args=[shown.pk]))
    row.refresh_from_db()
    assert one.status_code == 200
    assert row.transaction_digest not in one.content.decode()
    assert client.get(reverse(f"admin:workitems_{name}_add")).status_code == 403
    assert client.post(one.request["PATH_INFO"], {"state": "COMPLETED"}).status_code == 403
