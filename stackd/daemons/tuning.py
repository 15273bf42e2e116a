"""How every daemon's interpreter is set before it starts."""

import gc
import os
import sys

SWITCH_INTERVAL = 0.0005
GC_THRESHOLDS = (20_000, 20, 50)


def tune() -> None:
    """Let database threads get their turn beside a busy reactor, collect garbage less often, keep files private.

    Records are many and short-lived and hold no cycles: with Python's own thresholds a quarter of a boot storm is
    garbage collection.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*GC_THRESHOLDS)
    os.umask(0o077)
