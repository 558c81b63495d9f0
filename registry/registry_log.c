/* The old end of the change log. */
#include <string.h>

#include "registry/registry_internal.h"

enum err registry_log_old(struct registry *registry, int64_t before, uint64_t keep,
                          struct log_old *old)
{
    struct log_entry entry = {.seq = 0};
    struct log_old found = {.count = 0};
    uint64_t last, unread = 0;
    enum err e = registry_last_entry(registry, &last);
    while (!e || e == ERR_DAMAGED) {
        e = registry_next_entry(registry, entry.seq, &entry);
        bool many = (!e || e == ERR_DAMAGED) && last - entry.seq >= keep;
        if (e == ERR_DAMAGED && !many)
            unread++; /* as old as what follows it */
        else if (many || (!e && entry.time < before)) {
            found.count += 1 + unread;
            found.last = entry.seq;
            if (!e)
                found.until = entry.time;
            unread = 0;
        } else if (!e)
            break;
    }
    if (e && e != ERR_NOT_FOUND)
        return e;
    *old = found;
    return ERR_OK;
}

void registry_log_cut(struct registry *registry, uint64_t last)
{
    const struct key_text end = key_of_entry(last);
    struct key_text copy = {.size = 0};
    struct bytes key, record;
    for (;;) { /* goes on behind the last one, which is still there where the scope has failed */
        enum err e = txn_next(registry->txn, KIND_LOG, key_bytes(&copy), &key, &record);
        if (e && e != ERR_DAMAGED) {
            if (e != ERR_NOT_FOUND)
                txn_fail(registry->txn, e);
            return;
        }
        if (key.size > KEY_MAX)
            return; /* no entry, and `devreg check` names it */
        copy.size = key.size;
        memcpy(copy.data, key.data, key.size);
        if (memcmp(copy.data, end.data, LOG_KEY_SIZE) > 0)
            return;
        txn_delete(registry->txn, key_bytes(&copy));
    }
}
