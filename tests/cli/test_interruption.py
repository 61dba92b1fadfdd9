"""Signals end a command with exit code 130, however often they come."""

import signal
import subprocess
import sys
import time

import pytest

_COMMAND = """
import sys, time
from cover.cli.interruption import interruptible
with interruptible():
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        print("tidying", flush=True)
        time.sleep(float(sys.argv[1]))
        print("tidied", flush=True)
"""


def ended(tidying: float, *waits: float, sent: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Send a signal to a command at work, and after each of the waits another one."""
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, str(tidying)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(sent)
    for seconds in waits:
        time.sleep(seconds)
        process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_leaves_time_to_tidy_up(sent: int) -> None:
    assert ended(0.5, 0.1, 0.1, sent=sent) == (130, "tidying\ntidied\n", "")


def test_a_library_that_makes_an_error_of_it() -> None:
    other = "    except KeyboardInterrupt:\n        raise AttributeError from None\n    finally:"
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND.replace("    finally:", other), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 130


def test_a_late_one_ends_what_does_not_end() -> None:
    assert ended(60, 2.3) == (130, "tidying\n", "")


def test_a_signal_while_the_command_is_imported() -> None:
    code = "import sys, cover.cli; sys.meta_path.insert(0, Slow()); cover.cli.main()"
    slow = "import time\nclass Slow:\n  def find_spec(self, *_):\n    print('importing', flush=True); time.sleep(60)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", slow + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 130
