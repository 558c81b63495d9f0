#!/usr/bin/python3
"""A lamp that somebody else switches: on and off on home/office/lamp."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import patient  # noqa: E402


def switch(_client, _topic, payload):
    if payload in (b"on", b"off"):
        patient.say("the lamp is", payload.decode())
    else:
        patient.say("neither on nor off: the lamp stays as it is")


def main():
    options = patient.arguments("A lamp.").parse_args()
    patient.Client(options, topics=["home/office/lamp"], on_message=switch).run()


if __name__ == "__main__":
    main()
