/* acl.h - ACL_CHECK: may this client publish, subscribe, be handed this? */
#ifndef DEVREG_PLUGIN_ACL_H
#define DEVREG_PLUGIN_ACL_H

#include "plugin/plugin.h"

/* MOSQ_ERR_SUCCESS or MOSQ_ERR_ACL_DENIED; MOSQ_ERR_PLUGIN_DEFER only for a username that is no
 * device and that devreg never let in, on topics that are not devreg's own. */
int acl_check(struct plugin *plugin, const struct mosquitto_evt_acl_check *event);

#endif
