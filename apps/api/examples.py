"""Made-up objects, for the schema."""

from typing import Any

UID = "2.25.145331285061264105217"

PATIENT = {
    "id": 17,
    "name": "DOE^Jane",
    "family_name": "DOE",
    "given_name": "Jane",
    "birth_date": "1980-05-17",
    "sex": "F",
    "status": "active",
    "merged_into": None,
    "identifiers": [
        {"value": "0000017", "issuer": "OPENPACS", "type_code": "MR", "preferred": True}
    ],
}
CATALOGUE = {
    "code": "CTCHEST",
    "scheme": "99OPACS",
    "meaning": "CT of the chest",
    "modality": "CT",
    "duration_minutes": 20,
}
NEW_ORDER = {
    "patient": 17,
    "procedures": [{"code": "CTCHEST"}],
    "priority": "HIGH",
    "reason": "cough for three weeks",
    "placer_number": "WARD-4711",
}
ORDER = {
    "id": 23,
    "accession_number": "A0000023",
    "status": "requested",
    "priority": "HIGH",
    "patient": 17,
    "referrer": "R001",
    "placer_number": "WARD-4711",
    "placer_namespace": "",
    "reason": "cough for three weeks",
    "clinical_information": "",
    "cancel_reason": "",
    "requested_at": "2026-03-02T08:00:00Z",
    "procedures": [
        {
            "identifier": "RP23-1",
            "code": "CTCHEST",
            "scheme": "99OPACS",
            "meaning": "CT of the chest",
            "modality": "CT",
            "laterality": "",
            "study_instance_uid": UID,
        }
    ],
}
APPOINTMENT = {
    "id": 31,
    "accession_number": "A0000023",
    "patient": 17,
    "room": "CT 1",
    "starts_at": "2026-03-02T09:00:00Z",
    "ends_at": "2026-03-02T09:20:00Z",
    "status": "booked",
    "arrived_at": None,
}
STEP = {
    "id": 41,
    "identifier": "SPS41",
    "status": "SCHEDULED",
    "modality": "CT",
    "starts_at": "2026-03-02T09:00:00Z",
    "description": "CT of the chest",
    "accession_number": "A0000023",
    "study_instance_uid": UID,
    "patient": 17,
    "patient_name": "DOE^Jane",
    "patient_id": "0000017",
    "devices": ["CT1"],
    "started_at": None,
    "ended_at": None,
}
STUDY = {
    "study_instance_uid": UID,
    "status": "available",
    "match": "matched",
    "match_reason": "by Study Instance UID",
    "orders": ["A0000023"],
    "labels": ["teaching"],
    "patient": 17,
    "patient_id": "0000017",
    "patient_identifier_issuer": "OPENPACS",
    "patient_name": "DOE^Jane",
    "patient_birth_date": "19800517",
    "patient_sex": "F",
    "study_date": "2026-03-02",
    "study_time": "09:04:11",
    "accession_number": "A0000023",
    "study_id": "1",
    "description": "CT of the chest",
    "referring_physician": "Smith^John",
    "modalities": ["CT"],
    "series_count": 2,
    "instance_count": 214,
    "size": 112_640_512,
    "received_at": "2026-03-02T09:06:40Z",
}
SERIES = {
    "series_instance_uid": f"{UID}.1",
    "modality": "CT",
    "number": 1,
    "description": "Lung 1.0",
    "body_part": "CHEST",
    "laterality": "",
    "protocol_name": "Chest",
    "station_name": "CT1",
    "series_date": "2026-03-02",
    "series_time": "09:04:11",
    "instance_count": 107,
}
INSTANCE = {
    "sop_instance_uid": f"{UID}.1.1",
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "transfer_syntax_uid": "1.2.840.10008.1.2.1",
    "number": 1,
    "rows": 512,
    "columns": 512,
    "frames": 1,
    "size": 526_336,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "file": f"/api/v1/instances/{UID}.1.1/file",
}
REJECTION = {
    "id": 61,
    "study_instance_uid": UID,
    "series_instance_uid": None,
    "sop_instance_uid": None,
    "code": "113001",
    "reason": "the phantom of the morning test",
    "at": "2026-03-02T09:10:00Z",
}
LABEL = {"name": "teaching", "colour": "teal"}
DEVICE = {
    "ae_title": "CT1",
    "name": "Scanner 1",
    "host": "ct1",
    "port": 104,
    "modality": "CT",
    "room": "CT 1",
    "active": True,
    "may_store": True,
    "may_query": False,
    "may_retrieve": False,
    "may_receive": False,
    "may_read_worklist": True,
    "last_seen_at": "2026-03-02T09:04:00Z",
    "echoed_at": None,
    "echo_result": "",
}
TRANSFER = {
    "id": 51,
    "content": "images",
    "study_instance_uid": UID,
    "device": "WORKSTATION",
    "status": "waiting",
    "attempts": 0,
    "total_count": 0,
    "sent_count": 0,
    "failed_count": 0,
    "last_error": "",
    "created_at": "2026-03-02T10:00:00Z",
    "finished_at": None,
}
REPORT = {
    "id": 61,
    "status": "final",
    "accession_number": "A0000023",
    "patient": 17,
    "updated_at": "2026-03-02T11:00:00Z",
}
VERSION = {
    "number": 1,
    "status": "final",
    "technique": "Without contrast agent.",
    "findings": "No infiltrate.",
    "impression": "Normal chest.",
    "signer": "radiologist",
    "signed_at": "2026-03-02T11:00:00Z",
    "pdf": "/api/v1/reports/61/versions/1/pdf",
    "pdf_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
CHANGE = {
    "cursor": 4711,
    "kind": "study-complete",
    "at": "2026-03-02T09:07:00Z",
    "subject": "study",
    "key": "23",
    "patient": 17,
    "accession_number": "A0000023",
    "study_instance_uid": UID,
}
SYSTEM = {
    "name": "St. Mary",
    "version": "0.1.0",
    "ae_title": "OPENPACS",
    "time": "2026-03-02T12:00:00Z",
    "user": "night-job",
    "counts": {"patients": 1, "orders": 1, "studies": 1, "instances": 214, "transfers": 0},
}


def page(one: dict[str, Any]) -> dict[str, Any]:
    """A page that holds just this."""
    return {"results": [one], "next": None}
