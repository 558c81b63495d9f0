/* login.h - BASIC_AUTH: may this client connect? */
#ifndef DEVREG_PLUGIN_LOGIN_H
#define DEVREG_PLUGIN_LOGIN_H

#include "plugin/plugin.h"

/* A MOSQ_ERR_* for the broker: SUCCESS, AUTH, PLUGIN_DEFER for a user who is no device and a
 * client without a username, or, in 2.1
 * and for a person's password, AUTH_DELAYED. */
int login_check(struct plugin *plugin, const struct mosquitto_evt_basic_auth *event);

/* The worker knows of the password of a connection that waits (passwords_tick). Completes it. */
void login_complete(void *plugin, const char *client_id, const void *pointer, bool right);

#endif
