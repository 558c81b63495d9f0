// PubSubClient.h - a host's stand-in with the methods and the states of PubSubClient 2.8, on
// libmosquitto.

#ifndef PUBSUBCLIENT_H
#define PUBSUBCLIENT_H

#include <string>

#include "ESP8266WiFi.h"

struct mosquitto;
struct mosquitto_message;

class PubSubClient
{
  public:
    typedef void (*Callback)(char *topic, uint8_t *payload, unsigned length);

    explicit PubSubClient(WiFiClient &tcp);
    ~PubSubClient();
    PubSubClient &setServer(const char *host, uint16_t port);
    PubSubClient &setCallback(Callback callback);
    PubSubClient &setKeepAlive(uint16_t seconds);
    PubSubClient &setSocketTimeout(uint16_t seconds);
    bool setBufferSize(uint16_t)
    {
        return true;
    }

    bool connect(const char *id, const char *user, const char *password);
    void disconnect();
    bool subscribe(const char *topic);
    bool publish(const char *topic, const char *payload, bool retained);
    bool loop();
    // 0 is connected; else -1 to -4, or the broker's return code.
    int state() const
    {
        return state_;
    }

  private:
    static void answered(mosquitto *, void *self, int code);
    static void heard(mosquitto *, void *self, const mosquitto_message *message);
    void close(int state);

    mosquitto *mqtt_ = nullptr;
    std::string host_;
    uint16_t port_ = 1883, keepalive_ = 15, patience_ = 15;
    Callback callback_ = nullptr;
    bool answered_ = false;
    int state_ = -1;
};

#endif
