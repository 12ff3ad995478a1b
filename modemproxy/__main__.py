"""``python -m modemproxy``."""

import sys

from modemproxy.cli import main

sys.exit(main())
