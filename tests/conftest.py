"""What every test needs of the process that runs it."""

import signal

# Whoever runs the suite in the background, or under nohup, has these signals ignored, and programs inherit that: a test
# of Ctrl-C or of a closed terminal would wait for ever. What a handler is set for, programs have as the system has it.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
