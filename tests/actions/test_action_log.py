"""An action as a line in the log."""

import uvloop

from webhookctl.adapters.action_log import LogAction
from webhookctl.core.orders import Action, ActionKind, ActionState
from webhookctl.core.ports.handler import Repeat, Succeeded, Task


def test_writes_the_action() -> None:
    """The action itself, which holds no code, is written; the document is not looked at."""
    action = Action(
        "id", "acme", "SHOP-1", ActionKind.ALERT, "failed", 1, ActionState.RUNNING, "It failed.", 1, 1, None, None, None
    )
    written = list[Action]()
    handler = LogAction(written.append)

    result = uvloop.run(handler.handle(Task(action, b"not even JSON")))

    assert isinstance(result, Succeeded)
    assert written == [action]
    assert handler.repeat is Repeat.AT_LEAST_ONCE
