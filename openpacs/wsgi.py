"""The WSGI door that granian serves."""

import gc
import os
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from openpacs.forwarded import Application, believing
from openpacs.pieces import in_one_piece

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")

application: Application = in_one_piece(get_wsgi_application())
short_way: Any = import_module("apps.dicomweb.short_way")  # it needs Django set up
application = short_way.ShortWay(application)
if settings.OPENPACS_TRUSTED_PROXIES:
    # Behind a front the journal wants the address of the person, which only the front knows.
    application = believing(application, settings.OPENPACS_TRUSTED_PROXIES)

# Everything is loaded now, not at the first request, and no collection looks at it again: that
# would hold up an answer for a tenth of a second.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
