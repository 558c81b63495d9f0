#!/usr/bin/python3
"""A wind turbine: its latest reading and its state are retained, for whoever comes later.

Its last will says `offline` in its stead where the broker loses it.
"""

import os
import random
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402

STATE, POWER = "workshop/turbine/state", "workshop/turbine/power"


def main():
    parser = patient.arguments(__doc__.splitlines()[0])
    parser.add_argument("--every", type=float, default=5, help="s between two readings")
    options = parser.parse_args()
    client = patient.Client(options, will=(STATE, "offline", 1, True),
                            on_online=lambda client: client.publish(STATE, "online", retain=True))
    client.run(lambda client: client.publish(POWER, f"{random.uniform(800, 1200):.0f} W", retain=True),
               options.every)


main()
