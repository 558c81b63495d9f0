// Arduino.h - as much of the ESP8266's Arduino as light.ino asks for, on a host. Behind it:
// main.cpp.

#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IRAM_ATTR
#define RANDOM_REG32 host_random()

enum { LOW, HIGH };
enum { INPUT, OUTPUT, INPUT_PULLUP };
enum { CHANGE = 3 };
enum { LED_BUILTIN = 2, D2 = 4, D1 = 5 };

unsigned long millis();
void delay(unsigned long ms);
void pinMode(uint8_t pin, uint8_t mode);
int digitalRead(uint8_t pin);
void digitalWrite(uint8_t pin, uint8_t value);
int digitalPinToInterrupt(uint8_t pin);
void attachInterrupt(uint8_t interrupt, void (*function)(), int mode);
uint32_t host_random();

// The serial line is stdin and stdout. A line "press" on stdin is a hand on the wall switch.
class HostSerial
{
  public:
    void begin(unsigned long baud);
    int read();
    void println(const char *line);
};
extern HostSerial Serial;

#endif
