"""Entry point: ``python -m rehearsal``."""

import gc
import sys

# Nearly all that is allocated here are the SDKs' classes, which live to the end: looking among them for garbage
# every 700 objects takes a fifth of the run.
gc.set_threshold(1_000_000)

from rehearsal.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
