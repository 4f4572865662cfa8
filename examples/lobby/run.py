"""python examples/lobby/run.py [PORT] [--bad]: a company, and its wall on http://localhost:5000/.

With --bad it has a bad day: nobody can pay, the support has too much to do, and takings are unknown.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
bad = [word for word in sys.argv[1:] if word == "--bad"]
port = next((word for word in sys.argv[1:] if word not in bad), "5000")
twistd = str(Path(sys.executable).with_name("twistd"))

os.environ["LOBBY_TOKEN"] = secrets.token_urlsafe()
subprocess.run([sys.executable, here / "past.py", *bad], check=True)
subprocess.Popen([sys.executable, here / "live.py", port, *bad])
# This process becomes the daemon; when it ends, live.py sees that, and ends too.
config = str(here / "streamd.toml")
os.execv(twistd, [twistd, "-n", "--pidfile=", "streamd", "--port", port, "--config", config])
