"""The Django admin as IT's desk."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class OpenpacsAdminSite(AdminSite):
    site_header = _("openpacs administration")
    site_title = _("openpacs")
    index_title = _("The department")


class OpenpacsAdminConfig(AdminConfig):
    default_site = "openpacs.admin.OpenpacsAdminSite"
