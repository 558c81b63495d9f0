"""main.py - what a pupil writes: an ESP32 with a light sensor on pin 34, and an LED on pin 2."""

import machine

from classroom import Board

board = Board("settings.json")
led = machine.Pin(2, machine.Pin.OUT)
sensor = machine.ADC(machine.Pin(34))


@board.on("led")
def led_says(value):
    led.value(1 if value else 0)
    board.say("led_is", bool(value))


@board.on("text")
def text_says(value):
    print("display:", value)


@board.every(2)
def measure():
    board.say("light", sensor.read_u16() // 64)


board.run()
