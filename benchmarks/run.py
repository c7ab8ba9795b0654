"""All benchmarks, one after the other."""

import platform
import subprocess
import sys
from pathlib import Path

SCRIPTS = ("startup.py", "compiling.py", "throughput.py", "trigger_latency.py")


def main() -> None:
    print(f"{platform.platform()}, Python {platform.python_version()}", flush=True)
    for script in SCRIPTS:
        subprocess.run(
            [sys.executable, Path(__file__).parent / script], check=True, cwd=Path(__file__).parent
        )


if __name__ == "__main__":
    main()
