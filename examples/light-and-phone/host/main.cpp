// main.cpp - runs the whole firmware, light.ino included, on a host: the network is the host's,
// stdin and stdout are the serial line, the Wi-Fi and the memory are files. What the relay does is
// said.
//
//   LIGHT_AIR=air LIGHT_MEMORY=memory ./light

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <mosquitto.h>
#include <poll.h>
#include <random>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "../light/light.ino"

HostSerial Serial;
HostWiFi WiFi;
HostEEPROM EEPROM;

namespace
{

const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "light: $%s has to name a file\n", name);
        exit(2);
    }
    return value;
}

uint8_t pins[16];
void (*on_edge)();

void press()
{
    for (uint8_t level : {LOW, HIGH}) {
        pins[BUTTON] = level;
        if (on_edge)
            on_edge();
    }
}

} // namespace

// The clock, the pins

unsigned long millis()
{
    using namespace std::chrono;
    static const steady_clock::time_point start = steady_clock::now();
    // It starts anew five seconds after the start: the firmware has to get over that.
    return static_cast<uint32_t>(duration_cast<milliseconds>(steady_clock::now() - start).count() -
                                 5000);
}

void delay(unsigned long ms)
{
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

uint32_t host_random()
{
    static std::random_device device;
    return device();
}

void pinMode(uint8_t pin, uint8_t mode)
{
    pins[pin] = mode == INPUT_PULLUP ? HIGH : LOW;
}
int digitalRead(uint8_t pin)
{
    return pins[pin];
}

void digitalWrite(uint8_t pin, uint8_t value)
{
    if (pin == RELAY && pins[pin] != value)
        Serial.println(value ? "relay: on" : "relay: off");
    pins[pin] = value;
}

int digitalPinToInterrupt(uint8_t pin)
{
    return pin;
}
void attachInterrupt(uint8_t, void (*function)(), int)
{
    on_edge = function;
}

// The serial line

void HostSerial::begin(unsigned long)
{
    setvbuf(stdout, nullptr, _IOLBF, 0);
}
void HostSerial::println(const char *line)
{
    puts(line);
}

int HostSerial::read()
{
    static std::string typed, ready;
    static bool ended = false;
    pollfd in = {STDIN_FILENO, POLLIN, 0};
    char character;
    while (ready.empty() && !ended && poll(&in, 1, 0) > 0) {
        if (::read(STDIN_FILENO, &character, 1) != 1) {
            ended = true;
            break;
        }
        typed += character;
        if (character != '\n')
            continue;
        if (typed == "press\n")
            press();
        else
            ready = typed;
        typed.clear();
    }
    if (ready.empty())
        return -1;
    character = ready[0];
    ready.erase(0, 1);
    return static_cast<unsigned char>(character);
}

// Wi-Fi

void HostWiFi::begin(const char *ssid, const char *password)
{
    ssid_ = ssid;
    password_ = password ? password : "";
    begun_ = true;
}

void HostWiFi::disconnect()
{
    begun_ = false;
}

wl_status_t HostWiFi::status()
{
    static const char *const air = setting("LIGHT_AIR");
    if (!begun_)
        return WL_DISCONNECTED;
    std::ifstream file(air);
    for (std::string ssid, password; file >> ssid >> password;)
        if (ssid == ssid_)
            return password == password_ ? WL_CONNECTED : WL_WRONG_PASSWORD;
    return WL_NO_SSID_AVAIL;
}

// The memory: as on a board that was never written, until it is.

void HostEEPROM::begin(size_t size)
{
    bytes_.assign(size, 0xff);
    std::ifstream file(setting("LIGHT_MEMORY"), std::ios::binary);
    file.read(reinterpret_cast<char *>(bytes_.data()), static_cast<std::streamsize>(size));
}

bool HostEEPROM::commit()
{
    const int file = open(setting("LIGHT_MEMORY"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        return false;
    const bool done =
        write(file, bytes_.data(), bytes_.size()) == static_cast<ssize_t>(bytes_.size());
    return close(file) == 0 && done;
}

// PubSubClient

PubSubClient::PubSubClient(WiFiClient &)
{
    mosquitto_lib_init();
}

PubSubClient::~PubSubClient()
{
    close(-1);
    mosquitto_lib_cleanup();
}

PubSubClient &PubSubClient::setServer(const char *host, uint16_t port)
{
    host_ = host;
    port_ = port;
    return *this;
}

PubSubClient &PubSubClient::setCallback(Callback callback)
{
    callback_ = callback;
    return *this;
}

PubSubClient &PubSubClient::setKeepAlive(uint16_t seconds)
{
    keepalive_ = seconds;
    return *this;
}

PubSubClient &PubSubClient::setSocketTimeout(uint16_t seconds)
{
    patience_ = seconds;
    return *this;
}

void PubSubClient::close(int state)
{
    mosquitto_destroy(mqtt_);
    mqtt_ = nullptr;
    state_ = state;
}

bool PubSubClient::connect(const char *id, const char *user, const char *password)
{
    close(-1);
    mqtt_ = mosquitto_new(id, true, this);
    if (!mqtt_)
        return false;
    mosquitto_username_pw_set(mqtt_, user, password);
    mosquitto_connect_callback_set(mqtt_, answered);
    mosquitto_message_callback_set(mqtt_, heard);
    if (mosquitto_connect(mqtt_, host_.c_str(), port_, keepalive_) != MOSQ_ERR_SUCCESS) {
        close(-2);
        return false;
    }
    answered_ = false;
    const uint32_t start = millis();
    while (!answered_ && static_cast<uint32_t>(millis()) - start < patience_ * 1000u)
        if (mosquitto_loop(mqtt_, 100, 1) != MOSQ_ERR_SUCCESS)
            break;
    if (!answered_ || state_ != 0)
        close(answered_ ? state_ : -4);
    return state_ == 0;
}

void PubSubClient::answered(mosquitto *, void *self, int code)
{
    static_cast<PubSubClient *>(self)->answered_ = true;
    static_cast<PubSubClient *>(self)->state_ = code;
}

void PubSubClient::heard(mosquitto *, void *self, const mosquitto_message *message)
{
    const Callback callback = static_cast<PubSubClient *>(self)->callback_;
    if (callback)
        callback(message->topic, static_cast<uint8_t *>(message->payload),
                 static_cast<unsigned>(message->payloadlen));
}

bool PubSubClient::loop()
{
    if (mqtt_ && mosquitto_loop(mqtt_, 0, 1) != MOSQ_ERR_SUCCESS)
        close(-3);
    return mqtt_ != nullptr;
}

void PubSubClient::disconnect()
{
    if (mqtt_)
        mosquitto_disconnect(mqtt_);
    close(-1);
}

bool PubSubClient::subscribe(const char *topic)
{
    return mqtt_ && mosquitto_subscribe(mqtt_, nullptr, topic, 0) == MOSQ_ERR_SUCCESS;
}

bool PubSubClient::publish(const char *topic, const char *payload, bool retained)
{
    return mqtt_ && mosquitto_publish(mqtt_, nullptr, topic, static_cast<int>(strlen(payload)),
                                      payload, 0, retained) == MOSQ_ERR_SUCCESS;
}

namespace
{
volatile sig_atomic_t ending;
void end(int)
{
    ending = 1;
}
} // namespace

int main()
{
    signal(SIGTERM, end);
    signal(SIGINT, end);
    setup();
    while (!ending)
        loop();
    mqtt.disconnect();
}
