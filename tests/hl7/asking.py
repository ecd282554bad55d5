"""Messages of a partner as they arrive, and what it is answered."""

from apps.hl7.inbound import receive
from apps.hl7.messages import ParsedMessage, parse

PID = "PID|1||98765^^^HOSPITAL^MR||Doe^Jane^Marie^^Dr||19750620|F|||789 Elm St^^Chicago||555"
ORC = "ORC|NW|ORD001^HIS|||||^^^20240117083000^^R||20240117080000|||1234^Smith^John^^^Dr"
OBR = "OBR|1|ORD001^HIS||71020^CHEST PA AND LAT^CPT"


def text_of(*segments: str, kind: str = "ADT^A08", control_id: str = "1", **header: str) -> bytes:
    sender = header.get("sender", "HIS|HOSP")
    msh = (
        f"MSH|^~\\&|{sender}|RIS|IMG|{header.get('at', '20240117080000')}||{kind}|{control_id}"
        f"|{header.get('processing', 'P')}|{header.get('version', '2.5.1')}"
        f"|||{header.get('accept', '')}|{header.get('application', '')}"
    )
    return "\r".join((msh, *segments, "")).encode()


def send(*segments: str, address: str = "10.0.0.1", **header: str) -> ParsedMessage:
    """Send one message through the inbound path; returns the last answer."""
    answers = [parse(one) for one in receive(text_of(*segments, **header), address)]
    return answers[-1]


def verdict(answer: ParsedMessage) -> tuple[str, str, str]:
    """(MSA-1, the code of table 0357, the place of the error)."""
    msa, err = answer.first("MSA"), answer.first("ERR")
    assert msa is not None
    place = "^".join(err.components(2)) if err else ""
    return msa.get(1), err.get(3) if err else "", place
