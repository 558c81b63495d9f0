/* login.h - BASIC_AUTH: may this client connect? */
#ifndef DEVREG_PLUGIN_LOGIN_H
#define DEVREG_PLUGIN_LOGIN_H

#include "plugin/plugin.h"

/* A MOSQ_ERR_* for the broker: SUCCESS, AUTH, PLUGIN_DEFER for a user who is no device and a
 * client without a username, or, in 2.1
 * and for what is not a key, AUTH_DELAYED. */
int login_check(struct plugin *plugin, const struct mosquitto_evt_basic_auth *event);

/* The worker knows of a password (passwords_tick). Completes the connection that waits for it, if
 * one does. */
void login_complete(void *plugin, const struct password_found *found);

#endif
