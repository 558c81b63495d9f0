#!/usr/bin/python3
"""A farm robot: does what is commanded, and says so.

The broker keeps its session while it is away: commands with QoS 1 and 2 wait there, those with QoS 0 do
not. With QoS 1 a command may come twice, so each has a number.
"""

import os
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402

done = set()  # a real one keeps this where a restart does not lose it


def obey(client, _topic, payload):
    number, _, order = payload.decode("ascii", "replace").partition(" ")
    if number in done:
        return
    done.add(number)
    patient.say(f"command {ascii(number)[1:-1]}: {ascii(order)[1:-1]}")
    client.publish("farm/robot/done", number)


patient.Client(patient.arguments(__doc__.splitlines()[0]).parse_args(), ["farm/robot/command"], obey,
               session=True).run()
