"""Health check of a container: ``python -m healthsvc.deploy.alive URL`` ends with 0 where the address answers.

Its words need no quotes, which some programs that run compose files garble, and it loads nothing else of ours.
"""

import sys
from typing import Final
from urllib.request import urlopen

_SECONDS: Final = 3.0


def main(url: str) -> int:
    """0: it answers; 1: it does not, and standard error says why."""
    try:
        with urlopen(url, timeout=_SECONDS):  # noqa: S310 - whoever writes the container file names the address
            return 0
    except (OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ("",)))
