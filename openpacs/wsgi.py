"""The WSGI door that granian serves."""

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from openpacs.forwarded import Application, believing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")

application: Application = get_wsgi_application()
if settings.OPENPACS_TRUSTED_PROXIES:
    # Behind a front the journal wants the address of the person, which only the front knows.
    application = believing(application, settings.OPENPACS_TRUSTED_PROXIES)

# Everything is loaded now, not at the first request, and no collection looks at it again: that
# would hold up an answer for a tenth of a second.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
