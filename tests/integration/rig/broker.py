"""Debian's Mosquitto as central operations' broker (TLS and password), and a subscriber that keeps what it hears.

Retained messages survive `restart_with()`, which puts another certificate in place on the same port: that is how an expired one is
shown to the gateway.
"""

import json
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt

from .process import Process, accepts_connections

USER, PASSWORD = "gw", "broker-password"


class Broker:
    def __init__(self, folder, port, pki):
        self.port, self._pki, self._folder = port, pki, Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._passwords = self._folder / "passwords"
        self._passwords.touch(mode=0o600)
        subprocess.run(
            ["mosquitto_passwd", "-b", self._passwords, USER, PASSWORD],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.start(pki.server)

    def start(self, server=None):
        """With this certificate (a `pki.Server`), or the one it was made with."""
        server = server or self._pki.server
        config = self._folder / "mosquitto.conf"
        # As root Mosquitto would change to its own user, who can't read our keys.
        config.write_text(
            f"user root\n"
            f"listener {self.port} 127.0.0.1\n"
            f"cafile {self._pki.ca}\ncertfile {server.cert}\nkeyfile {server.key}\n"
            f"allow_anonymous false\npassword_file {self._passwords}\n"
            f"persistence true\npersistence_location {self._folder}/\n"
        )
        self.process = Process(
            "Mosquitto", ["mosquitto", "-c", config], log=self._folder / "mosquitto.log"
        )

    def wait_ready(self, timeout_s=20):
        self.process.wait_ready(lambda: accepts_connections(self.port), "listens", timeout_s)

    def restart_with(self, server):
        """Come back with another certificate (a `pki.Server`); returns once it listens."""
        self.stop()
        self.start(server)
        self.wait_ready()

    def stop(self):
        self.process.stop()


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    retained: bool
    at: float  # time.monotonic() of its arrival

    def json(self):
        return json.loads(self.payload)


class Subscriber:
    """Listens to `topic_filter` from its creation to `stop()`, reconnecting by itself; messages stay in order of arrival."""

    def __init__(self, port, pki, topic_filter):
        self.messages = []
        self._arrived = threading.Condition()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.tls_set_context(ssl.create_default_context(cafile=str(pki.ca)))
        self._client.reconnect_delay_set(min_delay=1, max_delay=2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic_filter, qos=1)
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, topic, payload, retain=False):
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def _keep(self, _client, _userdata, message):
        with self._arrived:
            self.messages.append(
                Message(message.topic, message.payload, message.retain, time.monotonic())
            )
            self._arrived.notify_all()

    def wait_for(self, predicate, timeout_s, since=0.0):
        """The first message after the monotonic time `since` for which `predicate(message)` holds; AssertionError when none came."""

        def match():
            return next((m for m in self.messages if m.at >= since and predicate(m)), None)

        with self._arrived:
            found = self._arrived.wait_for(match, timeout_s)
            if not found:
                seen = [(m.topic, m.payload[:200]) for m in self.messages[-5:]]
                raise AssertionError(f"no such message in {timeout_s:g} s; the last ones: {seen}")
            return found

    def stop(self):
        self._client.disconnect()
        self._client.loop_stop()
