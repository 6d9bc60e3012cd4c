"""`python -m d1_preflight` is `preflight`."""

import sys

from d1_preflight.cli import main

sys.exit(main())
