"""Where DICOM files are kept: a folder, or S3 through django-storages."""

from django.core.files.storage import FileSystemStorage


class DicomFileStorage(FileSystemStorage):
    """Placeholder grown by the studies room: a folder below OPENPACS_HOME."""
