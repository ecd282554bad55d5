"""What a report says."""

from dataclasses import dataclass

from apps.reports.models import Report, ReportTemplate, ReportVersion


@dataclass(frozen=True, kw_only=True)
class ReportText:
    """What a report says, by section; plain text with line breaks."""

    technique: str = ""
    findings: str = ""
    impression: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.findings.strip() or self.impression.strip())


def text_of(row: Report | ReportTemplate | ReportVersion) -> ReportText:
    return ReportText(technique=row.technique, findings=row.findings, impression=row.impression)
