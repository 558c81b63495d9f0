/* test_verbs.c - every verb of devreg, with each of its calls failing in turn.
 *
 * A run of devreg is a process of its own, in a copy of the same world, with the clock standing
 * still and the same random numbers. So what is in the stores and files afterwards, and what was
 * said, is compared byte by byte with a run in which nothing failed. After a call that failed
 *
 *   - either devreg coped: exit status, answer, stores and files are those of that run;
 *   - or it says so in one line, with exit status 3, and all is as it was before;
 *   - or it says so, and that the change was made, and all is as after that run.
 *
 * DEVREG_FAULT_VERB names one verb to be tried; DEVREG_FAULTS=all lets each call fail that a short
 * run passes over. */
#include "tests/support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault/fault.h"
#include "tests/fault/world.h"
#include "tests/support/rng.h"
#include "tests/support/tempdir.h"

enum {
#ifdef __SANITIZE_ADDRESS__ /* where each run takes its time */
    TRIES = 3,
#else
    TRIES = 10,
#endif
    WORDS = 32,
    LINE_SIZE = 400,
    SECONDS = 120,
    DONE = 0,
    NO = 1,
    FAILED = 3,
    TOLD = 10
};

int devreg_main(int argc, char **argv);

struct verb {
    const char *line;
    const char *before; /* a line that comes first */
    const char *input;  /* a file for stdin */
    bool fresh;         /* there is no registry yet */
};

#define USER "USER"

static const struct verb verbs[] = {
    {.line = "init --user " USER, .fresh = true},
    {.line = "add new --set site=kiel --role pump --note 'in the cellar' --expires 90d"},
    {.line = "add new --json"},
    {.line = "add new --no-key"},
    {.line = "add --count 3 --prefix n-"},
    {.line = "add --from devices.csv --keys keys.csv"},
    {.line = "add --from devices.jsonl"},
    {.line = "add --from devices.csv --dry-run"},
    {.line = "add new --password-file pw"},
    {.line = "password a --password-file pw"},
    {.line = "rotate a"},
    {.line = "rotate a --grace 7d --until-used --json"},
    {.line = "rotate --where role=pump --yes --keys keys.csv"},
    {.line = "list"},
    {.line = "list --json --where role=pump"},
    {.line = "show a"},
    {.line = "set a floor=2 --unset site --note new"},
    {.line = "set --where role=pump --yes site=ulm"},
    {.line = "disable a --reason 'in repair'"},
    {.line = "enable off"},
    {.line = "revoke a"},
    {.line = "remove a"},
    {.line = "remove --where role=pump --yes"},
    {.line = "role add valve --note 'all valves'"},
    {.line = "role list"},
    {.line = "role show pump"},
    {.line = "role remove idle"},
    {.line = "allow @pump publish plant/flow"},
    {.line = "deny a all plant/secret"},
    {.line = "unset b subscribe cmd/b"},
    {.line = "explain a publish site/kiel/a/x"},
    {.line = "explain a publish other/x"},
    {.line = "log"},
    {.line = "log trim --keep 2"},
    {.line = "stats"},
    {.line = "check"},
    {.line = "check --repair"},
    {.line = "export"},
    {.line = "export --with-hashes exported"},
    {.line = "import whole.jsonl", .fresh = true, .before = "init --user " USER},
    {.line = "import fleet.jsonl"},
    {.line = "import --mosquitto-passwd passwd --acl-file acl"},
    {.line = "import --dynsec dynsec.json"},
    {.line = "apply fleet.jsonl"},
    {.line = "apply fleet.jsonl --prune --yes"},
    {.line = "apply fleet.jsonl --prune --dry-run"},
    {.line = "backup copy.mdb"},
    {.line = "backup -"},
    {.line = "restore backup.mdb --force", .before = "remove b"},
    {.line = "restore - --user " USER, .input = "backup.mdb", .fresh = true},
    {.line = "restore backup.mdb --dry-run"},
    {.line = "complete devreg show ''"},
    {.line = "complete devreg li"},
};

/* What all have to begin with. */
static const char *const first_lines[] = {
    ("init --user " USER),
    "role add pump --note 'all pumps'",
    "role add idle",
    "allow @pump publish 'site/%{site}/%u/#'",
    "deny @pump all 'site/+/+/firmware'",
    "add a --set site=kiel --role pump",
    "add b --no-key --role pump --role device --expires 90d",
    "allow b subscribe cmd/b",
    "add off --no-key",
    "disable off --reason spare",
    "rotate a --grace 7d",
    "backup backup.mdb",
    "export --with-hashes whole.jsonl",
};

static const struct {
    const char *name, *text;
} files[] = {
    {"pw", "correct horse battery\n"},
    {"devices.csv", "device,role,attr.site\nn-1,pump,kiel\nn-2,,ulm\nn-3,pump device,\n"},
    {"devices.jsonl", "{\"device\":\"n-1\",\"roles\":[\"pump\"]}\n{\"device\":\"n-2\"}\n"},
    {"fleet.jsonl",
     "{\"devreg_export\":1,\"end\":true}\n"
     "{\"role\":\"valve\",\"rules\":[\"allow publish valve/%u\"]}\n"
     "{\"device\":\"v-1\",\"roles\":[\"valve\"],\"attributes\":{\"site\":\"kiel\"}}\n"
     "{\"device\":\"v-2\"}\n{\"devreg_export\":\"end\"}\n"},
    {"passwd", "ann:$7$101$jD9jq0eDhUkNrG3U$"
               "9iWGzPM8XzPbcyJlaVlcaHL+3RJDhDY2BFQGcqXkEGaHBtnVJHDG0sbTHV7ahoj5TSxOaNQTJLMIcZu7MK"
               "eyPw==\n"},
    {"acl", "user ann\ntopic read news/#\npattern write dev/%u/#\n"},
    {"dynsec.json",
     "{\"defaultACLAccess\":{\"publishClientSend\":false,\"publishClientReceive\":true,"
     "\"subscribe\":false,\"unsubscribe\":true},"
     "\"clients\":[{\"username\":\"ann\",\"password\":\"9iWGzPM8XzPbcyJlaVlcaHL+"
     "3RJDhDY2BFQGcqXkEGaHBtnVJHDG0sbTHV7ahoj5TSxOaNQTJLMIcZu7MKeyPw==\","
     "\"salt\":\"jD9jq0eDhUkNrG3U\",\"iterations\":101,\"roles\":[{\"rolename\":\"r\"}]}],"
     "\"groups\":[],\"roles\":[{\"rolename\":\"r\",\"acls\":[{\"acltype\":\"publishClientSend\","
     "\"topic\":\"a/b\",\"priority\":0,\"allow\":true}]}]}\n"},
};

/* How a run ended, and what it left. */
struct outcome {
    int status; /* of exit; -1 for a signal */
    struct blob out, err, stores, list;
};

static struct tempdir dir;
static char base[TEMPDIR_MAX], world[TEMPDIR_MAX], out_path[TEMPDIR_MAX], err_path[TEMPDIR_MAX];
static char user[100];

static void outcome_free(struct outcome *outcome)
{
    blob_free(&outcome->out);
    blob_free(&outcome->err);
    blob_free(&outcome->stores);
    blob_free(&outcome->list);
}

/* Cuts a line into words in place: '' holds one together. */
static int split(char *line, char *words[static WORDS])
{
    int count = 0;
    words[count++] = (char *)"devreg";
    for (char *at = line; *at && count < WORDS - 1;) {
        bool quoted = *at == '\'';
        words[count] = at += quoted;
        at += strcspn(at, quoted ? "'" : " ");
        if (*at)
            *at++ = '\0';
        at += strspn(at, " ");
        if (strcmp(words[count], USER) == 0)
            words[count] = user;
        count++;
    }
    words[count] = NULL;
    return count;
}

static void redirect(int to, const char *path, int flags)
{
    int file = open(path, flags, 0600);
    if (file < 0 || dup2(file, to) < 0 || close(file) != 0)
        abort();
}

static void run_here(const char *line, const char *input, struct fault_plan plan)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    char copy[LINE_SIZE], *words[WORDS];
    for (size_t i = 0; i < COUNT(signals); i++)
        (void)signal(signals[i], SIG_DFL); /* cmocka would go on with the next test */
    (void)alarm(SECONDS);
    if (chdir(world) != 0 || setenv("DEVREG_REGISTRY", "registry", 1) != 0)
        abort();
    redirect(STDIN_FILENO, input ? input : "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, out_path, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, err_path, O_WRONLY | O_CREAT | O_TRUNC);
    (void)snprintf(copy, sizeof copy, "%s", line);
    int count = split(copy, words);
    fault_make_same();
    fault_begin(plan);
    int status = devreg_main(count, words);
    fault_end();
    exit(status);
}

static int run(const char *line, const char *input, struct fault_plan plan)
{
    int status;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_here(line, input, plan);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must_run(const char *line)
{
    struct blob err = {.data = NULL};
    int status = run(line, NULL, (struct fault_plan){.kind = FAULT_NONE});
    blob_read(&err, err_path);
    if (status)
        print_message("%s: %d %s\n", line, status, err.data);
    assert_int_equal(status, 0);
    blob_free(&err);
}

static void look(struct outcome *outcome)
{
    *outcome = (struct outcome){.status = 0};
    blob_read(&outcome->out, out_path);
    blob_read(&outcome->err, err_path);
    world_list(&outcome->list, world);
    world_dump(&outcome->stores, world);
}

static void world_reset(const char *from)
{
    tree_remove(world);
    world_copy(from, world);
}

static void attempt(struct outcome *outcome, const struct verb *verb, const char *from,
                    struct fault_plan plan)
{
    world_reset(from);
    int status = run(verb->line, verb->input, plan);
    look(outcome);
    outcome->status = status;
}

/* One line at the end that says what, why, and what to do. Lines that name a file's bad lines may
 * come before; warnings, too. */
static bool says_why(const char *text)
{
    const char *last = text;
    for (const char *at = text; (at = strchr(at, '\n')) && at[1]; at++)
        last = at + 1;
    return strncmp(last, "devreg: ", 8) == 0 && strstr(last + 8, ": ") && strchr(last, '\n');
}

static bool says(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, words[i]))
            return true;
    }
    return false;
}

/* What it says of the change that it was to make. */
enum told { TOLD_NOTHING, TOLD_MADE, TOLD_UNCLEAR };

static enum told what_it_tells(const char *text)
{
    static const char *const unclear[] = {"it is not certain"}, *const nothing[] = {"nothing was"},
                             *const made[] = {"was made", "was added", "were added", "new key",
                                              "is restored"};
    if (says(text, unclear, COUNT(unclear)))
        return TOLD_UNCLEAR;
    return !says(text, nothing, COUNT(nothing)) && says(text, made, COUNT(made)) ? TOLD_MADE
                                                                                 : TOLD_NOTHING;
}

/* A file cannot be removed where just that fails, and one cannot be seen to be one's own. */
static bool cannot_tidy_up(void)
{
    static const char *const calls[] = {
        "unlink",  "unlinkat", "rmdir",
        "lstat64", "fstat64",  "open64" /* a directory that is to be emptied */};
    for (size_t i = 0; i < COUNT(calls); i++) {
        if (strcmp(fault_report->name, calls[i]) == 0)
            return true;
    }
    return false;
}

static bool same_files(const struct outcome *got, const struct outcome *wanted)
{
    return cannot_tidy_up() || blob_same(&got->list, &wanted->list);
}

/* Nothing failed, or devreg coped. What it only shows if it can, as who is online, it may leave out
 * with a warning, or call unknown. */
static const char *judge_done(const struct outcome *got, const struct outcome *after)
{
    if (!blob_same(&got->stores, &after->stores))
        return "says that it is done, and it is not";
    if (!same_files(got, after))
        return "says that it is done, and the files are not";
    bool warned = strstr(got->err.data, "devreg: warning: ") != NULL ||
                  strstr(got->out.data, "unknown") != NULL;
    return warned || blob_same(&got->out, &after->out) ? NULL : "another answer";
}

/* `devreg check` tells what it cannot read or see as a finding; and what LMDB says of a damaged
 * file is said of a backup. */
static bool says_damaged(const struct verb *verb, const struct outcome *got)
{
    if (strncmp(verb->line, "check", 5) == 0)
        return got->out.size > 0;
    return strncmp(verb->line, "restore", 7) == 0 && strstr(got->err.data, "damaged");
}

static const char *judge_failed(const struct verb *verb, const struct outcome *got,
                                const struct outcome *before, const struct outcome *after)
{
    bool is_before = blob_same(&got->stores, &before->stores);
    bool is_after = blob_same(&got->stores, &after->stores);
    enum told told = what_it_tells(got->err.data);
    if (!says_why(got->err.data))
        return "does not say why";
    if (verb->fresh)
        return NULL; /* see try_again */
    if (told == TOLD_UNCLEAR)
        return is_before || is_after ? NULL : "a change half made";
    if (told == TOLD_MADE)
        return is_after ? NULL : "says that it was made, and it was not";
    if (told == TOLD_NOTHING && !is_before)
        return "changed a store";
    return same_files(got, before) ? NULL : "left a file, or changed one";
}

/* What is wrong with it, or NULL. */
static const char *judge(const struct verb *verb, const struct outcome *got,
                         const struct outcome *before, const struct outcome *after)
{
    if (got->status == -1)
        return "died";
    if (got->status == after->status)
        return judge_done(got, after);
    bool is_before = blob_same(&got->stores, &before->stores);
    bool is_after = blob_same(&got->stores, &after->stores);
    if (got->status == NO && says_damaged(verb, got) && (is_before || is_after || verb->fresh))
        return NULL;
    return got->status == FAILED ? judge_failed(verb, got, before, after) : "a wrong exit status";
}

static const char *const kind_names[FAULT_COUNT] = {
    [FAULT_MEMORY] = "memory", [FAULT_FILES] = "files",   [FAULT_DISK] = "disk",
    [FAULT_LMDB] = "LMDB",     [FAULT_RANDOM] = "random",
};

static void tell(const struct verb *verb, struct fault_plan plan, const char *problem,
                 const struct outcome *got)
{
    print_message("%s: %s %lu%s (%s): %s; exit status %d, stderr: %s", verb->line,
                  kind_names[plan.kind], plan.n, plan.lasts ? " and all after it" : "",
                  fault_report->name, problem, got->status, got->err.data);
    if (strstr(problem, "file")) {
        struct blob names = {.data = NULL};
        world_names(&names, world);
        print_message("%s", names.data);
        blob_free(&names);
    }
}

/* What makes a registry leaves what it has made so far, and then goes on with that. */
static const char *try_again(const struct verb *verb, const struct outcome *failed,
                             const struct outcome *after)
{
    struct outcome got;
    const struct fault_report kept = *fault_report;
    bool made = what_it_tells(failed->err.data) == TOLD_MADE;
    int status = run(verb->line, verb->input, (struct fault_plan){.kind = FAULT_NONE});
    look(&got);
    *fault_report = kept;
    bool fine = made ? status != 0 : status == after->status && same_files(&got, after);
    outcome_free(&got);
    return fine ? NULL : "cannot be tried again, files";
}

/* How many calls of that kind it makes where none fails. */
static unsigned long calls_of(const struct verb *verb, struct fault_plan plan)
{
    struct outcome got;
    plan.n = 0;
    attempt(&got, verb, base, plan);
    outcome_free(&got);
    return fault_report->calls;
}

/* How many runs went wrong. */
static unsigned long try_kind(const struct verb *verb, const struct outcome *before,
                              const struct outcome *after, struct fault_plan plan, struct rng *rng)
{
    const bool all = getenv("DEVREG_FAULTS") != NULL;
    unsigned long wrong = 0, gap = calls_of(verb, plan) / TRIES;
    for (plan.n = 1;; plan.n += all || !gap ? 1 : 1 + rng_below(rng, 2 * gap)) {
        struct outcome got;
        attempt(&got, verb, base, plan);
        bool hit = fault_report->failed > 0;
        const char *problem = judge(verb, &got, before, after);
        if (!problem && verb->fresh && got.status == FAILED)
            problem = try_again(verb, &got, after);
        if (problem && ++wrong <= TOLD)
            tell(verb, plan, problem, &got);
        outcome_free(&got);
        if (!hit)
            return wrong;
    }
}

static void prepare(const struct verb *verb)
{
    char path[TEMPDIR_MAX];
    tree_remove(base);
    path_join(path, dir.path, "first");
    world_reset(path);
    if (verb->fresh)
        tree_remove(path_join(path, world, "registry"));
    if (verb->before)
        must_run(verb->before);
    world_copy(world, base);
}

static void try_verb(const struct verb *verb, unsigned long *wrong, struct rng *rng)
{
    static const struct fault_plan plans[] = {
        {.kind = FAULT_MEMORY}, {.kind = FAULT_FILES},  {.kind = FAULT_DISK, .lasts = true},
        {.kind = FAULT_LMDB},   {.kind = FAULT_RANDOM},
    };
    const char *only = getenv("DEVREG_FAULT_KIND");
    struct outcome before, after;
    prepare(verb);
    look(&before);
    attempt(&after, verb, base, (struct fault_plan){.kind = FAULT_NONE});
    print_message("%s: %d\n", verb->line, after.status);
    if (after.status > 1)
        print_message("%s", after.err.data);
    if (after.status > 1) {
        *wrong += 1;
        return;
    }
    for (size_t i = 0; i < COUNT(plans); i++) {
        if (only && strcmp(only, kind_names[plans[i].kind]) != 0)
            continue;
        *wrong += try_kind(verb, &before, &after, plans[i], rng);
        print_message("  %s: %lu calls\n", kind_names[plans[i].kind], fault_report->calls);
    }
    outcome_free(&before);
    outcome_free(&after);
}

static void every_call_of_every_verb_may_fail(void **state)
{
    const char *only = getenv("DEVREG_FAULT_VERB");
    struct rng rng = rng_start("test_verbs");
    unsigned long wrong = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (!only || strncmp(verbs[i].line, only, strlen(only)) == 0)
            try_verb(&verbs[i], &wrong, &rng);
    }
    assert_int_equal(wrong, 0);
}

static void write_file(const char *name, const char *text)
{
    char path[TEMPDIR_MAX];
    int file = open(path_join(path, world, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) || close(file) != 0)
        abort();
}

static int begin_all(void **state)
{
    char first[TEMPDIR_MAX];
    const struct passwd *me = getpwuid(getuid());
    (void)state;
    fault_report =
        mmap(NULL, sizeof *fault_report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fault_report == MAP_FAILED || !me)
        return -1;
    (void)snprintf(user, sizeof user, "%s", me->pw_name);
    (void)unsetenv("DEVREG_PRESENCE_STORE");
    (void)unsetenv("SUDO_USER");
    tempdir_make(&dir);
    path_join(base, dir.path, "base");
    path_join(world, dir.path, "world");
    path_join(out_path, dir.path, "out");
    path_join(err_path, dir.path, "err");
    if (mkdir(world, 0700) != 0)
        return -1;
    for (size_t i = 0; i < COUNT(files); i++)
        write_file(files[i].name, files[i].text);
    for (size_t i = 0; i < COUNT(first_lines); i++)
        must_run(first_lines[i]);
    world_copy(world, path_join(first, dir.path, "first"));
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_every_verb_may_fail),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
