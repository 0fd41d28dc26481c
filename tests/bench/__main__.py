"""Run the benches: all, or those named, then options (`make bench ARGS="fhir --size 3000"`). Each prints a table and JSON of its own."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(wanted: list[str]) -> int:
    """Run each bench in its own process, one after the other: they are not to disturb each other."""
    parts = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    first = next((place for place, word in enumerate(wanted) if word.startswith("-")), len(wanted))
    options = wanted[first:]
    names = wanted[:first] or list(parts)
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
