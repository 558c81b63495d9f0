/* qr.h - a key as a QR code on the terminal: `add --qr`, `rotate --qr`.
 *
 * The code holds the key alone: what a device or a phone needs besides, its id and the broker's
 * name, is no secret, and everybody writes that in a way of his own. It is drawn on /dev/tty, so it
 * is never mixed into what a program reads, nor into a log; and where stdout is the same screen it
 * takes the key's place there, since a key is shown once. See answer_key.
 */
#ifndef DEVREG_ADMIN_QR_H
#define DEVREG_ADMIN_QR_H

#include "admin/command.h"
#include "registry/key.h"

/* Of the smallest code that a key fits in, version 3 at level L, with its quiet zone, in half
 * blocks; and the prompt that comes behind it. */
enum { QR_COLUMNS = 37, QR_ROWS = 19 };

/* Can --qr, if it is given, be obeyed? Asked before anything is changed. */
MUST_CHECK enum status qr_check(struct call *call);
/* It cannot where many keys are made. */
MUST_CHECK enum status qr_check_many(struct call *call);

/* Draws the key. libqrencode wipes nothing, so it works in a process of its own that ends with it.
 * False with errno. */
MUST_CHECK bool qr_draw(const char key[static KEY_TEXT_SIZE + 1]);

#endif
