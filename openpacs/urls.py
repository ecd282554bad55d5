"""The front door: which room answers which path."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from apps.accounts.access import public
from openpacs.health import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("health/", public(health)),
]
