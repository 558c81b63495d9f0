// ESP8266WiFi.h - a host's stand-in: the networks in the air are the lines of the file $LIGHT_AIR,
// a name and a password each.

#ifndef ESP8266WIFI_H
#define ESP8266WIFI_H

#include <string>

#include "Arduino.h"

enum wl_status_t {
    WL_IDLE_STATUS = 0,
    WL_NO_SSID_AVAIL = 1,
    WL_CONNECTED = 3,
    WL_CONNECT_FAILED = 4,
    WL_WRONG_PASSWORD = 6,
    WL_DISCONNECTED = 7
};
enum WiFiMode_t { WIFI_STA = 1 };

class HostWiFi
{
  public:
    void persistent(bool)
    {
    }
    bool mode(WiFiMode_t)
    {
        return true;
    }
    bool setAutoReconnect(bool)
    {
        return true;
    }
    void begin(const char *ssid, const char *password);
    void disconnect();
    wl_status_t status();

  private:
    bool begun_ = false;
    std::string ssid_, password_;
};
extern HostWiFi WiFi;

class WiFiClient
{
  public:
    void setTimeout(unsigned long)
    {
    }
};

#endif
