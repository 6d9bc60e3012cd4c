"""`python -m d1_preflight` is `preflight`."""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - pathlib would be
    del sys.path[0]  # imported from there: the folder we stand in may be a stranger's checkout

from d1_preflight.cli import main

sys.exit(main())
