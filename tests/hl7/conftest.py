"""A partner and a listener on a free port, for every test of the HL7 door."""

import datetime
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record
from apps.hl7.listening import make_listener
from apps.hl7.mllp import Limits, Listener
from apps.hl7.models import Partner
from apps.orders.models import Order
from apps.reports.models import Report, ReportVersion
from tests.factories import (
    IssuerFactory,
    OrderFactory,
    PatientIdentifierFactory,
    ProcedureFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
)
from tests.hl7.results import PDF, Receiver, Sign


@pytest.fixture
def partner(db: None) -> Partner:
    return Partner.objects.create(name="HIS", application="HIS", facility="HOSP")


@pytest.fixture
def listener(transactional_db: None) -> Iterator[Listener]:
    """A running listener with the whole inbound path behind it."""
    running = make_listener("127.0.0.1", 0, limits=Limits(connections=8))
    running.open()
    thread = threading.Thread(target=running.serve)
    thread.start()
    yield running
    running.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def chest(db: None) -> Any:
    return ProcedureFactory(code="71020", scheme="CPT", meaning="Chest", modality="DX")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def ehr(db: None, receiver: Receiver) -> Partner:
    return Partner.objects.create(
        name="EHR",
        application="EHR",
        facility="WARD",
        receives_results=True,
        host="127.0.0.1",
        port=receiver.listener.port,
    )


@pytest.fixture
def order(db: None) -> Order:
    issuer = IssuerFactory(namespace="HOSPITAL")
    placed = OrderFactory(
        accession_number="ACC17",
        placer_number="ORD1",
        placer_namespace="HIS",
        referrer=ReferrerFactory(code="1234", family_name="Smith", given_name="John"),
        patient_class="O",
    )
    PatientIdentifierFactory(patient=placed.patient, issuer=issuer, value="98765")
    requested = RequestedProcedureFactory(order=placed, study_instance_uid="1.2.3.4")
    ScheduledStepFactory(
        requested_procedure=requested,
        status="STARTED",
        started_at=datetime.datetime(2024, 1, 17, 8, 30, tzinfo=datetime.UTC),
    )
    return placed


@pytest.fixture
def sign(order: Order, user_of: Callable[[str], User], origin: Origin) -> Sign:
    """Sign another version of the report of the order; returns its journal row."""
    signer = user_of("radiologist")
    report = Report.objects.create(order=order)

    def do(status: str = "final", **texts: str) -> Event:
        version = ReportVersion.objects.create(
            report=report,
            number=report.versions.count() + 1,
            status=status,
            author=signer,
            signer=signer,
            signed_at=timezone.now(),
            pdf=PDF,
            **{"findings": "Nodule.\nNo effusion.", "impression": "Follow up | soon", **texts},
        )
        return record(
            Kind.REPORT_SIGNED, version, origin=origin, accession_number=order.accession_number
        )

    return do
