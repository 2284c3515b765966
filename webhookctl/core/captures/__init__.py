"""What request does this file hold?

`read` knows raw HTTP (as `events show --raw` prints it), what `curl -v` says, a `curl` command line and HAR, and turns
each into a `Captured`.
"""

from webhookctl.core.captures.captured import Captured, Load, read

__all__ = ["Captured", "Load", "read"]
