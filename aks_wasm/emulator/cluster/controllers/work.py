"""What drives the controllers: changes become keys in one queue, worked on until they hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.statuses import ApiFailure
from aks_wasm.emulator.cluster.store import Store, Subscription
from aks_wasm.emulator.cluster.trees import Tree

FIRST_RETRY = 0.005  # seconds; client-go's DefaultControllerRateLimiter: 5 ms doubling up to 1000 s
LAST_RETRY = 1000.0
LEAST_LAST_RETRY = 1.0  # seconds of wall time, so that what can't succeed does not spin at pace 0

log = logging.getLogger(__name__)


class Key(NamedTuple):
    """What is to be looked at; cluster-wide objects have no namespace."""

    namespace: str
    name: str


class Notice(NamedTuple):
    """One change of the store: `kind` is ADDED, MODIFIED or DELETED."""

    plural: str
    kind: str
    object: Tree


class Controller(Protocol):
    """One control loop: which changes concern it, and how it makes one object's world right."""

    @property
    def watches(self) -> Sequence[str]:
        """The plurals whose changes it hears of; none means all."""

    def keys(self, notice: Notice) -> Iterable[Key]:
        """Return what has to be looked at after a change."""

    def reconcile(self, key: Key) -> float | None:
        """Make it right; return the seconds (of wall time) after which to look again, if ever."""


Item = tuple[Controller, Key]


def key_of(obj: Tree) -> Key:
    """Return the key of an object."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace") or "", metadata["name"])


class ControlLoop:
    """Runs controllers over a store, one reconcile at a time, each atomic within the event loop."""

    def __init__(self, store: Store, controllers: Sequence[Controller], pace: Pace) -> None:
        self._store = store
        self._controllers = controllers
        self._last_retry = max(LEAST_LAST_RETRY, pace.scaled(LAST_RETRY))
        self._waiting: dict[Item, None] = {}  # in the order they came, each once
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._failures: dict[Item, int] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; starts from everything that is in the store."""
        subscription = self._store.subscribe()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(subscription))
                tasks.create_task(self._work())
        finally:
            subscription.close()
            for timer in self._timers.values():
                timer.cancel()

    async def _read(self, subscription: Subscription) -> None:
        async for plural, kind, obj in subscription:
            notice = Notice(plural, kind, obj)
            for controller in self._controllers:
                if not controller.watches or plural in controller.watches:
                    self._hear(controller, notice)

    def _hear(self, controller: Controller, notice: Notice) -> None:
        try:
            for key in controller.keys(notice):
                self._add((controller, key))
        except Exception:
            # As below: an object nobody can make sense of concerns nobody.
            log.exception("%s: %s/%s", type(controller).__name__, *key_of(notice.object))

    def _add(self, item: Item) -> None:
        self._waiting.setdefault(item)
        self._wake.set()

    def _add_later(self, item: Item, seconds: float) -> None:
        def due() -> None:
            self._timers.pop(item, None)
            self._add(item)

        if old := self._timers.pop(item, None):
            old.cancel()
        self._timers[item] = asyncio.get_running_loop().call_later(seconds, due)

    async def _work(self) -> None:
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            item = next(iter(self._waiting))
            del self._waiting[item]
            self._reconcile(item)
            await asyncio.sleep(0)  # the API server and the other controllers' changes get their turn

    def _reconcile(self, item: Item) -> None:
        controller, key = item
        try:
            again = controller.reconcile(key)
        except ApiFailure as failure:
            log.info("%s: %s/%s: %s", type(controller).__name__, *key, failure.message)
            again = self._retry_delay(item)
        except Exception:
            # One object that a controller can't cope with must not stop the cluster.
            log.exception("%s: %s/%s", type(controller).__name__, *key)
            again = self._retry_delay(item)
        else:
            self._failures.pop(item, None)
        if again is not None:
            self._add_later(item, max(0.0, again))

    def _retry_delay(self, item: Item) -> float:
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        return float(min(FIRST_RETRY * 2 ** min(failures, 30), self._last_retry))
