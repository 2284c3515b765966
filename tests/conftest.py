"""What every test needs of the process that runs it."""

import signal

# Whoever runs the suite in the background has SIGINT ignored, and programs inherit that: Ctrl-C would never be heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
