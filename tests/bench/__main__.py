"""Run the benches: all, or those named (`make bench ARGS="fhir plan"`). Each is a script of its own that prints a table and JSON."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(wanted: list[str]) -> int:
    """Run each bench in its own process, one after the other: they are not to disturb each other."""
    parts = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    options = [word for word in wanted if word.startswith("-")]
    names = [word for word in wanted if not word.startswith("-")] or list(parts)
    unknown = [name for name in names if name not in parts]
    if unknown:
        sys.stderr.write(f"there is no bench {', '.join(unknown)}; there are {', '.join(parts)}\n")
        return 2
    failed = 0
    for name in names:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        failed |= subprocess.run([sys.executable, str(parts[name]), *options], check=False).returncode
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
