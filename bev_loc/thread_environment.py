"""Thread pools that do not fight. Imported and called before numpy by every entry point."""

import os

# A spinning pool starves the others: the same pipeline took 72 ms a scan by default and 26 ms with these.
_DEFAULTS = {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    "NUMBA_THREADING_LAYER": "omp",  # numba's own layer aborts when two Python threads enter it
}


def set_thread_environment() -> None:
    """Defaults for the thread pools of BLAS, OpenMP and Numba; what the user has set stays."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def thread_environment() -> dict[str, str]:
    """The variables as they stand, for reports."""
    names = (*_DEFAULTS, "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR")
    return {name: os.environ[name] for name in names if name in os.environ}
