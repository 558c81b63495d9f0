// machine.h - the light controller's four states, without a word of hardware.
//
//   OFFLINE       knows no Wi-Fi, no broker or no key: asks for them on the serial line and keeps
//   them
//      |          in non-volatile memory
//   DISCONNECTED  looks for Wi-Fi                      <--+ Wi-Fi lost
//      |                                                  |
//   SEARCHING     looks for a broker that takes its key --+  <--+ broker lost
//      |                                                  |     |
//   ACTIVE        says and hears living_room_lights ------+-----+
//
// In every state the wall switch works at once, and typing "setup" leads to OFFLINE. Both looking
// states try again after pauses that grow to a limit. What is wrong is said in one line, and again
// only when it changes.
//
// Plain C++11: it runs on the ESP8266 (light.ino) and on the host, where it is tested.

#ifndef MACHINE_H
#define MACHINE_H

#include <stddef.h>
#include <stdint.h>

const char LIGHT_TOPIC[] = "living_room_lights";

// What the owner enters. All texts end with 0; the sizes are those of Wi-Fi and of devreg.
struct Settings {
    char ssid[33];
    char password[65]; // "" in an open network
    char broker[65];   // a name or an address, and ":port" where it is not 1883
    char device[129];
    char key[129];
};

// What is kept: a damaged memory, or one that was never written, is told by `check`.
struct Memory {
    uint32_t magic;
    Settings settings;
    uint32_t check; // CRC-32 of what stands before it
};

enum class Wifi { TRYING, UP, NO_NETWORK, WRONG_PASSWORD };

class Hardware
{
  public:
    virtual ~Hardware()
    {
    }
    virtual uint32_t now() = 0;    // ms, of a clock that starts anew after 49 days
    virtual uint32_t random() = 0; // 32 bits that another light does not have as well
    virtual int read() = 0;        // a character that was typed, or -1
    virtual void say(const char *line) = 0;
    virtual void load(Memory *memory) = 0;
    virtual bool keep(const Memory &memory) = 0;
    virtual bool pressed() = 0; // whether the wall switch has changed the light since the last call
    virtual bool light() = 0;
    virtual void light(bool on) = 0;
    virtual void wifi_begin(const char *ssid, const char *password) = 0;
    virtual void wifi_end() = 0;
    virtual Wifi wifi() = 0;
    // PubSubClient's: 0 connected; above 0 the broker's own return code; below 0 there was no
    // answer.
    virtual int connect(const char *host, uint16_t port, const char *device, const char *key) = 0;
    virtual bool connected() = 0; // also hands what came to Machine::heard()
    virtual void disconnect() = 0;
    virtual bool subscribe(const char *topic) = 0;
    virtual bool publish(const char *topic, const char *payload) = 0; // retained
};

// Pauses that grow from `first` to `last`, each drawn between its half and all of it: after a power
// cut not all lights come in the same instant.
class Pauses
{
  public:
    Pauses(Hardware &hardware, uint32_t first, uint32_t last);
    void reset()
    {
        pause_ = first_;
    }
    void rest(); // due() is false for the pause, and the next one is twice as long
    bool due() const;

  private:
    Hardware &hardware_;
    const uint32_t first_, last_;
    uint32_t pause_, since_, length_;
};

class Machine
{
  public:
    enum State { OFFLINE, DISCONNECTED, SEARCHING, ACTIVE };

    Machine(Hardware &hardware, uint32_t pause, uint32_t pause_max); // ms
    void begin();
    void step(); // does what is due; to be called all the time
    void heard(const char *topic, const uint8_t *payload, size_t length);
    State state() const
    {
        return state_;
    }
    // The broker is there, but does not take the key.
    bool refused() const
    {
        return refused_;
    }

  private:
    void enter(State state);
    void complain(const char *what);
    void ask();
    void typed(int character);
    void line_end();
    void answer();
    bool complete() const;
    void keep();
    void look_for_wifi();
    void look_for_broker();
    void be_active();
    void tell();

    Hardware &hardware_;
    State state_;
    Memory memory_;
    Settings &settings_;
    Pauses wifi_pauses_, broker_pauses_;
    uint32_t entered_; // when this state began
    bool trying_;      // DISCONNECTED: between wifi_begin() and its outcome
    bool refused_;
    bool untold_;      // the wall switch has something to say
    bool waiting_;     // what was told has not come back yet,
    uint32_t told_;    // since then
    const char *said_; // the last complaint
    char line_[130];
    size_t length_, question_;
    bool too_long_, return_;
};

#endif
