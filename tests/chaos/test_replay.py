"""A replay is killed, broken off, run twice at once and beside live traffic: the shop sees each effect once."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.chaos.scene import Scene, scene
from tests.chaos.supplier import events_of
from tests.e2e.program import until

_OLD, _LIVE = 80, 30
_KILLS = 4
_BEFORE_THE_MISTAKE = "[suppliers.acme]"
_A_MISTAKE = "[suppliers.other]"


def leave_dead(stage: Scene, orders: range) -> None:
    """Take in events while the settings name another supplier to whoever applies them: all are set aside."""
    settings = stage.folder / "webhookctl.toml"
    right = settings.read_text()
    with stage.program().serve("--no-worker"):
        stage.supplier.waiting.extend(events_of(orders))
        stage.supplier.post_until(lambda: False)
    settings.write_text(right.replace(_BEFORE_THE_MISTAKE, _A_MISTAKE))
    stage.program().run("work", "--once")
    settings.write_text(right)
    assert stage.program().json("status")["events"] == {"dead": 2 * len(orders)}


def begin(stage: Scene) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "webhookctl", "replay", "missing", "--yes"]
    environ = stage.program()._environ()  # noqa: SLF001 - as the program is started
    return subprocess.Popen(command, cwd=stage.folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - ours


def test_a_replay_killed_at_any_moment_and_begun_again_delivers_each_order_once(tmp_path: Path) -> None:
    """Kill -9 and Ctrl-C by turns, at random moments, and then a last run to the end."""
    chance = random.Random(8)  # noqa: S311 - dice, to be thrown again alike
    with scene(tmp_path) as stage:
        leave_dead(stage, range(_OLD))
        for number in range(_KILLS):
            process = begin(stage)
            time.sleep(chance.uniform(0.4, 1.2))  # a moment like any other: nothing is waited for
            process.send_signal(signal.SIGKILL if number % 2 else signal.SIGINT)
            process.communicate()
        assert stage.program().run("replay", "missing", "--yes").returncode == 0
        stage.drain()

        assert stage.faults(_OLD) == []


def test_two_replays_at_once_and_live_traffic_deliver_each_order_once(tmp_path: Path) -> None:
    """Two processes handle the same again while `serve` takes in, applies and delivers others."""
    with scene(tmp_path) as stage:
        leave_dead(stage, range(_OLD))
        with stage.program().serve() as serving:
            stage.supplier.waiting.extend(events_of(range(_OLD, _OLD + _LIVE)))
            posting = threading.Thread(target=stage.supplier.post_until, args=(lambda: False,))
            posting.start()
            both = [begin(stage), begin(stage)]
            said = [process.communicate() for process in both]
            posting.join()
            assert [process.returncode for process in both] == [0, 0], said
            until(stage.is_at_rest, "all is applied and delivered", 90)
            serving.stop(signal.SIGTERM)
        assert stage.program().json("replay", "all")["plan"]["counts"]["apply"] == 0

        assert stage.faults(_OLD + _LIVE) == []
