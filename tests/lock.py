"""`make lock`: resolve the locks anew, from pyproject.toml and package.json.

The locks hold hashes and no address, so that they serve any mirror.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = [
    str(ROOT / ".venv" / "bin" / "uv"),
    *("pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-emit-index-url", "--no-header"),
]
COMMANDS = (
    [*UV, "pyproject.toml", "-o", "requirements.lock"],
    [*UV, "pyproject.toml", "--group", "dev", "-o", "requirements-dev.lock"],
    [*UV, "--group", "node", "-o", "requirements-node.lock"],
    ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"],
)


def main() -> int:
    for command in COMMANDS:
        sys.stdout.write(f"{' '.join(command[-4:])}\n")
        subprocess.run(command, cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
