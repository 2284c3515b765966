"""An action as one line in the log: what alerts do until somebody sets up a better way."""

from collections.abc import Callable
from dataclasses import dataclass, field

from webhookctl.core.orders import Action
from webhookctl.core.ports.handler import Repeat, Result, Succeeded, Task
from webhookctl.core.retries import RetryPolicy


@dataclass(frozen=True, slots=True)
class LogAction:
    """Hands the action, which holds no code, to `write`."""

    write: Callable[[Action], None]
    repeat: Repeat = Repeat.AT_LEAST_ONCE
    retries: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def ready(self) -> bool:
        return True

    async def handle(self, task: Task) -> Result:
        self.write(task.action)
        return Succeeded("Written to the log.")
