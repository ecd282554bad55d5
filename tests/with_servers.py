"""Run a command with PostgreSQL and Redis: `python -m tests.with_servers pytest tests`.

DATABASE_URL and REDIS_URL are set for the command; its exit code is ours.
"""

import os
import shutil
import subprocess
import sys

from tests.servers import NoServer, postgres, redis


def main(command: list[str]) -> int:
    if not command:
        sys.stderr.write("usage: python -m tests.with_servers COMMAND [ARGUMENT...]\n")
        return 2
    # Programs of this virtual environment are found without their path.
    here = os.path.dirname(sys.executable)  # noqa: PTH120 - the link, not where it leads
    program = shutil.which(command[0], path=here) or command[0]
    try:
        with postgres() as database, redis() as broker:
            environment = {**os.environ, "DATABASE_URL": database, "REDIS_URL": broker}
            # Set by importing openpacs; the command, pytest mostly, has settings of its own.
            environment.pop("DJANGO_SETTINGS_MODULE", None)
            return subprocess.run([program, *command[1:]], env=environment, check=False).returncode
    except NoServer as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
