"""WADO-RS asked by a client that is not ours, over a real connection."""

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import JPEGLSLossless

from apps.studies.models import Instance
from tests.dicomweb.conftest import Keep
from tests.dicomweb.test_bulk import document
from tests.dicomweb.test_search_clients import cookies, library, url
from tests.dicomweb.test_transcoded import compressed, image

__all__ = ["cookies", "library", "url"]
pytestmark = pytest.mark.django_db(transaction=True)


def uids(row: Instance) -> tuple[str, str, str]:
    series = row.series
    return (
        series.study.study_instance_uid,
        series.series_instance_uid,
        row.sop_instance_uid,
    )


def test_objects_frames_and_metadata_are_retrieved(library: DICOMwebClient, keep: Keep) -> None:
    source = image(3)
    study, series, instance = uids(keep(source))
    (described,) = library.retrieve_series_metadata(study, series)
    assert described["00280008"]["Value"] == [3]
    assert library.retrieve_study_metadata(study) == [described]
    assert library.retrieve_instance_metadata(study, series, instance) == described
    found = library.retrieve_instance(study, series, instance)
    assert found.PixelData == source.PixelData
    assert [one.SOPInstanceUID for one in library.retrieve_study(study)] == [instance]
    assert [one.SOPInstanceUID for one in library.retrieve_series(study, series)] == [instance]
    size = len(source.PixelData) // 3
    frames = library.retrieve_instance_frames(study, series, instance, [3, 1])
    assert frames == [source.PixelData[2 * size :], source.PixelData[:size]]


def test_compressed_frames_are_retrieved_as_they_are_stored(
    library: DICOMwebClient, keep: Keep
) -> None:
    study, series, instance = uids(keep(compressed(JPEGLSLossless), syntax=JPEGLSLossless))
    (stream,) = library.retrieve_instance_frames(
        study, series, instance, [1], media_types=(("image/jls", JPEGLSLossless),)
    )
    assert stream.startswith(b"\xff\xd8\xff")
    (plain,) = library.retrieve_instance_frames(study, series, instance, [1])
    assert plain == image().PixelData


def test_bulk_data_are_retrieved_whole_and_in_part(library: DICOMwebClient, keep: Keep) -> None:
    (described,) = library.retrieve_series_metadata(*uids(keep(document()))[:2])
    base = library.base_url.removesuffix("/dicom-web")
    address = base + described["00420011"]["BulkDataURI"]
    (whole,) = library.retrieve_bulkdata(address)
    assert whole.startswith(b"%PDF-1.7")
    assert len(whole) > 100_000
