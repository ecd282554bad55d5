"""The conformance statement, made from the tables that the listener itself works by."""

from apps.dimse.conformance.statement import conformance_statement
from apps.dimse.conformance.structure import Statement, as_markdown

__all__ = ["Statement", "as_markdown", "conformance_statement"]
