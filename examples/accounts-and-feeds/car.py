#!/usr/bin/python3
"""A car's geotracker: wakes up, connects, tells where the car was, disconnects and sleeps.

What it could not tell, since there was no network, it tells the next time.
"""

import json
import os
import random
import sys
import time

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402


def position():
    """What a receiver would say."""
    return json.dumps({"lat": round(54.32 + random.uniform(-0.01, 0.01), 5),
                       "lon": round(10.13 + random.uniform(-0.01, 0.01), 5), "ts": int(time.time())})


def main():
    parser = patient.arguments(__doc__.splitlines()[0])
    parser.add_argument("--every", type=float, default=60, help="s to sleep")
    options = parser.parse_args()
    account, thing = options.user.split(".", 1)
    client = patient.Client(options)
    client.heed_signals()
    while not client.ending:
        if len(client.open()) < 5:  # as many as it may send at once
            client.publish(f"{account}/feeds/{thing}/position", position(), retain=True)
        told = len(client.open())
        pause = client.visit()
        if not client.open():
            patient.say(f"told {told}, asleep")
        client.rest(max(pause, options.every))


main()
