"""Sample files into a department: `python -m tests.viewing.loading LIST`, in its surroundings.

Some samples are one image in many encodings: a copy with UIDs of its own makes a study of each.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")
    django.setup()

from pydicom import dcmread
from pydicom.uid import generate_uid

from apps.audit.services import Origin
from apps.studies.models import Instance
from apps.studies.services import store_instances
from apps.studies.spool import default_spool
from tests.factories import make_user, signed_in

AT_ONCE = 100


def load(paths: Sequence[Path]) -> None:
    """Store files as every door does."""
    origin = Origin(protocol="test", peer="tests")
    for first in range(0, len(paths), AT_ONCE):
        part = [default_spool().write([one.read_bytes()]) for one in paths[first : first + AT_ONCE]]
        store_instances(part, origin=origin)


def studies_of(paths: Iterable[Path]) -> list[str]:
    """The studies that the files belong to, each once."""
    with warnings.catch_warnings(action="ignore"):
        found = (dcmread(path, force=True, specific_tags=["StudyInstanceUID"]) for path in paths)
        return list(dict.fromkeys(str(one.StudyInstanceUID) for one in found))


def renamed(path: Path, folder: Path) -> Path:
    """A copy of a file as a study of its own, of a patient of its own; pixel data as they are."""
    with warnings.catch_warnings(action="ignore"):
        dataset = dcmread(path, force=True)
        name = path.name
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=[name, "study"])
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[name, "series"])
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[name, "instance"])
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.PatientID = generate_uid(entropy_srcs=[name])[-16:]
        target = folder / name
        dataset.save_as(target)
    return target


def session_of(role: str) -> str:
    """The session of somebody new with one role."""
    client = signed_in(make_user(role))
    return client.cookies["sessionid"].value


def main() -> None:
    """Load the files named in a JSON list; print the session of a radiologist."""
    paths = [Path(name) for name in json.loads(Path(sys.argv[1]).read_text())]
    load(paths)
    if missing := len(paths) - Instance.objects.count():
        raise SystemExit(f"{missing} of {len(paths)} files are not in the index")
    sys.stdout.write(f"\n{session_of('radiologist')}\n")


if __name__ == "__main__":
    main()
