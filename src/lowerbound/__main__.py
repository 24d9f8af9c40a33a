"""`python -m lowerbound`."""

import sys

from lowerbound.cli import main

if __name__ == "__main__":
    sys.exit(main())
