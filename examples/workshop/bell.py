#!/usr/bin/python3
"""A bell: rings when somebody publishes to workshop/bell."""

import os
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402


def ring(_client, _topic, _payload):
    patient.say("\aRing!")


patient.Client(patient.arguments(__doc__).parse_args(), ["workshop/bell"], ring).run()
