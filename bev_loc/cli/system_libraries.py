"""Shared libraries that the wheels expect from the system. Runs as a script too, before anything is installed."""

import ctypes

# Wanted by Open3D (simulator) and by Numba's OpenMP layer; slim images lack some.
_PACKAGE_OF = {
    "libgomp.so.1": "libgomp1",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
}


def missing_packages() -> list[str]:
    """Debian packages of the libraries that cannot be loaded here."""
    return [package for library, package in _PACKAGE_OF.items() if not _loads(library)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(missing_packages()))
