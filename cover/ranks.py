"""The rank of this process. Imports nothing heavy."""

import os
import sys

_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")  # of launchers, as Lightning reads them


def is_main_process() -> bool:
    """Return whether this is rank 0, which alone writes and prints what a run comes to."""
    if (lightning := sys.modules.get("lightning.pytorch.utilities.rank_zero")) is not None:
        return getattr(lightning.rank_zero_only, "rank", 0) == 0
    return next((int(os.environ[name]) for name in _VARIABLES if os.environ.get(name, "").isdigit()), 0) == 0
