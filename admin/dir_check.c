#include "admin/dir_check.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "registry/registry.h"

enum { PATH_SIZE = 4096, PROBLEM_SIZE = 300, GROUPS_MAX = 256 };

struct dir_report {
    void (*report)(void *context, const char *what, const char *problem);
    void *context;
};

/* The account that the broker runs as. */
struct broker {
    char name[64];
    uid_t uid;
    gid_t groups[GROUPS_MAX];
    int group_count;
};

static void find(const struct dir_report *report, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void find(const struct dir_report *report, const char *path, const char *format, ...)
{
    char problem[PROBLEM_SIZE];
    va_list values;
    va_start(values, format);
    vsnprintf(problem, sizeof problem, format, values);
    va_end(values);
    report->report(report->context, path, problem);
}

/* Fills `info`. False, and reported, where it is not there or something else. */
static bool look(const struct dir_report *report, const char *path, mode_t kind, struct stat *info)
{
    int failed = kind == S_IFDIR ? stat(path, info) : lstat(path, info); /* one may be linked to */
    if (!failed && (info->st_mode & S_IFMT) == kind)
        return true;
    if (failed && errno == EACCES)
        find(report, path, "cannot be looked at: run it as root, as with sudo");
    else
        find(report, path, "is missing, or no %s: compare with a fresh 'devreg -r DIR init'",
             kind == S_IFDIR ? "directory" : "file");
    return false;
}

/* Has it the mode, and the owner and group of `like`? */
static void check_one(const struct dir_report *report, const char *path, mode_t mode,
                      const struct stat *like, const struct stat *info)
{
    mode_t found = info->st_mode & 07777;
    if (found != mode)
        find(report, path, "its mode is %04o: 'chmod %04o' it", (unsigned)found, (unsigned)mode);
    if (info->st_uid != like->st_uid || info->st_gid != like->st_gid)
        find(report, path, "its owner is %u:%u: 'chown %u:%u' it", (unsigned)info->st_uid,
             (unsigned)info->st_gid, (unsigned)like->st_uid, (unsigned)like->st_gid);
}

static void check_file(const struct dir_report *report, const char *dir, const char *name,
                       mode_t mode, const struct stat *like)
{
    char path[PATH_SIZE];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (length < 0 || length >= PATH_SIZE)
        find(report, dir, "its path is too long");
    else if (look(report, path, S_IFREG, &info))
        check_one(report, path, mode, like, &info);
}

/* What a devreg that was killed left, in which there may be keys. */
static void check_left(const struct dir_report *report, const char *dir)
{
    const struct dirent *entry;
    char path[PATH_SIZE];
    DIR *files = opendir(dir);
    while (files && (entry = readdir(files))) {
        int length = snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (strncmp(entry->d_name, ".new-", 5) == 0 && length > 0 && length < PATH_SIZE)
            find(report, path,
                 "a devreg that was killed left it, unless one is at work: remove it");
    }
    if (files)
        (void)closedir(files);
}

static void check_store(const struct dir_report *report, const char *dir, const struct stat *info,
                        const struct stat *like)
{
    check_one(report, dir, 0750, like, info);
    check_file(report, dir, "data.mdb", 0640, like);
    check_file(report, dir, "lock.mdb", 0660, like);
    check_left(report, dir);
}

/* Whom the presence store belongs to. False where nothing is known of the account. */
static bool broker_find(struct broker *broker, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    if (!user)
        return false;
    broker->uid = uid;
    broker->group_count = GROUPS_MAX;
    snprintf(broker->name, sizeof broker->name, "%s", user->pw_name);
    return getgrouplist(user->pw_name, user->pw_gid, broker->groups, &broker->group_count) >= 0;
}

static bool is_in_group(const struct broker *broker, gid_t gid)
{
    int at = 0;
    while (at < broker->group_count && broker->groups[at] != gid)
        at++;
    return at < broker->group_count;
}

/* Its bits of the mode: 4 to read, 2 to write, 1 to search. */
static unsigned bits_of(const struct broker *broker, const struct stat *info)
{
    unsigned shift = info->st_uid == broker->uid ? 6 : is_in_group(broker, info->st_gid) ? 3 : 0;
    return info->st_mode >> shift & 7;
}

/* Who may write a directory can put another in the place of what lies in it; in a sticky one, as
 * /tmp, only of what is his. */
static void check_above(const struct dir_report *report, const struct broker *broker,
                        const char *path, uid_t below)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return;
    unsigned bits = bits_of(broker, &info);
    bool sticky = info.st_mode & S_ISVTX && info.st_uid != broker->uid && below != broker->uid;
    if (!(bits & 1))
        find(report, path, "the broker's user %s cannot get through it: 'chmod o+x' it",
             broker->name);
    if (info.st_uid == broker->uid || (bits & 2 && !sticky))
        find(report, path,
             "the broker's user %s can put another registry into it: move the registry to where "
             "only root may write",
             broker->name);
}

/* The broker reads, and does no more. */
static void check_broker(const struct dir_report *report, const char *dir, const struct stat *info,
                         uid_t uid)
{
    struct broker broker;
    char path[PATH_MAX];
    uid_t below = info->st_uid;
    if (uid == 0 || uid == info->st_uid || !broker_find(&broker, uid) || !realpath(dir, path))
        return;
    if (!is_in_group(&broker, info->st_gid))
        find(report, dir,
             "its group is %u, which the broker's user %s is not in: 'chgrp %u' it, and data.mdb "
             "and lock.mdb in it",
             (unsigned)info->st_gid, broker.name, (unsigned)broker.groups[0]);
    while (strcmp(path, "/") != 0) {
        struct stat above;
        (void)dirname(path); /* works in place */
        check_above(report, &broker, *path ? path : "/", below);
        below = stat(path, &above) == 0 ? above.st_uid : 0;
    }
}

void dir_check(const char *dir, const char *presence,
               void (*report)(void *context, const char *what, const char *problem), void *context)
{
    const struct dir_report to = {report, context};
    struct stat info, other;
    if (!look(&to, dir, S_IFDIR, &info))
        return;
    check_store(&to, dir, &info, &info);
    if (!look(&to, presence, S_IFDIR, &other))
        return;
    struct stat like = other;
    char inside[PATH_SIZE];
    snprintf(inside, sizeof inside, "%s/" PRESENCE_SUBDIR, dir);
    if (strcmp(inside, presence) == 0) /* elsewhere it is as its maker likes */
        like.st_gid = info.st_gid;
    check_store(&to, presence, &other, &like);
    check_broker(&to, dir, &info, other.st_uid);
}
