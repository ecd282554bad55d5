"""DCMTK's findscu asks the archive."""

import re

import pytest

from apps.dimse.listener import Listener
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dimse.asking import keep
from tests.dimse.conftest import Tool

pytestmark = pytest.mark.peer


@pytest.fixture
def archive(device: Device, spool: Spool) -> None:
    Device.objects.filter(pk=device.pk).update(may_query=True)
    keep(
        spool,
        {"PatientID": "P1", "PatientName": "Müller^Jörg", "StudyInstanceUID": "2.25.1"},
        {"PatientID": "P2", "PatientName": "Miller^Anna", "StudyInstanceUID": "2.25.2"},
    )


def findscu(tool: Tool, listener: Listener, *arguments: str) -> str:
    """What findscu says, answers and final status."""
    title = ("-aet", "CT1", "-aec", "OPENPACS")
    made = tool("findscu", "-v", *title, *arguments, "127.0.0.1", listener.port)
    assert made.returncode == 0, made.stderr
    return made.stdout + made.stderr


def keys(*asked: str) -> list[str]:
    return [word for one in asked for word in ("-k", one)]


@pytest.mark.parametrize("syntax", ["-xe", "-xi", "-xb"])
def test_findscu_reads_the_answers_in_every_transfer_syntax(
    syntax: str, archive: None, listener: Listener, tool: Tool
) -> None:
    asked = keys("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName=MUL*", "Rows")
    said = findscu(tool, listener, "-S", syntax, *asked)
    assert said.count("Find Response:") == 1
    assert "[2.25.1]" in said
    assert "[ISO_IR 192]" in said
    assert "Received Final Find Response (Success)" in said


def test_findscu_in_the_patient_root(archive: None, listener: Listener, tool: Tool) -> None:
    said = findscu(tool, listener, "-P", *keys("QueryRetrieveLevel=PATIENT", "PatientID"))
    assert sorted(re.findall(r"\[(P\d) ?\]", said)) == ["P1", "P2"]


def test_findscu_is_told_what_is_missing(archive: None, listener: Listener, tool: Tool) -> None:
    said = findscu(tool, listener, "-S", "-d", *keys("QueryRetrieveLevel=SERIES", "Modality"))
    assert "StudyInstanceUID is required at this level" in said
    assert "0xa900" in said.lower()


def test_findscu_may_cancel(archive: None, listener: Listener, tool: Tool, spool: Spool) -> None:
    keep(
        spool,
        *(
            {"PatientID": f"Q{number}", "StudyInstanceUID": f"2.25.1{number:03}"}
            for number in range(300)
        ),
    )
    asked = keys("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientComments")
    said = findscu(tool, listener, "-S", "--cancel", "1", *asked)
    assert "Received Final Find Response" in said
    assert "Cancel" in said or said.count("Find Response:") > 300
