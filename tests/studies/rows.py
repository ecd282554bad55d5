"""Rows that the tests of the studies page share."""

from typing import Any

from apps.studies.models import Instance, Series, Study


def make_series(study: Study, **fields: Any) -> Series:
    number = Series.objects.count() + 1
    given = {"series_instance_uid": f"2.25.8{number:06}", "modality": "CT", "number": number}
    return Series.objects.create(study=study, **{**given, **fields})


def make_instance(series: Series, **fields: Any) -> Instance:
    """A row without a file: for pages that look at the index only."""
    number = Instance.objects.count() + 1
    given = {
        "sop_instance_uid": f"2.25.7{number:06}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "number": number,
        "file_name": f"none/{number}.dcm",
        "size": 1,
        "sha256": "",
        "header": b"",
        **fields,
    }
    return Instance.objects.create(series=series, **given)
