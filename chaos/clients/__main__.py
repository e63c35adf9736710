"""A process of clients of one tenant: works until its standard input is closed, and tells what came of it."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from random import Random

import numpy as np

import pullback
from chaos.clients.events import OK, Event
from chaos.clients.work import WORK, Client, Done, WrongError
from pullback.errors import PullbackError

_TIMEOUT_SECONDS = 300.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--factor", type=float, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--pause", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args()


def main() -> None:
    """Runs the clients, each in a thread. The token is the first line of standard input."""
    arguments = _arguments()
    token = sys.stdin.readline().strip() or None
    ended, writing = threading.Event(), threading.Lock()

    def connect() -> pullback.Client:
        return pullback.connect(arguments.address, timeout=_TIMEOUT_SECONDS, token=token)

    def tell(event: Event) -> None:
        with writing:
            sys.stdout.write(event.line() + "\n")
            sys.stdout.flush()

    with connect() as shared:

        def run(index: int) -> None:
            seed = arguments.seed * 1000 + index
            with connect() as own:
                generator = np.random.default_rng(seed)
                name = f"{arguments.tenant}-{index}"
                client = Client(name, own, shared, (arguments.address, token), arguments.factor, generator)
                chance = Random(seed)  # noqa: S311 -- nothing secret
                while not ended.wait(chance.expovariate(1 / arguments.pause)):
                    tell(_work(client, chance))

        threads = [threading.Thread(target=run, args=(index,)) for index in range(arguments.clients)]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        ended.set()
        for thread in threads:
            thread.join()


def _work(client: Client, chance: Random) -> Event:
    (kind,) = chance.choices(tuple(WORK), weights=[weight for weight, _ in WORK.values()])
    began = time.monotonic()
    done, outcome = Done(0), OK
    try:
        done = WORK[kind][1](client)
    except WrongError as error:
        outcome = f"WRONG: {error}"
    except PullbackError as error:
        outcome = f"{error.reason or type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
        outcome = f"{type(error).__name__}: {error}"
    return Event(kind, began, time.monotonic() - began, outcome, done.answers, done.reopened)


if __name__ == "__main__":
    main()
