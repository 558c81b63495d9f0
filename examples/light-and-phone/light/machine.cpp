#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace
{

const uint32_t MAGIC = 0x4c495431;    // "LIT1"
const uint32_t WIFI_PATIENCE = 20000; // ms that a network has to answer
const uint32_t ECHO_PATIENCE = 5000;  // ms that a message has to come back
const uint32_t STEADY = 10000;        // ms after which a connection was a good one

const char ON[] = "on", OFF[] = "off";

struct Question {
    const char *text;
    size_t offset, size;
    bool optional, secret;
};

const Question QUESTIONS[] = {
    {"Wi-Fi name", offsetof(Settings, ssid), sizeof(Settings::ssid), false, false},
    {"Wi-Fi password", offsetof(Settings, password), sizeof(Settings::password), true, true},
    {"broker (name, or name:port)", offsetof(Settings, broker), sizeof(Settings::broker), false,
     false},
    {"device", offsetof(Settings, device), sizeof(Settings::device), false, false},
    {"key", offsetof(Settings, key), sizeof(Settings::key), false, true},
};
const size_t QUESTION_COUNT = sizeof QUESTIONS / sizeof QUESTIONS[0];

char *field(Settings &settings, const Question &question)
{
    return reinterpret_cast<char *>(&settings) + question.offset;
}

const char *field(const Settings &settings, const Question &question)
{
    return reinterpret_cast<const char *>(&settings) + question.offset;
}

uint32_t crc32(const void *data, size_t length)
{
    const uint8_t *byte = static_cast<const uint8_t *>(data);
    uint32_t crc = 0xffffffff;
    while (length--) {
        crc ^= *byte++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

bool memory_is_good(const Memory &memory)
{
    if (memory.magic != MAGIC || memory.check != crc32(&memory, offsetof(Memory, check)))
        return false;
    for (const Question &question : QUESTIONS)
        if (!memchr(field(memory.settings, question), 0, question.size))
            return false;
    return true;
}

// "name", "name:1883" or "[2001:db8::1]:1883". False for a port that is none.
bool broker_parse(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *start = text, *end = strrchr(text, ':');
    *port = 1883;
    if (*text == '[') {
        start++;
        end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
    } else if (end && strchr(text, ':') != end) {
        end = nullptr; // an IPv6 address without brackets has no port
    }
    const char *number = end && *end == ']' ? (end[1] ? end + 2 : nullptr)
                         : end              ? end + 1
                                            : nullptr;
    if (number) {
        char *rest;
        const unsigned long value = strtoul(number, &rest, 10);
        if (*number < '0' || *number > '9' || *rest || value < 1 || value > 65535)
            return false;
        *port = static_cast<uint16_t>(value);
    }
    const size_t length = end ? static_cast<size_t>(end - start) : strlen(start);
    if (!length || length >= size)
        return false;
    memcpy(host, start, length);
    host[length] = 0;
    return true;
}

const char *why(int code)
{
    switch (code) {
    case 1:
        return "the broker speaks another version of MQTT (return code 1)";
    case 2:
        return "the broker does not take this client id (return code 2)";
    case 3:
        return "the broker is not ready (return code 3)";
    case 4:
        return "the broker is there, but the name or the key is wrong (return code 4); type setup "
               "to enter it anew";
    case 5:
        return "the broker is there, but the name or the key is wrong (return code 5); type setup "
               "to enter it anew";
    case -4:
        return "something is there, but does not answer as a broker";
    default:
        return code > 0 ? "the broker refuses for a reason of its own" : "the broker is away";
    }
}

} // namespace

Pauses::Pauses(Hardware &hardware, uint32_t first, uint32_t last)
    : hardware_(hardware), first_(first), last_(last), pause_(first), since_(0), length_(0)
{
}

void Pauses::rest()
{
    since_ = hardware_.now();
    length_ = pause_ - hardware_.random() % (pause_ / 2 + 1);
    pause_ = pause_ < last_ / 2 ? pause_ * 2 : last_;
}

bool Pauses::due() const
{
    return hardware_.now() - since_ >= length_;
}

Machine::Machine(Hardware &hardware, uint32_t pause, uint32_t pause_max)
    : hardware_(hardware), state_(OFFLINE), memory_(), settings_(memory_.settings),
      wifi_pauses_(hardware, pause, pause_max), broker_pauses_(hardware, pause, pause_max),
      entered_(0), trying_(false), refused_(false), untold_(false), waiting_(false), told_(0),
      said_(nullptr), line_(), length_(0), question_(0), too_long_(false), return_(false)
{
}

void Machine::begin()
{
    hardware_.load(&memory_);
    if (!memory_is_good(memory_)) {
        memset(&memory_, 0, sizeof memory_);
        memory_.magic = MAGIC;
    }
    enter(complete() ? DISCONNECTED : OFFLINE);
}

void Machine::enter(State state)
{
    static const char *const names[] = {"offline: type what is asked for, and Enter",
                                        "disconnected: looking for Wi-Fi",
                                        "Wi-Fi is there; looking for the broker", "active"};
    if (state_ == ACTIVE && state != ACTIVE && hardware_.now() - entered_ >= STEADY)
        broker_pauses_.reset();
    untold_ |= waiting_; // it may be lost
    state_ = state;
    entered_ = hardware_.now();
    trying_ = refused_ = waiting_ = false;
    hardware_.say(names[state]);
    if (state != ACTIVE)
        hardware_.disconnect();
    switch (state) {
    case OFFLINE:
        hardware_.wifi_end();
        question_ = 0;
        ask();
        break;
    case SEARCHING:
        broker_pauses_.rest(); // also before the first attempt: the whole street had the power cut
        break;
    default:
        break;
    }
}

void Machine::complain(const char *what)
{
    if (said_ && strcmp(said_, what) == 0)
        return;
    said_ = what;
    hardware_.say(what);
    hardware_.say("trying again with growing pauses");
}

void Machine::step()
{
    untold_ |= hardware_.pressed();
    for (int character; (character = hardware_.read()) >= 0;)
        typed(character);
    switch (state_) {
    case OFFLINE:
        break;
    case DISCONNECTED:
        look_for_wifi();
        break;
    case SEARCHING:
        look_for_broker();
        break;
    case ACTIVE:
        be_active();
        break;
    }
}

// The questions

bool Machine::complete() const
{
    for (const Question &question : QUESTIONS)
        if (!question.optional && !*field(settings_, question))
            return false;
    return true;
}

void Machine::ask()
{
    const Question &question = QUESTIONS[question_];
    const char *known = field(settings_, question);
    char line[160];
    if (!*known)
        snprintf(line, sizeof line, question.optional ? "%s (Enter: none)?" : "%s?", question.text);
    else
        snprintf(line, sizeof line,
                 question.optional ? "%s (Enter: %s; -: none)?" : "%s (Enter: %s)?", question.text,
                 question.secret ? "as it is" : known);
    hardware_.say(line);
}

void Machine::typed(int character)
{
    const bool second = character == '\n' && return_; // of the two that some terminals send
    return_ = character == '\r';
    if (second)
        return;
    if (character == '\r' || character == '\n') {
        line_[length_] = 0;
        line_end();
        memset(line_, 0, sizeof line_); // it may have been a key
        length_ = 0;
        too_long_ = false;
    } else if (length_ + 1 < sizeof line_) {
        line_[length_++] = static_cast<char>(character);
    } else {
        too_long_ = true;
    }
}

void Machine::line_end()
{
    if (state_ == OFFLINE)
        answer();
    else if (strcmp(line_, "setup") == 0)
        enter(OFFLINE);
    else if (length_)
        hardware_.say("unknown; the only word is setup");
}

void Machine::answer()
{
    const Question &question = QUESTIONS[question_];
    char *known = field(settings_, question), host[sizeof settings_.broker];
    uint16_t port;
    if (too_long_ || length_ >= question.size || strlen(line_) != length_) {
        hardware_.say("that is too long");
    } else if (!length_ && !*known && !question.optional) {
        hardware_.say("it does not go without");
    } else if (length_ && known == settings_.broker &&
               !broker_parse(line_, host, sizeof host, &port)) {
        hardware_.say("that is no broker");
    } else {
        if (length_) {
            memset(known, 0, question.size);
            if (!question.optional || strcmp(line_, "-") != 0)
                memcpy(known, line_, length_);
        }
        question_++;
    }
    if (question_ < QUESTION_COUNT)
        ask();
    else
        keep();
}

void Machine::keep()
{
    memory_.check = crc32(&memory_, offsetof(Memory, check));
    hardware_.say(hardware_.keep(memory_)
                      ? "kept"
                      : "the memory does not keep it: all will be asked again after a restart");
    said_ = nullptr;
    wifi_pauses_.reset();
    broker_pauses_.reset();
    enter(DISCONNECTED);
}

// Looking

void Machine::look_for_wifi()
{
    if (!trying_) {
        if (!wifi_pauses_.due())
            return;
        hardware_.wifi_begin(settings_.ssid, settings_.password);
        trying_ = true;
        entered_ = hardware_.now();
        return;
    }
    switch (hardware_.wifi()) {
    case Wifi::UP:
        wifi_pauses_.reset();
        said_ = nullptr;
        enter(SEARCHING);
        return;
    case Wifi::TRYING:
        if (hardware_.now() - entered_ < WIFI_PATIENCE)
            return;
        complain("the Wi-Fi does not answer");
        break;
    case Wifi::NO_NETWORK:
        complain("there is no Wi-Fi of this name");
        break;
    case Wifi::WRONG_PASSWORD:
        complain("the Wi-Fi's password is wrong; type setup to enter it anew");
        break;
    }
    trying_ = false;
    wifi_pauses_.rest();
}

void Machine::look_for_broker()
{
    if (hardware_.wifi() != Wifi::UP) {
        enter(DISCONNECTED);
        return;
    }
    if (!broker_pauses_.due())
        return;
    char host[sizeof settings_.broker];
    uint16_t port;
    if (!broker_parse(settings_.broker, host, sizeof host, &port))
        port = 0; // not reached: what was entered was looked at
    const int code = hardware_.connect(host, port, settings_.device, settings_.key);
    refused_ = code == 4 || code == 5;
    if (code == 0) {
        said_ = nullptr;
        enter(ACTIVE);
        if (untold_) // the switch had the last word, not the message that the broker kept
            tell();
        hardware_.subscribe(LIGHT_TOPIC);
        return;
    }
    complain(why(code));
    broker_pauses_.rest();
}

// Active

void Machine::be_active()
{
    if (hardware_.wifi() != Wifi::UP) {
        enter(DISCONNECTED);
        return;
    }
    if (!hardware_.connected()) {
        hardware_.say("the broker went away");
        enter(SEARCHING);
        return;
    }
    if (untold_)
        tell();
    if (waiting_ && hardware_.now() - told_ >= ECHO_PATIENCE) {
        waiting_ = false;
        hardware_.say(
            "the broker did not hand back what this light said: may it publish and subscribe "
            "living_room_lights?");
    }
}

void Machine::tell()
{
    const char *what = hardware_.light() ? ON : OFF;
    if (!hardware_.publish(LIGHT_TOPIC, what))
        return; // the connection is gone: it is told when there is one again
    untold_ = false;
    waiting_ = true;
    told_ = hardware_.now();
    hardware_.say(hardware_.light() ? "the switch says on" : "the switch says off");
}

// Who spoke last is right: also over what the switch said, which comes back in its turn.
void Machine::heard(const char *topic, const uint8_t *payload, size_t length)
{
    if (strcmp(topic, LIGHT_TOPIC) != 0)
        return;
    const bool on = length == 2 && memcmp(payload, ON, 2) == 0;
    if (!on && !(length == 3 && memcmp(payload, OFF, 3) == 0)) {
        hardware_.say("heard what is neither on nor off");
        return;
    }
    waiting_ = false;
    if (untold_ || hardware_.light() == on)
        return;
    hardware_.light(on);
    hardware_.say(on ? "heard on" : "heard off");
}
