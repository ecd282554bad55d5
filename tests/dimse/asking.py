"""Asking the archive over the wire: identifiers, answers, what is stored to be found."""

from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from apps.audit.services import Origin
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"


def agreed(port: int, *wanted: int, model: str = STUDY_ROOT) -> Association:
    """An association of CT1 that proposes extended negotiation (PS3.4 C.5.1.1), byte by byte."""
    entity = AE(ae_title="CT1")
    entity.acse_timeout = entity.dimse_timeout = 10
    entity.add_requested_context(model)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = model, bytes(wanted)
    return entity.associate("127.0.0.1", port, ae_title="OPENPACS", ext_neg=[item])


def keep(spool: Spool, *objects: Dataset | dict[str, Any]) -> None:
    """Store CT images, each given by what differs in it."""
    made = [one if isinstance(one, Dataset) else ct_image(**one) for one in objects]
    files = [spool.write([part10(one)]) for one in made]
    store_instances(files, origin=Origin(protocol="test"))


def identifier(level: str = "STUDY", **keys: Any) -> Dataset:
    asked = Dataset()
    if level:
        asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


class Answers(list[Dataset]):
    """The identifiers of pending responses; `statuses` of all, `last` of the final one."""

    statuses: list[int]
    last: Dataset

    @property
    def status(self) -> int:
        return self.statuses[-1]

    def of(self, keyword: str) -> list[Any]:
        return sorted(str(one.get(keyword, "absent")) for one in self)


def ask(association: Association, asked: Dataset, model: str = STUDY_ROOT) -> Answers:
    assert association.is_established
    found = Answers()
    found.statuses = []
    for status, line in association.send_c_find(asked, model):
        found.statuses.append(status.Status)
        found.last = status
        if line is not None:
            found.append(line)
    return found
