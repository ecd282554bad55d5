"""The ASGI door that granian serves beside the web server: WebSockets alone."""

import os
from importlib import import_module
from typing import Any

import django
from django.conf import settings
from granian.utils.proxies import wrap_asgi_with_proxy_headers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")
django.setup()

application: Any = import_module("apps.dicomweb.sockets").application
if settings.OPENPACS_TRUSTED_PROXIES:
    application = wrap_asgi_with_proxy_headers(
        application, trusted_hosts=settings.OPENPACS_TRUSTED_PROXIES
    )
