// machine_test.cpp - the state machine on hardware that does what the test says. Its clock is the
// test's, and starts anew in the middle, as a board's does after 49 days.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>
#include <vector>

#include "machine.h"

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #what);       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

namespace
{

class Bench : public Hardware
{
  public:
    uint32_t clock = 0xffffffff - 30000, seed = 7;
    std::string input, output;
    Memory memory;
    bool keeps = true, was_pressed = false, lit = false, up = true, linked = false;
    Wifi air = Wifi::UP;
    int code = 0, wifi_attempts = 0;
    std::string host;
    uint16_t port = 0;
    std::vector<uint32_t> attempts; // when the broker was asked
    std::vector<std::string> sent;

    Bench()
    {
        memset(&memory, 0xff, sizeof memory);
    }
    uint32_t now() override
    {
        return clock;
    }
    uint32_t random() override
    {
        return seed = seed * 1664525 + 1013904223;
    }
    int read() override
    {
        if (input.empty())
            return -1;
        const char character = input[0];
        input.erase(0, 1);
        return static_cast<unsigned char>(character);
    }
    void say(const char *line) override
    {
        output += std::string(line) + "\n";
    }
    void load(Memory *into) override
    {
        *into = memory;
    }
    bool keep(const Memory &from) override
    {
        if (keeps)
            memory = from;
        return keeps;
    }
    bool pressed() override
    {
        const bool was = was_pressed;
        was_pressed = false;
        return was;
    }
    bool light() override
    {
        return lit;
    }
    void light(bool on) override
    {
        lit = on;
    }
    void wifi_begin(const char *, const char *) override
    {
        wifi_attempts++;
    }
    void wifi_end() override
    {
    }
    Wifi wifi() override
    {
        return air;
    }
    int connect(const char *to, uint16_t at, const char *, const char *) override
    {
        attempts.push_back(clock);
        host = to;
        port = at;
        linked = code == 0;
        return code;
    }
    bool connected() override
    {
        return linked;
    }
    void disconnect() override
    {
        linked = false;
    }
    bool subscribe(const char *topic) override
    {
        sent.push_back(std::string("? ") + topic);
        return linked;
    }
    bool publish(const char *topic, const char *payload) override
    {
        if (linked)
            sent.push_back(std::string(topic) + " " + payload);
        return linked;
    }
    void press()
    {
        lit = !lit;
        was_pressed = true;
    }
    int said(const char *text) const
    {
        int count = 0;
        for (size_t at = 0; (at = output.find(text, at)) != std::string::npos; at++)
            count++;
        return count;
    }
};

const char ANSWERS[] = "home\npass word\nbroker.example:1884\nlight\ndevreg_secret\n";

void pass(Machine &machine, Bench &bench, uint32_t ms)
{
    for (uint32_t end = bench.clock + ms; bench.clock != end; bench.clock += 10)
        machine.step();
}

void hear(Machine &machine, const char *payload)
{
    machine.heard(LIGHT_TOPIC, reinterpret_cast<const uint8_t *>(payload), strlen(payload));
}

Machine active(Bench &bench)
{
    Machine machine(bench, 1000, 60000);
    machine.begin();
    bench.input = ANSWERS;
    pass(machine, bench, 3000);
    CHECK(machine.state() == Machine::ACTIVE);
    return machine;
}

void a_new_board_asks_and_keeps_what_it_is_told()
{
    Bench bench;
    Machine machine(bench, 1000, 60000);
    machine.begin();
    pass(machine, bench, 100000);
    CHECK(machine.state() == Machine::OFFLINE && bench.wifi_attempts == 0 &&
          bench.attempts.empty());
    bench.input = ANSWERS;
    pass(machine, bench, 3000);
    CHECK(machine.state() == Machine::ACTIVE && bench.host == "broker.example" &&
          bench.port == 1884);
    CHECK(bench.said("secret") == 0 && bench.said("pass word") == 0);

    Machine again(bench, 1000, 60000); // after a power cut
    again.begin();
    pass(again, bench, 3000);
    CHECK(again.state() == Machine::ACTIVE);
}

void a_damaged_memory_is_none()
{
    Bench good;
    active(good);
    for (size_t i = 0; i < sizeof good.memory; i++) {
        Bench bench;
        bench.memory = good.memory;
        reinterpret_cast<unsigned char *>(&bench.memory)[i] ^= 0x10;
        Machine machine(bench, 1000, 60000);
        machine.begin();
        CHECK(machine.state() == Machine::OFFLINE);
    }
}

void bad_answers_are_asked_again()
{
    Bench bench;
    Machine machine(bench, 1000, 60000);
    machine.begin();
    bench.input = "\n" + std::string(33, 's') + "\n" + std::string(500, 's') + "\r\nhome\r\n-\n";
    bench.input += ":1883\nbroker:\nbroker:0\nbroker:65536\nbroker:18x3\n[::1\n[2001:db8::1]:"
                   "1885\nlight\n\nkey\n";
    for (size_t left = bench.input.size(); left--;)
        machine.step();
    CHECK(bench.said("it does not go without") >= 2 && bench.said("that is too long") == 2);
    CHECK(bench.said("that is no broker") == 6);
    pass(machine, bench, 3000);
    CHECK(machine.state() == Machine::ACTIVE && bench.host == "2001:db8::1" && bench.port == 1885);
}

void a_wrong_key_is_told_from_a_broker_that_is_away()
{
    for (int code : {4, 5, -2, -4}) {
        Bench bench;
        bench.code = code;
        Machine machine(bench, 1000, 60000);
        machine.begin();
        bench.input = ANSWERS;
        pass(machine, bench, 100000);
        CHECK(machine.state() == Machine::SEARCHING && machine.refused() == (code > 0));
        CHECK(bench.said("the name or the key is wrong") == (code > 0));
        CHECK(bench.said("the broker is away") == (code == -2));
        CHECK(bench.said("does not answer as a broker") == (code == -4));
    }
}

void pauses_grow_to_a_limit_and_are_never_the_same()
{
    Bench bench;
    bench.code = -2;
    Machine machine(bench, 1000, 60000);
    machine.begin();
    bench.input = ANSWERS;
    pass(machine, bench, 1000000);
    CHECK(bench.attempts.size() > 18 && bench.attempts.size() < 40);
    uint32_t limit = 2000, other = 0;
    for (size_t i = 1; i < bench.attempts.size(); i++, limit = limit < 30000 ? limit * 2 : 60000) {
        const uint32_t pause = bench.attempts[i] - bench.attempts[i - 1];
        CHECK(pause >= limit / 2 && pause <= limit + 20 && pause != other);
        other = pause;
    }
    bench.code = 0;
    pass(machine, bench, 61000);
    CHECK(machine.state() == Machine::ACTIVE);
    CHECK(bench.said("the broker is away") == 1);
}

void a_broker_that_throws_out_at_once_is_not_hammered()
{
    Bench bench;
    Machine machine = active(bench);
    bench.attempts.clear();
    for (uint32_t i = 0; i < 1000000; i += 10) {
        machine.step();
        bench.linked = false;
        bench.clock += 10;
    }
    CHECK(bench.attempts.size() < 40);
}

void a_good_connection_makes_the_next_pause_short()
{
    Bench bench;
    Machine machine = active(bench);
    bench.code = -2, bench.linked = false;
    pass(machine, bench, 300000);
    bench.code = 0;
    pass(machine, bench, 100000);
    CHECK(machine.state() == Machine::ACTIVE);
    bench.linked = false;
    pass(machine, bench, 1100);
    CHECK(machine.state() == Machine::ACTIVE);
}

void wifi_that_goes_is_looked_for()
{
    Bench bench;
    Machine machine = active(bench);
    bench.air = Wifi::NO_NETWORK;
    bench.wifi_attempts = 0;
    pass(machine, bench, 300000);
    CHECK(machine.state() == Machine::DISCONNECTED &&
          bench.said("there is no Wi-Fi of this name") == 1);
    CHECK(bench.wifi_attempts > 5 && bench.wifi_attempts < 20);
    bench.air = Wifi::WRONG_PASSWORD;
    pass(machine, bench, 61000);
    CHECK(bench.said("the Wi-Fi's password is wrong") == 1);
    bench.air = Wifi::TRYING;
    pass(machine, bench, 90000);
    CHECK(bench.said("the Wi-Fi does not answer") == 1);
    bench.air = Wifi::UP;
    pass(machine, bench, 62000);
    CHECK(machine.state() == Machine::ACTIVE);
}

void who_spoke_last_is_right()
{
    Bench bench;
    Machine machine = active(bench);
    hear(machine, "on");
    CHECK(bench.lit);
    for (const char *bad : {"", "ON", "onn", "of", "o", "offf"})
        hear(machine, bad);
    machine.heard("living_room", reinterpret_cast<const uint8_t *>("off"), 3);
    CHECK(bench.lit && bench.said("neither on nor off") == 6);
    bench.press();
    pass(machine, bench, 100);
    CHECK(!bench.lit && bench.sent.back() == "living_room_lights off");
    hear(machine, "on");
    CHECK(bench.lit);
}

void the_switch_works_without_a_broker_and_is_told_later()
{
    Bench bench;
    Machine machine = active(bench);
    bench.code = -2, bench.linked = false;
    pass(machine, bench, 20000);
    bench.press();
    pass(machine, bench, 1000);
    CHECK(bench.lit);
    bench.sent.clear();
    bench.code = 0;
    pass(machine, bench, 61000);
    CHECK(machine.state() == Machine::ACTIVE && bench.sent.size() == 2);
    CHECK(bench.sent[0] == "living_room_lights on" && bench.sent[1] == "? living_room_lights");
}

void what_was_lost_on_the_way_is_said_again()
{
    Bench bench;
    Machine machine = active(bench);
    bench.press();
    pass(machine, bench, 100);
    bench.linked = false; // before it came back
    bench.sent.clear();
    pass(machine, bench, 5000);
    CHECK(bench.sent.size() == 2 && bench.sent[0] == "living_room_lights on");
}

void a_light_that_may_not_speak_says_so()
{
    Bench bench;
    Machine machine = active(bench);
    bench.press();
    pass(machine, bench, 6000);
    CHECK(bench.said("may it publish and subscribe") == 1);
    bench.press();
    pass(machine, bench, 100);
    hear(machine, "off");
    pass(machine, bench, 6000);
    CHECK(bench.said("may it publish and subscribe") == 1);
}

void setup_asks_again_and_forgets_nothing()
{
    Bench bench;
    bench.code = 5;
    Machine machine(bench, 1000, 60000);
    machine.begin();
    bench.input = ANSWERS;
    pass(machine, bench, 100000);
    CHECK(machine.refused());
    bench.code = 0;
    bench.input = "nonsense\nsetup\n\n\n\n\nanother_key\n";
    pass(machine, bench, 2000);
    CHECK(machine.state() == Machine::ACTIVE && bench.host == "broker.example");
    CHECK(strcmp(bench.memory.settings.key, "another_key") == 0 &&
          strcmp(bench.memory.settings.password, "pass word") == 0);
    CHECK(bench.said("secret") == 0 && bench.said("another_key") == 0);
}

void a_memory_that_keeps_nothing_is_told()
{
    Bench bench;
    bench.keeps = false;
    active(bench);
    CHECK(bench.said("the memory does not keep it") == 1);
}

} // namespace

int main()
{
    a_new_board_asks_and_keeps_what_it_is_told();
    a_damaged_memory_is_none();
    bad_answers_are_asked_again();
    a_wrong_key_is_told_from_a_broker_that_is_away();
    pauses_grow_to_a_limit_and_are_never_the_same();
    a_broker_that_throws_out_at_once_is_not_hammered();
    a_good_connection_makes_the_next_pause_short();
    wifi_that_goes_is_looked_for();
    who_spoke_last_is_right();
    the_switch_works_without_a_broker_and_is_told_later();
    what_was_lost_on_the_way_is_said_again();
    a_light_that_may_not_speak_says_so();
    setup_asks_again_and_forgets_nothing();
    a_memory_that_keeps_nothing_is_told();
    puts("14 tests of the state machine passed");
}
