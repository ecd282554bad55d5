"""Thousands of strange requests to the API and to DICOMweb: none may end in a 5xx.

`python -m tests.fuzz_http --cases 5000 [--seed 7] [--only api|dicomweb]` on a database of
its own, that of DATABASE_URL's engine; a short run is among the tests. The exit code is 1
where anything fell over, and what did is printed.
"""

import argparse
import logging
import os
import secrets
import sys
import time
import warnings
from typing import Any


def main() -> int:
    options = _options()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["OPENPACS_WEB_THREADS"] = "1"  # too few for anybody to wait for changes
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from django.db import connection
    from django.test.utils import setup_test_environment

    setup_test_environment()

    connection.creation.create_test_db(verbosity=0)
    try:
        return _run(options)
    finally:
        connection.creation.destroy_test_db("", verbosity=0)


def _run(options: argparse.Namespace) -> int:
    from tests.fuzzing.running import Outcome
    from tests.fuzzing.targets import TARGETS, prepare

    say(f"seed {options.seed}")
    world = prepare()
    fell = 0
    for name in [options.only] if options.only else list(TARGETS):
        began, outcome = time.monotonic(), Outcome()
        TARGETS[name](world, options.cases, options.seed, outcome)
        told = ", ".join(f"{code}: {count}" for code, count in sorted(outcome.statuses.items()))
        say(f"{name}: {outcome.cases} cases in {time.monotonic() - began:.0f} s ({told})")
        for operation, finding in sorted(outcome.findings.items()):
            say(f"\n--- {operation}\n{finding}")
        fell += len(outcome.findings)
    return 1 if fell else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000, help="for each of the two")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--only", choices=["api", "dicomweb"])
    return parser.parse_args()


def say(text: Any) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
