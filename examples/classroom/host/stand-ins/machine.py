"""machine.py - a host's stand-in: the pins are lines on stdout, and the light comes and goes."""

import os


def unique_id():
    return bytes.fromhex(os.getenv("BOARD_ID"))


class Pin:
    OUT = 1

    def __init__(self, number, mode=None):
        self.number = number

    def value(self, level):
        print("pin %d: %d" % (self.number, level))


class ADC:
    def __init__(self, pin):
        self.now = 0

    def read_u16(self):
        self.now = (self.now + 9000) % 65536
        return self.now
