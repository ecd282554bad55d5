"""Real files of many makers, as the sample data describe them."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydicom import dcmread

from apps.audit.services import Origin
from apps.dicom.header import explicit
from apps.dicom.json import to_json
from apps.studies.models import Instance
from apps.studies.services import Outcome, store_instances
from apps.studies.spool import Spool

pytestmark = [pytest.mark.django_db, pytest.mark.samples]


def rows_of(samples: Path, expected: str) -> Iterator[tuple[Path, dict[str, str]]]:
    with (samples / "MANIFEST.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "dicom" and row["expected"].startswith(expected):
                yield samples / row["path"], row


@pytest.mark.filterwarnings("ignore")
def test_every_file_that_must_be_accepted_is_kept(
    samples: Path, spool: Spool, origin: Origin
) -> None:
    wanted = dict(rows_of(samples, "must be accepted"))
    sent = {spool.write([path.read_bytes()]): path for path in wanted}
    refused = []
    for start in range(0, len(sent), 50):
        batch = list(sent)[start : start + 50]
        refused += [
            (sent[one.path].name, one.reason)
            for one in store_instances(batch, origin=origin)
            if one.outcome is Outcome.REFUSED
        ]
    assert not refused
    assert not spool.waiting()
    uids = {row["sop_instance_uid"] for row in wanted.values() if row["sop_instance_uid"]}
    assert uids <= set(Instance.objects.values_list("sop_instance_uid", flat=True))


@pytest.mark.filterwarnings("ignore")
def test_files_without_uids_are_refused(samples: Path, spool: Spool, origin: Origin) -> None:
    paths = [path for path, _ in rows_of(samples, "no SOP Class/Instance UID")]
    sent = [spool.write([path.read_bytes()]) for path in paths]
    outcomes = {one.outcome for one in store_instances(sent, origin=origin)}
    assert outcomes == {Outcome.REFUSED}
    assert len(spool.failed()) == len(paths)
    assert not Instance.objects.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("every", [(0, 40), (1, 40), (2, 40), (7, 40), (13, 40)])
def test_metadata_equal_those_of_another_reader(
    samples: Path, spool: Spool, origin: Origin, every: tuple[int, int]
) -> None:
    first, step = every
    paths = [path for path, _ in rows_of(samples, "must be accepted")][first::step]
    store_instances([spool.write([path.read_bytes()]) for path in paths], origin=origin)
    compared = 0
    for path in paths:
        dataset = dcmread(path, stop_before_pixels=True)
        row = Instance.objects.filter(sop_instance_uid=dataset.SOPInstanceUID).first()
        if row is None or row.size != path.stat().st_size:
            continue  # another encoding of the same object came first
        made = to_json(
            zstandard.decompress(row.header),
            explicit_vr=explicit(row.transfer_syntax_uid),
            bulk_uri=lambda tag: tag,
            bulk_tags={tag: vr for tag, vr, _, _ in row.bulk_table},
        )
        assert comparable(made) == comparable(
            dataset.to_json_dict(64, lambda element: f"{element.tag:08X}")
        ), path
        compared += 1
    assert compared > 5


def comparable(made: Any) -> Any:
    """Without group lengths (PS3.18 F.2.2), and with binary values only by their presence."""
    if isinstance(made, list):
        return [comparable(one) for one in made]
    if not isinstance(made, dict):
        return None if made == "" else made.rstrip() if isinstance(made, str) else made
    kept = {
        tag: comparable(value)
        for tag, value in made.items()
        if not (len(tag) == 8 and tag.endswith("0000"))
    }
    for form in ("InlineBinary", "BulkDataURI"):
        if form in kept:
            kept[form] = kept["vr"] = "binary"
    if "InlineBinary" in kept:
        kept["BulkDataURI"] = kept.pop("InlineBinary")
    if kept.get("vr") != "SQ" and kept.get("Value") in ([None], [{"Alphabetic": None}]):
        del kept["Value"]
    return kept
