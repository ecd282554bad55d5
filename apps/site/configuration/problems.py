"""What is wrong with a site file, and where."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a site file; `line` counts from 1."""

    line: int
    message: str

    def at(self, name: str) -> str:
        """As editors and compilers write it: `FILE:LINE: message`."""
        return f"{name}:{self.line}: {self.message}"


class SiteFileError(Exception):
    """A site file with problems; nothing of it was imported."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(problem.at("site file") for problem in self.problems))
