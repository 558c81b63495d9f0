// light.ino - the light controller on an ESP8266: the hardware behind machine.h, and no more.
//
// Libraries: ESP8266WiFi and EEPROM (they come with the board's package), PubSubClient 2.8.
// Wiring (a NodeMCU's names): D1 a relay, D2 a push button to ground, the board's own LED.
// Serial monitor: 115200 baud, line ending "Newline".

#include <Arduino.h>
#include <EEPROM.h>
#include <ESP8266WiFi.h>
#include <PubSubClient.h>

#include "machine.h"

#ifndef PAUSE_MS
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 60000
#endif

const uint8_t RELAY = D1, BUTTON = D2;
const uint32_t BOUNCE = 50; // ms of quiet before an edge that counts

WiFiClient tcp;
PubSubClient mqtt(tcp);
volatile bool on = false, switched = false;
volatile uint32_t last_edge = 0;

// The wall switch works while everything else waits, so it is an interrupt that turns the relay.
IRAM_ATTR void edge() {
  const uint32_t now = millis(), quiet = now - last_edge;
  last_edge = now;
  if (quiet < BOUNCE || digitalRead(BUTTON) != LOW)
    return;
  on = !on;
  switched = true;
  digitalWrite(RELAY, on);
}

class Board : public Hardware {
public:
  uint32_t now() override { return millis(); }
  uint32_t random() override { return RANDOM_REG32; }
  int read() override { return Serial.read(); }
  void say(const char *line) override { Serial.println(line); }

  void load(Memory *memory) override { EEPROM.get(0, *memory); }
  bool keep(const Memory &memory) override {
    EEPROM.put(0, memory);
    return EEPROM.commit();
  }

  bool pressed() override {
    const bool was = switched;
    switched = false;
    return was;
  }
  bool light() override { return on; }
  void light(bool wanted) override {
    on = wanted;
    digitalWrite(RELAY, on);
  }

  void wifi_begin(const char *ssid, const char *password) override { WiFi.begin(ssid, *password ? password : nullptr); }
  void wifi_end() override { WiFi.disconnect(); }
  Wifi wifi() override {
    switch (WiFi.status()) {
    case WL_CONNECTED: return Wifi::UP;
    case WL_NO_SSID_AVAIL: return Wifi::NO_NETWORK;
    case WL_WRONG_PASSWORD:
    case WL_CONNECT_FAILED: return Wifi::WRONG_PASSWORD;
    default: return Wifi::TRYING;
    }
  }

  int connect(const char *host, uint16_t port, const char *device, const char *key) override {
    strncpy(host_, host, sizeof host_ - 1); // PubSubClient keeps no copy
    mqtt.setServer(host_, port);
    return mqtt.connect(device, device, key) ? 0 : mqtt.state();
  }
  bool connected() override { return mqtt.loop(); }
  void disconnect() override { mqtt.disconnect(); }
  bool subscribe(const char *topic) override { return mqtt.subscribe(topic); }
  bool publish(const char *topic, const char *payload) override { return mqtt.publish(topic, payload, true); }

private:
  char host_[sizeof(Settings::broker)];
};

Board board;
Machine machine(board, PAUSE_MS, PAUSE_MAX_MS);

void heard(char *topic, uint8_t *payload, unsigned length) { machine.heard(topic, payload, length); }

// The LED blinks once in two seconds without Wi-Fi or settings, twice without a broker, three times for a
// wrong key; it is on when all is well.
void blink() {
  const uint32_t blinks = machine.state() != Machine::SEARCHING ? 1 : machine.refused() ? 3 : 2;
  const uint32_t moment = millis() % 2000;
  const bool lit = machine.state() == Machine::ACTIVE || (moment < blinks * 300 && moment % 300 < 150);
  digitalWrite(LED_BUILTIN, lit ? LOW : HIGH); // it is wired to the other side
}

void setup() {
  Serial.begin(115200);
  EEPROM.begin(sizeof(Memory));
  pinMode(RELAY, OUTPUT);
  pinMode(BUTTON, INPUT_PULLUP);
  pinMode(LED_BUILTIN, OUTPUT);
  attachInterrupt(digitalPinToInterrupt(BUTTON), edge, CHANGE);
  WiFi.persistent(false); // the settings are kept once, here
  WiFi.mode(WIFI_STA);
  WiFi.setAutoReconnect(false); // the machine does it
  tcp.setTimeout(2000);         // ms for TCP
  mqtt.setSocketTimeout(5);     // s for the broker's answer
  mqtt.setKeepAlive(30);
  mqtt.setBufferSize(512); // a CONNECT with a long key
  mqtt.setCallback(heard);
  machine.begin();
}

void loop() {
  machine.step();
  blink();
  delay(10);
}
