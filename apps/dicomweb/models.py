"""What DICOMweb keeps made: the metadata of series, as they are sent."""

from django.db import models

from apps.accounts.policy import Noun
from apps.studies.models import Series


class SeriesMetadata(models.Model):
    """The DICOM JSON of a series in one state of it, a copy that may be thrown away.

    In the database rather than in a folder: every process of every machine finds it, it goes
    with its series, and a database that was rebuilt cannot find that of another one.
    """

    policy_noun = Noun.STUDY

    series = models.OneToOneField(
        Series, on_delete=models.CASCADE, primary_key=True, related_name="metadata"
    )
    state = models.CharField(max_length=64)  # of the series it was made of, see `metadata.state`
    body = models.BinaryField()  # a JSON array, gzip

    def __str__(self) -> str:
        return self.state
