#!/usr/bin/python3
"""A toaster: obeys its switch, and tells how bright its toast is, 0 to 1024.

It stays connected, since the switch has to work at once. Where the broker tells it that it says too
much, it says less.
"""

import json
import os
import random
import sys
import time

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402


class Toaster:
    def __init__(self, options):
        self.account, self.thing = options.user.split(".", 1)
        self.every, self.next, self.deaf = options.every, 0, options.deaf
        self.feeds = f"{self.account}/feeds/{self.thing}"
        self.errors = f"devreg/errors/{options.user}"

    def heard(self, _client, topic, payload):
        if topic == self.errors:
            self.told(json.loads(payload))
        elif payload in (b"on", b"off"):
            patient.say("the toaster is", payload.decode())
        else:
            patient.say("a switch is on or off, and nothing else")

    def told(self, error):
        patient.say(f"told: {error['kind']} dropped {error['count']} on {error['topic']}")
        if error["kind"] == "messages" and not self.deaf:
            self.every = min(max(self.every * 2, 2.5), 60)
            patient.say(f"from now on a reading each {self.every:g} s")

    def measure(self, client):
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.every
            client.publish(self.feeds + "/photocell", str(random.randint(0, 1024)), retain=True)


def main():
    parser = patient.arguments(__doc__.splitlines()[0])
    parser.add_argument("--every", type=float, default=10, help="s between two readings")
    parser.add_argument("--deaf", action="store_true", help="do not slow down when told")
    options = parser.parse_args()
    toaster = Toaster(options)
    client = patient.Client(options, [toaster.feeds + "/switch", toaster.errors], toaster.heard)
    client.run(toaster.measure, every=0.1)


main()
