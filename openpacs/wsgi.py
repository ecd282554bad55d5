"""The WSGI door that granian serves."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from openpacs.forwarded import Application, believing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")

application: Application = get_wsgi_application()
if settings.OPENPACS_TRUSTED_PROXIES:
    # Behind a front the journal wants the address of the person, which only the front knows.
    application = believing(application, settings.OPENPACS_TRUSTED_PROXIES)
