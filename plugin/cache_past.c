/* What is asked of the registry past the cache, each in a scope of its own. */
#include "plugin/cache.h"
#include "registry/text.h"

enum err cache_read(struct cache *cache, const char *id, struct device *device)
{
    enum err e = registry_read(cache->registry);
    if (e)
        return e;
    e = registry_get_device(cache->registry, id, device);
    registry_end(cache->registry);
    return e;
}

enum err cache_generation(struct cache *cache, const char *id, uint64_t *generation)
{
    struct device read;
    enum err e = cache_read(cache, id, &read);
    if (e)
        return e;
    *generation = read.generation;
    device_clear(&read);
    return ERR_OK;
}

enum err cache_next(struct cache *cache, const char *after, char id[static DEVICE_ID_MAX + 1])
{
    struct device read;
    enum err e = registry_read(cache->registry);
    if (e)
        return e;
    e = registry_next_device(cache->registry, after, &read);
    registry_end(cache->registry);
    if (e && e != ERR_DAMAGED)
        return e;
    (void)text_copy(id, DEVICE_ID_MAX, read.id);
    if (!e)
        device_clear(&read);
    return ERR_OK;
}

enum err cache_device_count(struct cache *cache, uint64_t *count)
{
    enum err e = registry_read(cache->registry);
    if (e)
        return e;
    e = registry_device_count(cache->registry, count);
    registry_end(cache->registry);
    return e;
}
