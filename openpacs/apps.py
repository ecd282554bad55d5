"""The admin with our site in place of Django's."""

from django.contrib.admin.apps import AdminConfig


class OpenpacsAdminConfig(AdminConfig):
    default_site = "openpacs.admin.OpenpacsAdminSite"
