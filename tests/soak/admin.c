/* Several `devreg` at once, as processes of their own. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/crypto.h"
#include "soak.h"

enum verb {
    ROTATE,
    GRACE,
    DISABLE,
    ENABLE,
    REVOKE,
    REMOVE,
    ADD,
    MUTE,
    UNMUTE,
    NOTE,
    ALLOW,
    UNSET,
    VERBS
};

/* %s is the device. */
static const char *const commands[VERBS] = {
    "rotate %s --grace 0",
    "rotate %s",
    "disable %s",
    "enable %s",
    "revoke %s",
    "remove %s",
    "add %s",
    "deny %s publish devices/%u/#",
    "unset %s publish devices/%u/#",
    "set %s --note seen",
    "allow @device publish common/%s",
    "unset @device publish common/%s",
};

extern char **environ;

static void spawn(struct job *job, char *command)
{
    char *argv[16] = {DEVREG_PROGRAM, "-r", s.scene->registry};
    size_t count = 3;
    posix_spawn_file_actions_t actions;
    for (char *word = strtok(command, " "); word; word = strtok(NULL, " "))
        argv[count++] = word;
    job->out = memfd_create("out", MFD_CLOEXEC);
    job->err = memfd_create("err", MFD_CLOEXEC);
    check(job->out >= 0 && job->err >= 0 && posix_spawn_file_actions_init(&actions) == 0);
    check(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0);
    check(posix_spawn_file_actions_adddup2(&actions, job->out, 1) == 0);
    check(posix_spawn_file_actions_adddup2(&actions, job->err, 2) == 0);
    check(posix_spawn(&job->pid, DEVREG_PROGRAM, &actions, NULL, argv, environ) == 0);
    check(posix_spawn_file_actions_destroy(&actions) == 0);
}

static void text_read(int fd, char *to, size_t room)
{
    ssize_t got = pread(fd, to, room - 1, 0);
    to[got < 0 ? 0 : got] = '\0';
    to[strcspn(to, "\n")] = '\0';
}

/* ---- what comes next for a device */

static enum verb draw_down(const struct unit *unit)
{
    switch (unit->phase) {
    case UNIT_ABSENT:
        return ADD;
    case UNIT_REVOKED:
        return REMOVE;
    case UNIT_DISABLED:
        return rng_percent(&s.rng, 80) ? ENABLE : REMOVE;
    case UNIT_ENABLED:
        break;
    }
    return UNMUTE;
}

/* A role of everybody's gets a rule, and later loses it again: one at a time. */
static enum verb draw_role(struct unit **unit)
{
    if (s.role_changing)
        return NOTE;
    if (!s.role_unit)
        return ALLOW;
    *unit = s.role_unit;
    return UNSET;
}

static enum verb draw_up(void)
{
    static const enum verb all[] = {ROTATE, ROTATE, GRACE, DISABLE, DISABLE, REVOKE,
                                    REVOKE, REMOVE, MUTE,  MUTE,    NOTE,    ALLOW};
    return all[rng_below(&s.rng, sizeof all / sizeof *all)];
}

static void set_down(struct unit *unit)
{
    bool down = unit->phase != UNIT_ENABLED || unit->muted;
    if (down && !unit->down) {
        check(s.down_count < DOWN_MAX);
        s.down[s.down_count++] = unit;
    }
    for (size_t i = 0; i < s.down_count && !down && unit->down; i++)
        if (s.down[i] == unit)
            s.down[i--] = s.down[--s.down_count];
    unit->down = down;
}

/* One that is down comes back more often than another goes. */
static struct unit *draw_unit(void)
{
    bool back = s.down_count > DOWN_MAX / 2 || (s.down_count > 20 && rng_percent(&s.rng, 55));
    return back ? s.down[rng_below(&s.rng, s.down_count)]
                : &s.units[rng_below(&s.rng, s.unit_count)];
}

/* What is done, with the device for %s. */
static void command_write(char *to, size_t room, enum verb verb, const char *id)
{
    const char *at = commands[verb], *blank = strstr(at, "%s");
    check(snprintf(to, room, "%.*s%s%s", (int)(blank - at), at, id, blank + 2) < (int)room);
}

bool admin_begin(void)
{
    char command[128];
    struct job *job = s.jobs;
    struct unit *unit = draw_unit();
    while (job < s.jobs + JOBS && job->pid)
        job++;
    if (job == s.jobs + JOBS)
        return false;
    enum verb verb = unit->down ? draw_down(unit) : draw_up();
    if (verb == ALLOW)
        verb = draw_role(&unit);
    if (unit->changing)
        return false;
    /* What lets it in again is only judged where nobody is at the door. */
    if ((verb == ENABLE || verb == ADD || verb == UNMUTE) && !fleet_rests(unit))
        return false;
    unit->changing = true;
    s.role_changing |= verb == ALLOW || verb == UNSET;
    fleet_unsure(unit);
    command_write(command, sizeof command, verb, unit->id);
    *job = (struct job){.unit = unit, .verb = (int)verb};
    spawn(job, command);
    return true;
}

/* ---- what was acknowledged */

static void new_key(struct unit *unit, const struct job *job)
{
    memcpy(unit->old_key, unit->key, sizeof unit->old_key);
    if (job->verb != ROTATE)
        unit->old_key[0] = '\0'; /* it still is one, or is none of this device's */
    text_read(job->out, unit->key, sizeof unit->key);
    check(strlen(unit->key) == KEY_TEXT_SIZE);
}

static void apply(struct unit *unit, const struct job *job)
{
    switch ((enum verb)job->verb) {
    case ROTATE:
        new_key(unit, job);
        fleet_ended(unit);
        break;
    case GRACE:
        new_key(unit, job);
        break;
    case ADD:
        new_key(unit, job);
        unit->phase = UNIT_ENABLED;
        unit->muted = false;
        break;
    case DISABLE:
        unit->phase = UNIT_DISABLED;
        fleet_ended(unit);
        break;
    case REVOKE:
        unit->phase = UNIT_REVOKED;
        fleet_ended(unit);
        break;
    case REMOVE:
        if (unit->phase == UNIT_ENABLED)
            fleet_ended(unit);
        unit->phase = UNIT_ABSENT;
        break;
    case ENABLE:
        unit->phase = UNIT_ENABLED;
        break;
    case MUTE:
    case UNMUTE:
        unit->muted = job->verb == MUTE;
        break;
    case ALLOW:
    case UNSET:
        s.role_unit = job->verb == ALLOW ? unit : NULL;
        s.role_changing = false;
        break;
    case NOTE:
    case VERBS:
        break;
    }
}

static void finish(struct job *job, int status)
{
    char why[256];
    struct unit *unit = job->unit;
    text_read(job->err, why, sizeof why);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_error("devreg ended with %d: %s\n", status, why);
        soak_wrong(unit, commands[job->verb]);
    }
    unit->changing = false;
    apply(unit, job);
    set_down(unit);
    fleet_ask(unit);
    s.changes++;
    (void)close(job->out);
    (void)close(job->err);
    *job = (struct job){0};
}

void admin_turn(void)
{
    for (struct job *job = s.jobs; job < s.jobs + JOBS; job++) {
        int status;
        if (job->pid && waitpid(job->pid, &status, WNOHANG) == job->pid)
            finish(job, status);
    }
}

bool admin_busy(void)
{
    for (const struct job *job = s.jobs; job < s.jobs + JOBS; job++)
        if (job->pid)
            return true;
    return false;
}
