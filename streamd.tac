"""streamd from a checkout: `twistd -ny streamd.tac`, with nothing installed but what streamd needs.

It is the service of `twistd -n streamd` without options: port 5000 and the demo stream.
"""

import sys
from pathlib import Path

from twisted.application.service import Application

sys.path.insert(0, str(Path(__file__).resolve().parent))

from streamd.app import tap

options = tap.Options()
options.parseOptions([])

application = Application("streamd")
tap.makeService(options).setServiceParent(application)
