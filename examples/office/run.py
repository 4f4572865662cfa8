"""python examples/office/run.py [PORT]: starts to sell, and shows it on http://localhost:5000/."""

import os
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
port = sys.argv[1] if len(sys.argv) > 1 else "5000"
twistd = str(Path(sys.executable).with_name("twistd"))

subprocess.Popen([sys.executable, here / "sell.py"])
# This process becomes the daemon; when it ends, the seller sees that, and ends too.
config = str(here / "streamd.toml")
os.execv(twistd, [twistd, "-n", "--pidfile=", "streamd", "--port", port, "--config", config])
