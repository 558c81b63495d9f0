// EEPROM.h - a host's stand-in: the non-volatile memory is the file $LIGHT_MEMORY.

#ifndef EEPROM_H
#define EEPROM_H

#include <vector>

#include "Arduino.h"

class HostEEPROM
{
  public:
    void begin(size_t size);
    bool commit();
    template <typename T> T &get(int address, T &value)
    {
        memcpy(&value, bytes_.data() + address, sizeof value);
        return value;
    }
    template <typename T> const T &put(int address, const T &value)
    {
        memcpy(bytes_.data() + address, &value, sizeof value);
        return value;
    }

  private:
    std::vector<uint8_t> bytes_;
};
extern HostEEPROM EEPROM;

#endif
