/* prop_record.c - records as bytes: there and back for random ones, and no harm by broken ones.
 *
 * The law for any bytes at all: they are refused, or what they decode to encodes to them again. */
#include "tests/support/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "registry/record.h"
#include "tests/support/arbitrary.h"
#include "tests/support/rng.h"

enum { ROUNDS = 400, BROKEN_ROUNDS = 12 };

static struct rng rng;

static struct bytes bytes_of(const struct pack *pack)
{
    return (struct bytes){pack->data, pack->size};
}

/* One kind of record: make a random one and pack it; decode bytes and pack that again. */
struct kind {
    const char *name;
    void (*make)(struct pack *pack);
    enum err (*again)(struct pack *pack, struct bytes bytes);
    uint8_t format; /* the latest */
};

static void make_device(struct pack *pack)
{
    struct device device;
    any_device(&rng, &device);
    device_encode(pack, &device);
    device_clear(&device);
}

static enum err again_device(struct pack *pack, struct bytes bytes)
{
    struct device device;
    enum err e = device_decode(&device, bytes);
    if (e)
        return e;
    device_encode(pack, &device);
    device_clear(&device);
    return ERR_OK;
}

static void make_role(struct pack *pack)
{
    struct role role;
    any_role(&rng, &role);
    role_encode(pack, &role);
    role_clear(&role);
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

static void make_entry(struct pack *pack)
{
    struct log_entry entry;
    any_entry(&rng, &entry);
    entry_encode(pack, &entry);
}

static enum err again_entry(struct pack *pack, struct bytes bytes)
{
    struct log_entry entry;
    enum err e = entry_decode(&entry, bytes);
    if (!e)
        entry_encode(pack, &entry);
    return e;
}

static void make_presence(struct pack *pack)
{
    struct presence presence;
    any_presence(&rng, &presence);
    presence_encode(pack, &presence);
}

static enum err again_presence(struct pack *pack, struct bytes bytes)
{
    struct presence presence;
    enum err e = presence_decode(&presence, bytes);
    if (!e)
        presence_encode(pack, &presence);
    return e;
}

static const struct kind kinds[] = {{"device", make_device, again_device, 2},
                                    {"role", make_role, again_role, 2},
                                    {"entry", make_entry, again_entry, 1},
                                    {"presence", make_presence, again_presence, 2}};

/* The law. The bytes lie in memory of their own, so that a checker sees a read behind them. */
static enum err assert_law(const struct kind *kind, struct bytes bytes)
{
    struct pack pack = {0};
    uint8_t *own = malloc(bytes.size ? bytes.size : 1);
    assert_non_null(own);
    if (bytes.size)
        memcpy(own, bytes.data, bytes.size);
    enum err e = kind->again(&pack, (struct bytes){own, bytes.size});
    bool same = pack.size == bytes.size && (!pack.size || memcmp(pack.data, own, pack.size) == 0);
    pack_free(&pack);
    free(own);
    if (e == ERR_OK && !same)
        fail_msg("a %s of %zu bytes decodes and encodes to others", kind->name, bytes.size);
    if (e != ERR_OK && e != ERR_DAMAGED && e != ERR_TOO_NEW)
        fail_msg("a broken %s is '%s'", kind->name, err_text(e));
    return e;
}

static void a_device_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct device device, back;
        struct pack pack = {0};
        any_device(&rng, &device);
        device_encode(&pack, &device);
        assert_false(pack.failed);
        assert_int_equal(device_decode(&back, bytes_of(&pack)), ERR_OK);
        assert_true(device_same(&device, &back));
        pack_free(&pack);
        device_clear(&device);
        device_clear(&back);
    }
}

static void a_role_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct role role, back;
        struct pack pack = {0};
        any_role(&rng, &role);
        role_encode(&pack, &role);
        assert_int_equal(role_decode(&back, bytes_of(&pack)), ERR_OK);
        assert_true(role_same(&role, &back));
        pack_free(&pack);
        role_clear(&role);
        role_clear(&back);
    }
}

static void a_log_entry_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct log_entry entry, back;
        struct pack pack = {0};
        any_entry(&rng, &entry);
        entry_encode(&pack, &entry);
        assert_int_equal(entry_decode(&back, bytes_of(&pack)), ERR_OK);
        assert_true(entry_same(&entry, &back));
        pack_free(&pack);
    }
}

static void a_presence_record_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct presence presence, back;
        struct pack pack = {0};
        any_presence(&rng, &presence);
        presence_encode(&pack, &presence);
        assert_int_equal(presence_decode(&back, bytes_of(&pack)), ERR_OK);
        assert_true(presence_same(&presence, &back));
        pack_free(&pack);
    }
}

static void a_record_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (int round = 0; round < BROKEN_ROUNDS; round++) {
            struct pack pack = {0};
            kinds[k].make(&pack);
            assert_int_equal(assert_law(&kinds[k], bytes_of(&pack)), ERR_OK);
            for (size_t size = 0; size < pack.size; size++)
                assert_int_equal(assert_law(&kinds[k], (struct bytes){pack.data, size}),
                                 ERR_DAMAGED);
            pack_free(&pack);
        }
    }
}

static void a_record_with_something_behind_it_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (int byte = 0; byte < 256; byte++) {
            struct pack pack = {0};
            kinds[k].make(&pack);
            pack_number(&pack, (uint64_t)byte & 0x7f);
            assert_int_equal(assert_law(&kinds[k], bytes_of(&pack)), ERR_DAMAGED);
            pack_free(&pack);
        }
    }
}

static void any_flipped_bit_is_refused_or_is_another_record(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (int round = 0; round < BROKEN_ROUNDS; round++) {
            struct pack pack = {0};
            kinds[k].make(&pack);
            for (size_t bit = 0; bit < pack.size * 8; bit++) {
                uint8_t mask = (uint8_t)(1u << bit % 8);
                pack.data[bit / 8] ^= mask;
                (void)assert_law(&kinds[k], bytes_of(&pack));
                pack.data[bit / 8] ^= mask;
            }
            pack_free(&pack);
        }
    }
}

static void any_bytes_at_all_are_refused_or_a_record(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * 10; round++) {
        uint8_t noise[64];
        size_t size = rng_below(&rng, sizeof noise);
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)(rng_percent(&rng, 70) ? rng_below(&rng, 4) : rng_next(&rng));
        for (size_t k = 0; k < COUNT(kinds); k++)
            (void)assert_law(&kinds[k], (struct bytes){noise, size});
    }
}

/* Bytes are overwritten, moved and repeated, as no single flip does. */
static void mangled_records_are_refused_or_records(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * 10; round++) {
        const struct kind *kind = &kinds[rng_below(&rng, COUNT(kinds))];
        struct pack pack = {0};
        kind->make(&pack);
        for (size_t changes = 1 + rng_below(&rng, 3); changes > 0; changes--) {
            size_t from = rng_below(&rng, pack.size), to = rng_below(&rng, pack.size);
            size_t longest = pack.size - (from > to ? from : to);
            memmove(pack.data + to, pack.data + from, rng_below(&rng, longest + 1));
        }
        (void)assert_law(kind, bytes_of(&pack));
        pack_free(&pack);
    }
}

static void a_later_format_is_too_new_and_format_0_is_damage(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct pack pack = {0};
        kinds[k].make(&pack);
        pack.data[0] = (uint8_t)(kinds[k].format + 1);
        assert_int_equal(assert_law(&kinds[k], bytes_of(&pack)), ERR_TOO_NEW);
        pack.data[0] = 0;
        assert_int_equal(assert_law(&kinds[k], bytes_of(&pack)), ERR_DAMAGED);
        pack_free(&pack);
    }
}

/* A role "r" with the rules that follow. */
static void pack_role_head(struct pack *pack, uint64_t rules)
{
    pack_number(pack, 1);
    pack_text(pack, "r");
    pack_text(pack, "");
    pack_number(pack, 1);
    pack_time(pack, 1);
    pack_time(pack, 1);
    pack_number(pack, rules);
}

static void pack_rule(struct pack *pack, enum effect effect, uint64_t action, const char *filter)
{
    pack_number(pack, effect);
    pack_number(pack, action);
    pack_text(pack, filter);
}

/* Two rules make a damaged record. */
static void assert_bad_pair(enum effect effect1, uint64_t action1, const char *filter1,
                            enum effect effect2, uint64_t action2, const char *filter2)
{
    struct pack pack = {0};
    pack_role_head(&pack, 2);
    pack_rule(&pack, effect1, action1, filter1);
    pack_rule(&pack, effect2, action2, filter2);
    assert_int_equal(assert_law(&kinds[1], bytes_of(&pack)), ERR_DAMAGED);
    pack_free(&pack);
}

/* Else no pair would be bad for what is bad in it. */
static void two_sorted_rules_are_a_record(void **state)
{
    struct pack pack = {0};
    (void)state;
    pack_role_head(&pack, 2);
    pack_rule(&pack, EFFECT_ALLOW, ACTION_ALL, "a");
    pack_rule(&pack, EFFECT_DENY, ACTION_ALL, "b");
    assert_int_equal(assert_law(&kinds[1], bytes_of(&pack)), ERR_OK);
    pack_free(&pack);
}

static void rules_that_are_not_sorted_are_damage(void **state)
{
    (void)state;
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "b", EFFECT_ALLOW, ACTION_ALL, "a");
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "a", EFFECT_ALLOW, ACTION_PUBLISH, "a");
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "a", EFFECT_ALLOW, 0, "b");
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "a", EFFECT_ALLOW, 4, "b");
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "a", EFFECT_ALLOW, ACTION_ALL, "b/#/c");
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "", EFFECT_ALLOW, ACTION_ALL, "b");
}

static void a_rule_that_stands_twice_is_damage(void **state)
{
    (void)state;
    assert_bad_pair(EFFECT_ALLOW, ACTION_ALL, "a", EFFECT_ALLOW, ACTION_ALL, "a");
}

static void a_rule_that_stands_there_with_both_effects_is_damage(void **state)
{
    (void)state;
    assert_bad_pair(EFFECT_DENY, ACTION_ALL, "a", EFFECT_ALLOW, ACTION_ALL, "a");
}

/* A device "d" whose lists were spoiled by hand is damaged. */
static void assert_bad_device(const struct device *device)
{
    struct pack pack = {0};
    device_encode(&pack, device);
    assert_int_equal(assert_law(&kinds[0], bytes_of(&pack)), ERR_DAMAGED);
    pack_free(&pack);
}

static void roles_of_a_device_that_are_not_sorted_are_damage(void **state)
{
    static const char *const bad[][2] = {{"b", "a"}, {"a", "a"}, {"a", ""}};
    struct device device;
    (void)state;
    device_init(&device, "d");
    device.role_count = 2;
    for (size_t i = 0; i < COUNT(bad); i++) {
        strcpy(device.roles[0], bad[i][0]);
        strcpy(device.roles[1], bad[i][1]);
        assert_bad_device(&device);
    }
    device_clear(&device);
}

static void attributes_that_are_not_sorted_are_damage(void **state)
{
    static const struct attribute bad[][2] = {{{"b", ""}, {"a", ""}}, {{"a", ""}, {"a", ""}}};
    struct device device;
    (void)state;
    device_init(&device, "d");
    device.attribute_count = 2;
    for (size_t i = 0; i < COUNT(bad); i++) {
        device.attributes[0] = bad[i][0];
        device.attributes[1] = bad[i][1];
        assert_bad_device(&device);
    }
    device_clear(&device);
}

/* The limits of a role "r" without rules. */
static void assert_limits(const uint64_t *numbers, size_t count, uint64_t format, enum err expected)
{
    struct pack pack = {0};
    pack_role_head(&pack, 0);
    pack.data[0] = (uint8_t)format;
    for (size_t i = 0; i < count; i++)
        pack_number(&pack, numbers[i]);
    assert_int_equal(assert_law(&kinds[1], bytes_of(&pack)), expected);
    pack_free(&pack);
}

static void limits_have_one_spelling(void **state)
{
    static const struct {
        uint64_t numbers[5];
        size_t count;
        enum err expected;
    } cases[] = {
        {{1, LIMIT_QOS, LIMIT_OF(1)}, 3, ERR_OK},
        {{2, LIMIT_MESSAGES, LIMIT_NONE, LIMIT_QOS, LIMIT_OF(1)}, 5, ERR_OK},
        {{0}, 1, ERR_DAMAGED}, /* none is format 1 */
        {{0}, 0, ERR_DAMAGED},
        {{1, LIMIT_QOS, LIMIT_OF(3)}, 3, ERR_DAMAGED}, /* out of bounds */
        {{1, LIMIT_QOS, LIMIT_NONE}, 3, ERR_DAMAGED},
        {{1, LIMIT_QOS, LIMIT_UNSET}, 3, ERR_DAMAGED},
        {{1, LIMIT_QOS, (uint64_t)UINT32_MAX + 2}, 3, ERR_DAMAGED},
        {{1, LIMIT_COUNT, LIMIT_OF(1)}, 3, ERR_DAMAGED},
        {{2, LIMIT_QOS, LIMIT_OF(1), LIMIT_QOS, LIMIT_OF(1)}, 5, ERR_DAMAGED}, /* twice */
        {{2, LIMIT_QOS, LIMIT_OF(1), LIMIT_MESSAGES, LIMIT_OF(1)}, 5, ERR_DAMAGED},
        {{2, LIMIT_QOS, LIMIT_OF(1)}, 3, ERR_DAMAGED}, /* cut short */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_limits(cases[i].numbers, cases[i].count, 2, cases[i].expected);
    assert_limits(cases[0].numbers, cases[0].count, 1, ERR_DAMAGED);
    assert_limits(NULL, 0, 1, ERR_OK);
}

/* An older devreg, which knows no limits, must not take the record for one without. */
static void only_a_record_with_limits_has_the_second_format(void **state)
{
    struct device device;
    struct role role;
    (void)state;
    device_init(&device, "d");
    role_init(&role, "r");
    for (int limited = 0; limited < 2; limited++) {
        struct pack of_device = {0}, of_role = {0};
        device.limits.values[LIMIT_RETAIN] = role.limits.values[LIMIT_RETAIN] =
            limited ? LIMIT_OF(0) : LIMIT_UNSET;
        device_encode(&of_device, &device);
        role_encode(&of_role, &role);
        assert_int_equal(of_device.data[0], 1 + limited);
        assert_int_equal(of_role.data[0], 1 + limited);
        pack_free(&of_device);
        pack_free(&of_role);
    }
    device_clear(&device);
    role_clear(&role);
}

static void a_device_without_an_id_is_damage(void **state)
{
    struct device device;
    (void)state;
    device_init(&device, "");
    assert_bad_device(&device);
    device_clear(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_comes_back_as_it_was),
        cmocka_unit_test(a_role_comes_back_as_it_was),
        cmocka_unit_test(a_log_entry_comes_back_as_it_was),
        cmocka_unit_test(a_presence_record_comes_back_as_it_was),
        cmocka_unit_test(a_record_cut_anywhere_is_refused),
        cmocka_unit_test(a_record_with_something_behind_it_is_refused),
        cmocka_unit_test(any_flipped_bit_is_refused_or_is_another_record),
        cmocka_unit_test(any_bytes_at_all_are_refused_or_a_record),
        cmocka_unit_test(mangled_records_are_refused_or_records),
        cmocka_unit_test(a_later_format_is_too_new_and_format_0_is_damage),
        cmocka_unit_test(roles_of_a_device_that_are_not_sorted_are_damage),
        cmocka_unit_test(attributes_that_are_not_sorted_are_damage),
        cmocka_unit_test(a_device_without_an_id_is_damage),
        cmocka_unit_test(limits_have_one_spelling),
        cmocka_unit_test(only_a_record_with_limits_has_the_second_format),
        cmocka_unit_test(two_sorted_rules_are_a_record),
        cmocka_unit_test(rules_that_are_not_sorted_are_damage),
        cmocka_unit_test(a_rule_that_stands_twice_is_damage),
        cmocka_unit_test(a_rule_that_stands_there_with_both_effects_is_damage),
    };
    rng = rng_start("prop_record");
    return crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
