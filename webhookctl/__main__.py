"""Run webhookctl as `python -m webhookctl`."""

from webhookctl.cli import main

main()
