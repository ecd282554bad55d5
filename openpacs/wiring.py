"""The wiring of the hospital: which work belongs to which queue, what is done again and again,
and which rows of the journal start what. Settings, each of them, on a screen of their own.
"""

from typing import Any

CELERY_TASK_ROUTES: dict[str, dict[str, str]] = {
    "apps.studies.tasks.*_thumbnails": {"queue": "default"},
    "apps.studies.tasks.make_regular_series": {"queue": "outbound"},
    "apps.studies.tasks.take_in_*": {"queue": "default"},
    "apps.studies.tasks.*": {"queue": "ingest"},
    "apps.dimse.tasks.*": {"queue": "outbound"},
    "apps.exports.tasks.*": {"queue": "outbound"},
    "apps.hl7.tasks.*": {"queue": "outbound"},
    "apps.routing.tasks.*": {"queue": "outbound"},
}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "deliver-waiting-events": {
        "task": "apps.audit.tasks.deliver_waiting",
        "schedule": 5.0,
    },
    "write-down-journal": {"task": "apps.audit.tasks.write_down_journal", "schedule": 5.0},
    "seal-journal": {"task": "apps.audit.tasks.seal_journal", "schedule": 5.0},
    "ingest-spool": {"task": "apps.studies.tasks.ingest_spool", "schedule": 5.0},
    "take-in-uploads": {
        "task": "apps.studies.tasks.take_in_waiting_uploads",
        "schedule": 60.0,
    },
    "settle-quiet-studies": {
        "task": "apps.studies.tasks.settle_quiet_studies",
        "schedule": 5.0,
    },
    "make-regular-series": {"task": "apps.studies.tasks.make_regular_series", "schedule": 5.0},
    "trim-thumbnails": {"task": "apps.studies.tasks.trim_thumbnails", "schedule": 3600.0},
    "forget-worklist-queries": {
        "task": "apps.worklist.tasks.forget_worklist_queries",
        "schedule": 3600.0,
    },
    "show-missing-exams": {
        "task": "apps.workitems.tasks.show_missing_exams",
        "schedule": 60.0,
    },
    "forget-workitem-events": {"task": "apps.workitems.tasks.forget_events", "schedule": 3600.0},
    "send-waiting-messages": {"task": "apps.hl7.tasks.send_waiting", "schedule": 5.0},
    "send-waiting-transfers": {"task": "apps.routing.tasks.send_waiting", "schedule": 5.0},
    "forget-transfer-answers": {"task": "apps.routing.tasks.forget_answers", "schedule": 3600.0},
    "make-waiting-exports": {"task": "apps.exports.tasks.make_waiting", "schedule": 5.0},
    "delete-old-exports": {"task": "apps.exports.tasks.delete_old", "schedule": 600.0},
    "settle-commitments": {"task": "apps.dimse.tasks.settle_commitments", "schedule": 5.0},
    "resume-retrievals": {"task": "apps.dimse.tasks.resume_retrievals", "schedule": 5.0},
    "forget-commitments": {"task": "apps.dimse.tasks.forget_old_commitments", "schedule": 3600.0},
}

for sweep in CELERY_BEAT_SCHEDULE.values():
    # Sweeps do not pile up while the worker is away.
    sweep["options"] = {"expires": sweep["schedule"]}

# Which rows of the journal start which work.
AUDIT_SUBSCRIBERS: dict[str, list[str]] = {
    "study-matched": ["apps.reports.tasks.prepare_report", "apps.routing.tasks.route_study"],
    "study-complete": [
        "apps.routing.tasks.route_study",
        "apps.routing.tasks.tell_availability",
        "apps.dicomweb.tasks.keep_study_metadata",
        "apps.studies.tasks.make_thumbnails",
    ],
    "study-extended": [
        "apps.routing.tasks.route_study",
        "apps.routing.tasks.tell_availability",
        "apps.dicomweb.tasks.keep_study_metadata",
        "apps.studies.tasks.make_thumbnails",
    ],
    "study-corrected": [
        "apps.studies.tasks.keep_overlay",
        "apps.dicomweb.tasks.keep_study_metadata",
    ],
    "correction-undone": [
        "apps.studies.tasks.keep_overlay",
        "apps.dicomweb.tasks.keep_study_metadata",
    ],
    "objects-rejected": ["apps.studies.tasks.keep_overlay"],
    "objects-restored": ["apps.studies.tasks.keep_overlay"],
    "patient-updated": [
        "apps.studies.tasks.follow_patients",
        "apps.workitems.tasks.follow_patient",
    ],
    "order-changed": ["apps.workitems.tasks.follow_order"],
    "appointment-moved": ["apps.workitems.tasks.follow_order"],
    "step-scheduled": ["apps.workitems.tasks.show_exam"],
    "step-started": ["apps.workitems.tasks.show_exam"],
    "step-discontinued": ["apps.workitems.tasks.show_exam"],
    "step-cancelled": ["apps.workitems.tasks.show_exam"],
    "study-labelled": ["apps.studies.tasks.keep_overlay"],
    "study-unlabelled": ["apps.studies.tasks.keep_overlay"],
    "object-saved": ["apps.studies.tasks.keep_overlay"],
    "conflict-found": ["apps.studies.tasks.keep_overlay"],
    "conflict-settled": ["apps.studies.tasks.keep_overlay"],
    "step-completed": [
        "apps.reports.tasks.prepare_report_for_step",
        "apps.workitems.tasks.show_exam",
    ],
    "report-signed": ["apps.hl7.tasks.send_result"],
}
