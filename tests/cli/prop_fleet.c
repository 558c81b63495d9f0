/* prop_fleet.c - export, import and apply on random registries.
 *
 *   import     an export with hashes makes the same registry, byte for byte
 *   apply      of a registry's own export changes nothing; of another's makes all that people
 *              declare as it is there, leaves what is so already untouched, and credentials;
 *              a dry run tells the same; a second time changes nothing
 *   hashes     an older export with hashes brings its credentials back
 */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cli/any_fleet.h"
#include "tests/support/rng.h"
#include "tests/support/tempdir.h"

enum { ROUNDS = 8, LINES_MAX = 200, NOW = FLEET_MADE };

static struct rng rng;

struct fixture {
    struct tempdir dir;
    char a[TEMPDIR_MAX], b[TEMPDIR_MAX];
};

/* The lines of a text, which owns their bytes. */
struct lines {
    char *text;
    char *items[LINES_MAX];
    size_t count;
};

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->a, fixture->dir.path, "a");
    path_join(fixture->b, fixture->dir.path, "b");
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

/* What `arguments`, which end with NULL, say on stdout goes to `out`. */
static int run(const char *registry, const char *out, const char *const *arguments)
{
    const char *argv[12] = {"devreg", "-r", registry};
    size_t count = 3;
    int status;
    while (*arguments)
        argv[count++] = *arguments++;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int file = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        int null = open("/dev/null", O_RDWR);
        bool told = getenv("DEVREG_SHOW");
        if (file < 0 || null < 0 || dup2(file, STDOUT_FILENO) < 0 || dup2(null, STDIN_FILENO) < 0 ||
            (!told && dup2(null, STDERR_FILENO) < 0))
            _exit(126);
        execv(DEVREG, (char *const *)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#define RUN(registry, out, ...) run(registry, out, (const char *const[]){__VA_ARGS__, NULL})

static void lines_read(struct lines *lines, const char *path)
{
    size_t size = 0, room = 1 << 20;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    lines->text = malloc(room);
    assert_non_null(lines->text);
    size = fread(lines->text, 1, room - 1, file);
    assert_true(size < room - 1);
    lines->text[size] = '\0';
    lines->count = 0;
    assert_int_equal(fclose(file), 0);
    for (char *at = strtok(lines->text, "\n"); at; at = strtok(NULL, "\n")) {
        assert_true(lines->count < LINES_MAX);
        lines->items[lines->count++] = at;
    }
}

static void lines_free(struct lines *lines)
{
    free(lines->text);
}

/* What `devreg export` says but for its first line, which tells the time. */
static void export_read(const struct fixture *fixture, const char *registry, bool hashes,
                        struct lines *lines)
{
    char path[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "said");
    if (hashes)
        assert_int_equal(RUN(registry, path, "export", "--with-hashes"), 0);
    else
        assert_int_equal(RUN(registry, path, "export"), 0);
    lines_read(lines, path);
    assert_true(lines->count >= 2);
    memmove(lines->items, lines->items + 1, --lines->count * sizeof *lines->items);
}

/* Cuts off what nobody declares. */
static void lines_govern(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        bool device = strncmp(lines->items[i], "{\"device\"", 9) == 0;
        char *rest = strstr(lines->items[i], device ? ",\"generation\":" : ",\"version\":");
        if (rest)
            *rest = '\0';
    }
}

static void assert_same_lines(const struct lines *a, const struct lines *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        assert_string_equal(a->items[i], b->items[i]);
    assert_int_equal(a->count, b->count);
}

static void assert_no_output(const char *path)
{
    struct lines lines;
    lines_read(&lines, path);
    assert_int_equal(lines.count, 0);
    lines_free(&lines);
}

static uint64_t last_entry(const char *path)
{
    struct registry *registry;
    uint64_t seq = 0;
    assert_int_equal(registry_open(&registry, path, STORE_READ), ERR_OK);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_last_entry(registry, &seq), ERR_OK);
    registry_close(registry);
    return seq;
}

static void assert_sound(const struct fixture *fixture, const char *registry)
{
    char path[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "said");
    assert_int_equal(RUN(registry, path, "check"), 0);
}

static void an_export_with_hashes_makes_the_same_registry(void **state)
{
    const struct fixture *fixture = *state;
    char path[TEMPDIR_MAX], out[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "export");
    path_join(out, fixture->dir.path, "out");
    for (int round = 0; round < ROUNDS; round++) {
        struct lines a, b;
        any_fleet(&rng, fixture->a);
        assert_int_equal(RUN(fixture->a, path, "export", "--with-hashes"), 0);
        assert_int_equal(registry_create(fixture->b, geteuid(), getegid(), "maker", NOW), ERR_OK);
        assert_int_equal(RUN(fixture->b, out, "import", path), 0);
        export_read(fixture, fixture->a, true, &a);
        export_read(fixture, fixture->b, true, &b);
        assert_same_lines(&a, &b);
        assert_sound(fixture, fixture->b);
        lines_free(&a);
        lines_free(&b);
        tree_remove(fixture->a);
        tree_remove(fixture->b);
    }
}

/* Applies `file`, whose first line may be followed by others' options, and expects no change. */
static void assert_nothing_to_apply(const struct fixture *fixture, const char *registry,
                                    const char *file)
{
    char out[TEMPDIR_MAX];
    struct lines before, after;
    path_join(out, fixture->dir.path, "out");
    uint64_t seq = last_entry(registry);
    export_read(fixture, registry, true, &before);
    assert_int_equal(RUN(registry, out, "apply", file, "--prune", "--yes"), 0);
    assert_no_output(out);
    assert_int_equal(last_entry(registry), seq);
    export_read(fixture, registry, true, &after);
    assert_same_lines(&before, &after);
    lines_free(&before);
    lines_free(&after);
}

static void a_registry_s_own_export_changes_nothing(void **state)
{
    const struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "export");
    for (int round = 0; round < ROUNDS; round++) {
        any_fleet(&rng, fixture->a);
        assert_int_equal(RUN(fixture->a, path, "export"), 0);
        assert_nothing_to_apply(fixture, fixture->a, path);
        assert_int_equal(RUN(fixture->a, path, "export", "--with-hashes"), 0);
        assert_nothing_to_apply(fixture, fixture->a, path);
        tree_remove(fixture->a);
    }
}

/* The length of `{"device":"d1",` or `{"role":"r1",`. */
static size_t name_size(const char *line)
{
    return strcspn(line, ",") + 1;
}

static const char *line_of(const struct lines *lines, const char *like)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (strncmp(lines->items[i], like, name_size(like)) == 0)
            return lines->items[i];
    }
    return NULL;
}

/* The part of a line from `from` to `to`; "" where it is not there. */
static const char *part(char *copy, size_t size, const char *line, const char *from, const char *to)
{
    const char *begins = strstr(line, from), *ends = begins ? strstr(begins, to) : NULL;
    size_t length = ends ? (size_t)(ends - begins) : 0;
    assert_true(length < size);
    memcpy(copy, begins ? begins : "", length);
    copy[length] = '\0';
    return copy;
}

/* Of what was there before and still is: it is the very same line, or it differs in what people
 * declare, and has its credentials, unless it was revoked, and its generation. */
static void assert_untouched(const struct lines *before, const struct lines *after)
{
    static char x[1 << 16], y[1 << 16];
    for (size_t i = 0; i < before->count; i++) {
        const char *was = before->items[i], *is = line_of(after, was);
        if (!is || strcmp(was, is) == 0)
            continue;
        if (strncmp(was, "{\"device\"", 9) != 0) {
            part(x, sizeof x, was, "{", ",\"version\":");
            assert_string_not_equal(x, part(y, sizeof y, is, "{", ",\"version\":"));
            continue;
        }
        part(x, sizeof x, was, "\"credentials\":", ",\"next_credential\":");
        assert_string_equal(x, part(y, sizeof y, is, "\"credentials\":", ",\"next_credential\":"));
        part(x, sizeof x, was, "\"generation\":", ",\"version\":");
        assert_string_equal(x, part(y, sizeof y, is, "\"generation\":", ",\"version\":"));
        part(x, sizeof x, was, "{", ",\"generation\":");
        assert_string_not_equal(x, part(y, sizeof y, is, "{", ",\"generation\":"));
    }
}

/* Makes A as `file`, an export of B, says. */
static void apply_and_look(const struct fixture *fixture, const char *file)
{
    char dry[TEMPDIR_MAX], out[TEMPDIR_MAX];
    struct lines before, after, x, y;
    path_join(dry, fixture->dir.path, "dry");
    path_join(out, fixture->dir.path, "out");
    export_read(fixture, fixture->a, true, &before);
    assert_int_equal(RUN(fixture->a, dry, "apply", file, "--prune", "--dry-run"), 0);
    export_read(fixture, fixture->a, true, &after);
    assert_same_lines(&before, &after);
    lines_free(&after);
    assert_int_equal(RUN(fixture->a, out, "apply", file, "--prune", "--yes"), 0);
    lines_read(&x, dry);
    lines_read(&y, out);
    assert_same_lines(&x, &y);
    lines_free(&x);
    lines_free(&y);
    export_read(fixture, fixture->a, true, &after);
    assert_untouched(&before, &after);
    lines_free(&before);
    lines_free(&after);
}

static void another_one_s_export_makes_it_the_same(void **state)
{
    const struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "export");
    for (int round = 0; round < ROUNDS; round++) {
        struct lines a, b;
        any_fleet(&rng, fixture->a);
        any_fleet(&rng, fixture->b);
        assert_int_equal(RUN(fixture->b, path, "export"), 0);
        apply_and_look(fixture, path);
        export_read(fixture, fixture->a, false, &a);
        export_read(fixture, fixture->b, false, &b);
        lines_govern(&a);
        lines_govern(&b);
        assert_same_lines(&a, &b);
        assert_nothing_to_apply(fixture, fixture->a, path);
        assert_sound(fixture, fixture->a);
        lines_free(&a);
        lines_free(&b);
        tree_remove(fixture->a);
        tree_remove(fixture->b);
    }
}

/* The same, but a device that is not in the file stays. */
static void without_prune_the_others_stay(void **state)
{
    const struct fixture *fixture = *state;
    char path[TEMPDIR_MAX], out[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "export");
    path_join(out, fixture->dir.path, "out");
    for (int round = 0; round < ROUNDS; round++) {
        struct lines before, after, b;
        any_fleet(&rng, fixture->a);
        any_fleet(&rng, fixture->b);
        export_read(fixture, fixture->a, false, &before);
        assert_int_equal(RUN(fixture->b, path, "export"), 0);
        assert_int_equal(RUN(fixture->a, out, "apply", path), 0);
        export_read(fixture, fixture->a, false, &after);
        export_read(fixture, fixture->b, false, &b);
        for (size_t i = 0; i < before.count; i++) {
            if (!line_of(&b, before.items[i]))
                assert_string_equal(line_of(&after, before.items[i]), before.items[i]);
        }
        lines_govern(&after);
        lines_govern(&b);
        for (size_t i = 0; i < b.count; i++)
            assert_string_equal(line_of(&after, b.items[i]), b.items[i]);
        assert_sound(fixture, fixture->a);
        lines_free(&before);
        lines_free(&after);
        lines_free(&b);
        tree_remove(fixture->a);
        tree_remove(fixture->b);
    }
}

/* Random changes of credentials and of devices. */
static void registry_disturb(const char *path)
{
    struct registry *registry;
    char after[DEVICE_ID_MAX + 1] = "";
    struct device device;
    assert_int_equal(registry_open(&registry, path, STORE_WRITE), ERR_OK);
    assert_int_equal(registry_write(registry, "tester", NOW + 1), ERR_OK);
    while (registry_next_device(registry, after, &device) == ERR_OK) {
        strcpy(after, device.id);
        size_t kind = device.state == DEVICE_REVOKED ? 9 : rng_below(&rng, 6);
        if (kind == 0)
            assert_int_equal(registry_remove_device(registry, device.id), ERR_OK);
        if (kind == 1 && device.credential_count)
            device_drop_credential(&device, rng_below(&rng, device.credential_count));
        if (kind == 2 && device.credential_count < CREDENTIALS_MAX)
            any_credential(&rng, &device);
        if (kind == 3 && device.credential_count)
            device.credentials[0].secret[0] ^= 1;
        if (kind >= 1 && kind <= 4)
            assert_int_equal(registry_put_device(registry, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
}

static void an_older_export_with_hashes_brings_credentials_back(void **state)
{
    const struct fixture *fixture = *state;
    char path[TEMPDIR_MAX], out[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, "export");
    path_join(out, fixture->dir.path, "out");
    for (int round = 0; round < ROUNDS; round++) {
        struct lines before, after;
        any_fleet(&rng, fixture->a);
        assert_int_equal(RUN(fixture->a, path, "export", "--with-hashes"), 0);
        export_read(fixture, fixture->a, true, &before);
        registry_disturb(fixture->a);
        assert_int_equal(RUN(fixture->a, out, "apply", path, "--prune", "--yes"), 0);
        export_read(fixture, fixture->a, true, &after);
        for (size_t i = 0; i < before.count; i++) {
            char *rest = strstr(before.items[i], ",\"next_credential\":");
            if (rest)
                *rest = '\0';
            rest = strstr(after.items[i], ",\"next_credential\":");
            if (rest)
                *rest = '\0';
        }
        assert_same_lines(&before, &after);
        assert_nothing_to_apply(fixture, fixture->a, path);
        assert_sound(fixture, fixture->a);
        lines_free(&before);
        lines_free(&after);
        tree_remove(fixture->a);
    }
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(an_export_with_hashes_makes_the_same_registry),
        test(a_registry_s_own_export_changes_nothing),
        test(another_one_s_export_makes_it_the_same),
        test(without_prune_the_others_stay),
        test(an_older_export_with_hashes_brings_credentials_back),
    };
    rng = rng_start("prop_fleet");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
