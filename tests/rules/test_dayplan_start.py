"""The server starts without the compiler: only a search brings it."""

import subprocess
import sys


def test_reading_plans_does_not_bring_the_compiler() -> None:
    code = (
        "import sys, healthsvc.dayplan, healthsvc.dayplan.service, healthsvc.dayplan.endpoints, healthsvc.dayplan.instance\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] in ('numba', 'llvmlite')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
