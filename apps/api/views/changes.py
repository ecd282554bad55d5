"""What has happened since, and what this installation is."""

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import visible
from apps.api import examples
from apps.api.operations import operation
from apps.api.requests import read
from apps.api.shapes.reports import ChangesQuery, ChangesShape, SystemShape
from apps.api.views.door import Door
from apps.audit.feed import await_changes, last_position
from apps.orders.models import Order
from apps.patients.models import Patient
from apps.routing.models import Transfer
from apps.studies.models import Instance, Study

COUNTED = {
    "patients": Patient,
    "orders": Order,
    "studies": Study,
    "instances": Instance,
    "transfers": Transfer,
}
COUNTS_KEPT = 60  # seconds


class Changes(Door):
    @operation(
        "follow_changes",
        tag="changes",
        summary="Follow what happens",
        words=(
            "The journal in the order in which its rows were sealed, some seconds after they "
            "were written. Begin with `since=0`, or with the `last` of an answer without "
            "`since`; then ask with the `last` of the answer before. Nothing is left out and "
            "nothing comes twice. No names, only keys and UIDs. With `wait` an answer that would "
            "be empty waits for something to tell; where too many wait already it comes at once."
        ),
        scope=Scope.API_READ,
        right="view the journal",
        query=ChangesQuery,
        answer=ChangesShape,
        example={"results": [examples.CHANGE], "last": 4711, "more": False},
    )
    def get(self, request: Request) -> Response:
        asked = read(ChangesQuery, request.query_params)
        since = asked.get("since")
        if since is None:
            return Response({"results": [], "last": last_position(), "more": False})
        found = await_changes(
            since, limit=asked["limit"], kinds=sorted(asked["kind"]), seconds=asked["wait"]
        )
        return Response(ChangesShape(found).data)


class System(Door):
    @operation(
        "read_system",
        tag="system",
        summary="What this installation is, and how much it holds",
        scope=Scope.API_READ,
        right="any login",
        answer=SystemShape,
        example=examples.SYSTEM,
    )
    def get(self, request: Request) -> Response:
        told = {
            "name": settings.OPENPACS_SITE_NAME,
            "version": settings.OPENPACS_VERSION,
            "ae_title": settings.OPENPACS_AE_TITLE,
            "time": timezone.now(),
            "user": self.user.username,
            "counts": self._counts(),
        }
        return Response(SystemShape(told).data)

    def _counts(self) -> dict[str, int]:
        def count() -> dict[str, int]:
            return {name: visible(self.user, model).count() for name, model in COUNTED.items()}

        counts: Any = cache.get_or_set(f"api-counts-{self.user.pk}", count, COUNTS_KEPT)
        return dict(counts)
