/* test_store_damage.c - a file whose bytes changed gives an error or what was written, never
 * anything else.
 *
 * Each try spoils one copy of a small store's file and reads all of it. LMDB itself checks nothing,
 * so the tries run in children: one that dies is counted and its successor goes on behind it. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/support/store_fixture.h"

enum { RECORDS = 20, PAGE = 4096, FILE_MAX = 64 * PAGE, TEXT_SIZE = 64 };

struct file {
    size_t size;
    uint8_t bytes[FILE_MAX];
};

/* What the children of one test found, in memory that they share with the parent. */
struct tally {
    size_t next; /* the try to go on with */
    size_t right, refused, lost, wrong, endless;
};

static struct tempdir source, spoiled;
static struct file whole;

static void name_record(char key[static TEXT_SIZE], char record[static TEXT_SIZE], int number)
{
    snprintf(key, TEXT_SIZE, "dkey-%02d", number);
    snprintf(record, TEXT_SIZE, "the record of number %02d, to be found in the file", number);
}

static void file_read(struct file *file, const char *dir)
{
    char path[TEMPDIR_MAX];
    int fd = open(path_join(path, dir, "data.mdb"), O_RDONLY);
    assert_true(fd >= 0);
    ssize_t size = read(fd, file->bytes, sizeof file->bytes);
    assert_true(size > 2 * PAGE && size < FILE_MAX);
    file->size = (size_t)size;
    assert_int_equal(close(fd), 0);
}

/* For children too: no assertions. */
static bool file_write(const struct file *file, const char *dir)
{
    char path[TEMPDIR_MAX];
    int fd = open(path_join(path, dir, "data.mdb"), O_WRONLY | O_CREAT, 0600);
    bool done = fd >= 0 && write(fd, file->bytes, file->size) == (ssize_t)file->size;
    return fd >= 0 && close(fd) == 0 && done;
}

static int begin_all(void **state)
{
    struct store *store;
    struct txn *txn;
    (void)state;
    tempdir_make(&source);
    tempdir_make(&spoiled);
    if (create_here(source.path, STORE_REGISTRY) ||
        store_open(&store, source.path, STORE_REGISTRY, STORE_WRITE) || txn_write(&txn, store))
        return -1;
    for (int i = 0; i < RECORDS; i++) {
        char key[TEXT_SIZE], record[TEXT_SIZE];
        name_record(key, record, i);
        txn_put(txn, text_bytes(key), text_bytes(record));
    }
    enum err e = txn_commit(txn);
    store_close(store);
    file_read(&whole, source.path);
    return e ? -1 : 0;
}

static int end_all(void **state)
{
    (void)state;
    tempdir_remove(&source);
    tempdir_remove(&spoiled);
    return 0;
}

static void count_one(struct tally *tally, enum err e, bool same)
{
    if (e == ERR_OK)
        *(same ? &tally->right : &tally->wrong) += 1;
    else
        *(e == ERR_NOT_FOUND ? &tally->lost : &tally->refused) += 1;
}

/* Whatever a walk hands out as sound has to be one of the records. */
static void walk_all(struct txn *txn, struct tally *tally)
{
    struct bytes key = {NULL, 0}, record;
    for (int steps = 0; steps < 10 * RECORDS; steps++) {
        char text[TEXT_SIZE] = "", expected[TEXT_SIZE], again[TEXT_SIZE];
        enum err e = txn_next(txn, 'd', key, &key, &record);
        if (e && e != ERR_DAMAGED)
            return;
        if (e)
            continue;
        int number = -1;
        if (key.size < TEXT_SIZE)
            memcpy(text, key.data, key.size);
        text[key.size < TEXT_SIZE ? key.size : 0] = '\0';
        bool known = sscanf(text, "dkey-%2d", &number) == 1;
        name_record(again, expected, number);
        tally->wrong += !known || strcmp(text, again) != 0 || !bytes_are(record, expected);
    }
    tally->endless++;
}

/* Reads all that is in the spoiled store. */
static void read_all(struct tally *tally)
{
    struct store *store;
    struct txn *txn;
    enum err e = store_open(&store, spoiled.path, STORE_REGISTRY, STORE_READ);
    if (e) {
        tally->refused++;
        return;
    }
    e = txn_reader(&txn, store);
    if (!e)
        e = txn_renew(txn);
    for (int i = 0; !e && i < RECORDS; i++) {
        char key[TEXT_SIZE], record[TEXT_SIZE];
        struct bytes found = {NULL, 0};
        name_record(key, record, i);
        enum err got = txn_get(txn, text_bytes(key), &found);
        count_one(tally, got, bytes_are(found, record));
    }
    if (!e) {
        walk_all(txn, tally);
        txn_close(txn);
    }
    store_close(store);
}

/* Spoils the bytes `from` to `to`, one bit a try, from tally->next on. */
static void spoil_in_child(struct tally *tally, size_t from, size_t to)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < COUNT(signals); i++)
        (void)signal(signals[i], SIG_DFL); /* cmocka would go on with the next test */
    (void)alarm(20);
    for (size_t at = from + tally->next; at < to; at++) {
        uint8_t mask = (uint8_t)(1u << (at * 5 % 8));
        tally->next = at - from + 1;
        whole.bytes[at] ^= mask;
        if (!file_write(&whole, spoiled.path))
            _exit(3);
        read_all(tally);
        whole.bytes[at] ^= mask;
    }
    _exit(0);
}

/* How many children died of a spoiled byte in that range. */
static size_t spoil(struct tally *tally, size_t from, size_t to)
{
    size_t deaths = 0;
    for (;;) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            spoil_in_child(tally, from, to);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            return deaths;
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 3);
        deaths++;
        assert_true(deaths < 500);
    }
}

static struct tally *tally_new(void)
{
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tally != MAP_FAILED);
    return tally;
}

/* Where the live record `number` lies in the file: the last copy is in the page written last. */
static size_t place_of(int number)
{
    char key[TEXT_SIZE], record[TEXT_SIZE];
    size_t place = 0;
    name_record(key, record, number);
    for (size_t at = 2 * PAGE; at + strlen(record) <= whole.size; at++) {
        if (memcmp(whole.bytes + at, record, strlen(record)) == 0)
            place = at;
    }
    assert_true(place > 0);
    return place;
}

static void report(const char *what, const struct tally *tally, size_t deaths)
{
    print_message("%s: %zu right, %zu refused, %zu lost, %zu wrong, %zu endless, %zu deaths\n",
                  what, tally->right, tally->refused, tally->lost, tally->wrong, tally->endless,
                  deaths);
}

static void a_flipped_bit_of_a_record_or_its_seal_is_damage(void **state)
{
    struct tally *tally = tally_new();
    char key[TEXT_SIZE], record[TEXT_SIZE];
    (void)state;
    name_record(key, record, 7);
    size_t from = place_of(7), size = strlen(record) + CRYPTO_MAC_SIZE;
    assert_int_equal(spoil(tally, from, from + size), 0);
    report("records", tally, 0);
    assert_int_equal(tally->refused, size);
    assert_int_equal(tally->right, size * (RECORDS - 1));
    assert_int_equal(tally->lost + tally->wrong + tally->endless, 0);
    assert_int_equal(munmap(tally, sizeof *tally), 0);
}

static void a_flipped_bit_of_a_key_never_moves_its_record_to_another(void **state)
{
    struct tally *tally = tally_new();
    size_t size = strlen("dkey-07");
    (void)state;
    size_t at = place_of(7);
    size_t from = at - size;
    assert_memory_equal(whole.bytes + from, "dkey-07", size);
    assert_int_equal(spoil(tally, from, at), 0);
    report("keys", tally, 0);
    assert_int_equal(tally->wrong, 0);
    assert_true(tally->refused + tally->lost >= size);
    assert_int_equal(munmap(tally, sizeof *tally), 0);
}

/* Before its key LMDB keeps the record's length in four bytes, flags in two, the key's length in
 * two. The flags it trusts, whatever we do. */
static void a_flipped_bit_of_a_length_kills_nobody(void **state)
{
    (void)state;
    size_t key = place_of(7) - strlen("dkey-07");
    const size_t ranges[][2] = {{key - 8, key - 4}, {key - 2, key}};
    for (size_t i = 0; i < COUNT(ranges); i++) {
        struct tally *tally = tally_new();
        size_t deaths = spoil(tally, ranges[i][0], ranges[i][1]);
        report("lengths", tally, deaths);
        assert_int_equal(tally->wrong, 0);
        assert_int_equal(deaths, 0);
        assert_int_equal(munmap(tally, sizeof *tally), 0);
    }
}

static void a_walk_over_a_flipped_bit_comes_to_an_end(void **state)
{
    struct tally *tally = tally_new();
    (void)state;
    size_t from = place_of(7) / PAGE * PAGE;
    (void)spoil(tally, from, from + PAGE);
    assert_int_equal(tally->endless, 0);
    assert_int_equal(munmap(tally, sizeof *tally), 0);
}

/* A bit of the page's own table can still kill: LMDB trusts it. That is counted, not forbidden. */
static void a_flipped_bit_anywhere_in_the_page_never_gives_wrong_data(void **state)
{
    struct tally *tally = tally_new();
    (void)state;
    size_t from = place_of(7) / PAGE * PAGE;
    size_t deaths = spoil(tally, from, from + PAGE);
    report("the page", tally, deaths);
    assert_int_equal(tally->wrong, 0);
    assert_true(tally->right > PAGE && tally->refused > PAGE / 4);
    assert_int_equal(munmap(tally, sizeof *tally), 0);
}

static void records_that_changed_places_are_both_damaged(void **state)
{
    struct tally *tally = tally_new();
    static struct file kept;
    kept = whole;
    char key[TEXT_SIZE], record[TEXT_SIZE];
    (void)state;
    name_record(key, record, 7);
    size_t size = strlen(record) + CRYPTO_MAC_SIZE;
    size_t seven = place_of(7), eight = place_of(8);
    memcpy(whole.bytes + seven, kept.bytes + eight, size);
    memcpy(whole.bytes + eight, kept.bytes + seven, size);
    assert_true(file_write(&whole, spoiled.path));
    whole = kept;
    read_all(tally);
    assert_int_equal(tally->refused, 2);
    assert_int_equal(tally->right, RECORDS - 2);
    assert_int_equal(tally->wrong + tally->lost, 0);
    assert_int_equal(munmap(tally, sizeof *tally), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_of_a_record_or_its_seal_is_damage),
        cmocka_unit_test(a_flipped_bit_of_a_key_never_moves_its_record_to_another),
        cmocka_unit_test(a_flipped_bit_of_a_length_kills_nobody),
        cmocka_unit_test(a_walk_over_a_flipped_bit_comes_to_an_end),
        cmocka_unit_test(a_flipped_bit_anywhere_in_the_page_never_gives_wrong_data),
        cmocka_unit_test(records_that_changed_places_are_both_damaged),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
