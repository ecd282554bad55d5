"""The Celery application; its settings are the CELERY_ ones in settings.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")

app = Celery("openpacs")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
