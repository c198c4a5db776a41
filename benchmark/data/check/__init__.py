"""Is this folder of images fit for a study? Counts, faults, leakage, and how much the background alone tells.

:func:`check_folder` looks at every file once (:mod:`.look`), then asks the table (:mod:`.tables`), the hashes
(:mod:`.duplicates`) and a linear model (:mod:`.probe`).
"""

from benchmark.data.check.run import check_folder

__all__ = ["check_folder"]
