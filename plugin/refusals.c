#include "plugin/refusals.h"

#include <string.h>

#include "plugin/plugin.h"
#include "registry/key.h"
#include "registry/text.h"

static const char *refusal_name(enum refusal refusal)
{
    static const char *const names[] = {"none",
                                        "unknown_device",
                                        "no_password",
                                        "wrong_key",
                                        "wrong_password",
                                        "password_is_being_checked",
                                        "too_many_passwords",
                                        "guessing",
                                        "disabled",
                                        "revoked",
                                        "expired",
                                        "quarantined",
                                        "client_id",
                                        "client_id_of_another",
                                        "too_many_connections",
                                        "registry_unreadable",
                                        "presence_unreadable"};
    return names[refusal];
}

/* One word: a blank in it would let a client write words of its own into the line. A key that was
 * typed into the wrong field is not for the log. */
static const char *shown(char *out, size_t size, const char *text)
{
    key_hide(text_escape(out, size, text[0] ? text : NULL));
    for (char *blank = out; (blank = strchr(blank, ' '));)
        *blank = '_';
    return out;
}

static void say(struct plugin *plugin, const struct refusal_note *note)
{
    char user[48], id[48], address[64];
    const char *why = refusal_name(note->refusal);
    shown(user, sizeof user, note->device);
    shown(id, sizeof id, note->client);
    shown(address, sizeof address, note->address);
    if (!note->network.family)
        journal_add(&plugin->journal, MOSQ_LOG_NOTICE,
                    "refused device=%s client=%s address=%s reason=%s", user, id, address, why);
    else if (guesses_may_tell(&plugin->guesses, &note->network, clock_steady()))
        journal_add(&plugin->journal, MOSQ_LOG_NOTICE,
                    "login failed from %s device=%s client=%s reason=%s", address, user, id, why);
    else
        plugin->refusals.left_out++;
}

/* For the device of that name, if there is one. */
static void count(struct plugin *plugin, const struct refusal_note *note)
{
    uint64_t generation;
    enum refusal why = note->refusal;
    if (why == REFUSED_NOT_CHECKED || why == REFUSED_UNSEEN || why >= REFUSED_FAULT ||
        !device_id_valid(note->device) ||
        cache_generation(&plugin->cache, note->device, &generation) != ERR_OK)
        return;
    presence_refused(&plugin->presences, note->device, generation, note->now);
    event_auth_failed(&plugin->events, note->device, note->client,
                      note->address[0] ? note->address : NULL, refusal_name(why), note->now);
}

static void say_left_out(struct plugin *plugin)
{
    struct refusals *refusals = &plugin->refusals;
    int64_t now = clock_steady();
    if (now - refusals->said_at < REFUSALS_LEFT_OUT_MS)
        return;
    journal_add(&plugin->journal, MOSQ_LOG_NOTICE, "%llu more failed logins were left out",
                (unsigned long long)refusals->left_out);
    refusals->left_out = 0;
    refusals->said_at = now;
}

void refusals_tell(struct plugin *plugin)
{
    struct refusals *refusals = &plugin->refusals;
    size_t notes = refusals->count;
    refusals->count = 0;
    for (size_t i = 0; i < notes; i++) {
        say(plugin, &refusals->notes[i]);
        count(plugin, &refusals->notes[i]);
    }
    if (refusals->left_out)
        say_left_out(plugin);
}

void refusals_note(struct plugin *plugin, const struct refused *refused)
{
    struct refusals *refusals = &plugin->refusals;
    if (refusals->count == REFUSALS_MAX)
        refusals_tell(plugin);
    struct refusal_note *note = &refusals->notes[refusals->count++];
    note->refusal = refused->refusal;
    note->network = refused->network;
    note->now = refused->now;
    text_cut(note->device, DEVICE_ID_MAX, refused->username ? refused->username : "");
    text_cut(note->client, REFUSAL_CLIENT_MAX, refused->client_id ? refused->client_id : "");
    text_cut(note->address, PRESENCE_ADDRESS_MAX, refused->address ? refused->address : "");
}
