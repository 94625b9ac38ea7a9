"""``python -m softreg``: the command line."""

import sys

from softreg.cli import main

if __name__ == "__main__":
    sys.exit(main())
