"""A radiology department: RIS and PACS in one Django project."""

from openpacs.celery import app as celery_app

__all__ = ["__version__", "celery_app"]
__version__ = "0.1.0"
