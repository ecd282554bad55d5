"""The Celery application; its settings are the CELERY_ ones in settings.py."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")

TRANSPORT_ALIASES["folder"] = "openpacs.broker:Transport"

app = Celery("openpacs")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
