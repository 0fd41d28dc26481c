"""``make audit``: are weaknesses known of the pinned packages? Asks where it can reach the advisories; says so plainly where it cannot.

Exit code 0: every package was looked up and none has a known weakness; 1: some have; 2: not all could be looked up, so nothing is claimed.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def judged(report: dict[str, Any]) -> tuple[int, str]:
    """Exit code and words for a report of pip-audit (``dependencies``: name, version, vulns; or skip_reason)."""
    packages = report.get("dependencies", [])
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    weak = [f"{one['name']} {one['version']}: {hit['id']}" for one in packages for hit in one.get("vulns", ())]
    if weak:
        return 1, "\n".join(["known weaknesses:", *weak])
    if unknown or not packages:
        told = f"{len(unknown)} of {len(packages)} packages could not be looked up ({', '.join(unknown[:5])} ...)"
        return 2, f"no verdict: {told}; run it where the advisories of the package index can be reached"
    return 0, f"{len(packages)} packages looked up, no weakness is known of any"


def main() -> int:
    """Ask, and say."""
    command = [sys.executable, "-m", "pip_audit", "-r", "requirements.lock", "--disable-pip", "--no-deps", "-f", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        sys.stderr.write(f"no verdict: the advisories cannot be reached\n{done.stderr.strip()[-300:]}\n")
        return 2
    code, words = judged(report)
    (sys.stdout if code == 0 else sys.stderr).write(words + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
