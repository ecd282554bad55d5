"""The front door: which room answers which path."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.accounts.access import public, signed_in
from apps.accounts.views import home
from apps.dicomweb.urls import nowhere, wado_uri
from openpacs.health_page import health

urlpatterns: list[URLPattern | URLResolver] = [
    # First what is asked for a thousand times: addresses are tried one after the other.
    path("dicom-web/", include("apps.dicomweb.urls")),
    *nowhere,
    path("", signed_in(home), name="home"),
    path("account/", include("apps.accounts.urls")),
    path("admin/", admin.site.urls),
    path("health/", public(health)),
    path("patients/", include("apps.patients.urls")),
    path("orders/", include("apps.orders.urls")),
    path("worklist/", include("apps.worklist.urls")),
    path("viewer/", include("apps.viewer.urls")),
    path("volview/", include("apps.viewer.workstation_urls")),
    wado_uri,
    path("studies/", include("apps.studies.urls")),
    path("exports/", include("apps.exports.urls")),
    path("quality/", include("apps.quality.urls")),
    path("reports/", include("apps.reports.urls")),
    path("archives/", include("apps.dimse.urls")),
    path("transfers/", include("apps.routing.urls")),
    path("", include("apps.api.urls")),
    path("", include("apps.site.urls")),
]
