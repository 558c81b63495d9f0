/* fuzz_record.c - records as bytes.
 *
 *   d|r|e|p|f  BYTES   a device, role, log entry, presence record or the items of a piece of the
 *                      feed: refused, or what they decode to encodes to them again
 *   D|R|E|P    SEED    a random one of these comes back as it was
 */
#include "registry/presence_feed.h"
#include "registry/record.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/arbitrary.h"

static struct bytes bytes_of(const struct pack *pack)
{
    return (struct bytes){pack->data, pack->size};
}

static enum err again_device(struct pack *pack, struct bytes bytes)
{
    struct device device;
    enum err e = device_decode(&device, bytes);
    if (e)
        return e;
    device_encode(pack, &device);
    (void)device_plausible(&device); /* of any device at all */
    device_clear(&device);
    return ERR_OK;
}

static enum err again_role(struct pack *pack, struct bytes bytes)
{
    struct role role;
    enum err e = role_decode(&role, bytes);
    if (e)
        return e;
    role_encode(pack, &role);
    role_clear(&role);
    return ERR_OK;
}

static enum err again_entry(struct pack *pack, struct bytes bytes)
{
    struct log_entry entry;
    enum err e = entry_decode(&entry, bytes);
    if (!e)
        entry_encode(pack, &entry);
    return e;
}

static enum err again_presence(struct pack *pack, struct bytes bytes)
{
    struct presence presence;
    enum err e = presence_decode(&presence, bytes);
    if (!e)
        presence_encode(pack, &presence);
    return e;
}

static enum err again_items(struct pack *pack, struct bytes bytes)
{
    struct feed_item item;
    while (bytes.size) {
        size_t size = bytes.size;
        if (!feed_item_next(&bytes, &item))
            return ERR_DAMAGED;
        HOLDS(bytes.size < size); /* it comes to an end */
        feed_item_add(pack, &item);
    }
    return ERR_OK;
}

static void check_bytes(const struct input *input,
                        enum err (*again)(struct pack *pack, struct bytes bytes))
{
    struct pack pack = {0};
    uint8_t *own = (uint8_t *)input_copy(input->at, input->size), *exact = own;
    if (input->size) { /* without the NUL */
        exact = realloc(own, input->size);
        HOLDS(exact);
    }
    enum err e = again(&pack, (struct bytes){exact, input->size});
    HOLDS(e == ERR_OK || e == ERR_DAMAGED || e == ERR_TOO_NEW);
    if (e == ERR_OK)
        HOLDS(!pack.failed && pack.size == input->size &&
              (!pack.size || memcmp(pack.data, exact, pack.size) == 0));
    pack_free(&pack);
    free(exact);
}

static void check_device(struct rng *rng)
{
    struct device device, back;
    struct pack pack = {0};
    any_device(rng, &device);
    device_encode(&pack, &device);
    HOLDS(device_decode(&back, bytes_of(&pack)) == ERR_OK);
    HOLDS(device_same(&device, &back));
    pack_free(&pack);
    device_clear(&device);
    device_clear(&back);
}

static void check_role(struct rng *rng)
{
    struct role role, back;
    struct pack pack = {0};
    any_role(rng, &role);
    role_encode(&pack, &role);
    HOLDS(role_decode(&back, bytes_of(&pack)) == ERR_OK);
    HOLDS(role_same(&role, &back));
    pack_free(&pack);
    role_clear(&role);
    role_clear(&back);
}

static void check_entry(struct rng *rng)
{
    struct log_entry entry, back;
    struct pack pack = {0};
    any_entry(rng, &entry);
    entry_encode(&pack, &entry);
    HOLDS(entry_decode(&back, bytes_of(&pack)) == ERR_OK);
    HOLDS(entry_same(&entry, &back));
    pack_free(&pack);
}

static void check_presence(struct rng *rng)
{
    struct presence presence, back;
    struct pack pack = {0};
    any_presence(rng, &presence);
    presence_encode(&pack, &presence);
    HOLDS(presence_decode(&back, bytes_of(&pack)) == ERR_OK);
    HOLDS(presence_same(&presence, &back));
    pack_free(&pack);
}

static const struct kind {
    char bytes, random;
    enum err (*again)(struct pack *pack, struct bytes bytes);
    void (*check)(struct rng *rng);
} kinds[] = {{'d', 'D', again_device, check_device},
             {'r', 'R', again_role, check_role},
             {'e', 'E', again_entry, check_entry},
             {'p', 'P', again_presence, check_presence},
             {'f', 'F', again_items, NULL}};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return crypto_init() == ERR_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char which = (char)input_byte(&input);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct rng rng = {input_seed(&input)};
        if (which == kinds[i].bytes)
            check_bytes(&input, kinds[i].again);
        else if (which == kinds[i].random && kinds[i].check)
            kinds[i].check(&rng);
    }
    return 0;
}
