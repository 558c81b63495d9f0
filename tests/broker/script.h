/* script.h - packets as text: what a conformance case sends, and what it expects.
 *
 *   10 ( 'MQTT' 04 @02 003c 'a' @ )     CONNECT of MQTT 3.1.1, clean, keepalive 60, client id "a"
 *
 *   30ff        bytes in hexadecimal          "text"      the bytes of a text
 *   61*5000     bytes again and again         'text'      the same behind its size in two bytes
 *   ( ... )     its size as in 2.2.3, and it  [ ... ]     its size in two bytes, and it
 *   @02         CONNECT's flags; for a device those of username and password are added
 *   @           for a device its username and password; else nothing
 *   id          the packet id of the last PUBLISH that this peer was sent
 *   name:x,y    a name that was given by `let name = ...`; x stands for its %, and y for its &
 *
 * A pattern is the first byte of a packet, a colon, and what comes behind the length. There ? is
 * any byte, and * the rest, whatever it is.
 */
#ifndef DEVREG_TESTS_SCRIPT_H
#define DEVREG_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAMES_MAX = 64, SCRIPT_WHY = 160, UNIT_ANY = 0x100, UNIT_REST = 0x101 };

struct script_name {
    char name[16];
    char *text;
};

/* What the words mean. Begin with {0}. */
struct script {
    struct script_name names[NAMES_MAX];
    size_t name_count;
    const char *user, *key; /* of the device; NULL: none */
    uint16_t id;
    char why[SCRIPT_WHY]; /* what was wrong with the text */
};

/* Bytes, UNIT_ANY and UNIT_REST. Free with units_clear. */
struct units {
    uint16_t *at;
    size_t count, room;
};

/* `name = text`. False, and `why`, where that is wrong. */
bool script_let(struct script *script, const char *line);
/* Appends what the text says to `units`. */
bool script_encode(struct script *script, const char *text, struct units *units);
/* Is the packet what the pattern says? False too where the pattern is wrong: `why` is not empty. */
bool script_matches(struct script *script, const char *pattern, const uint8_t *packet, size_t size);
void script_clear(struct script *script);
void units_clear(struct units *units);

#endif
