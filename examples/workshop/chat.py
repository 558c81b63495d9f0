#!/usr/bin/python3
"""The chat room, on a terminal: what is typed is said, `/bell` rings the bell.

Each talks on workshop/chat/<user>, and no rule allows another's: nobody speaks in another's name.
"""

import os
import select
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402

ROOM, BELL = "workshop/chat/", "workshop/bell"


class Keyboard:
    """What was typed until now, line by line, without waiting for more."""

    def __init__(self):
        self.rest, self.ended = b"", False

    def lines(self):
        while not self.ended and select.select([0], [], [], 0)[0]:
            data = os.read(0, 4096)
            self.ended = not data
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")


def show(_client, topic, payload):
    text = payload.decode(errors="replace")
    patient.say(f"{topic[len(ROOM):]}: {text if text.isprintable() else ascii(text)}")


def talk(client, keyboard):
    for line in keyboard.lines():
        if line == "/bell":
            client.publish(BELL, "", qos=0)  # one that rings late is worse than none
        elif line:
            client.publish(ROOM + client.options.user, line)
    if keyboard.ended:
        client.end()


def main():
    options, keyboard = patient.arguments(__doc__.splitlines()[0]).parse_args(), Keyboard()
    client = patient.Client(options, [ROOM + "+"], show, session=True)  # hears what was said meanwhile
    client.run(lambda client: talk(client, keyboard), every=0.1)


main()
