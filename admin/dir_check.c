#include "admin/dir_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "registry/registry.h"

enum { PATH_SIZE = 4096, PROBLEM_SIZE = 256 };

struct dir_report {
    const char *dir;
    void (*report)(void *context, const char *what, const char *problem);
    void *context;
};

/* Fills `info`. False, and reported, where it is not there or something else. */
static bool look(const struct dir_report *report, const char *name, mode_t kind, struct stat *info)
{
    char path[PATH_SIZE], problem[PROBLEM_SIZE];
    int length = snprintf(path, sizeof path, "%s%s", report->dir, name);
    if (length < 0 || length >= PATH_SIZE) {
        report->report(report->context, report->dir, "its path is too long");
        return false;
    }
    int failed = *name ? lstat(path, info) : stat(path, info); /* the registry may be linked to */
    if (!failed && (info->st_mode & S_IFMT) == kind)
        return true;
    if (failed && errno == EACCES)
        snprintf(problem, sizeof problem, "cannot be looked at: run it as root, as with sudo");
    else
        snprintf(problem, sizeof problem,
                 "is missing, or no %s: compare with a fresh 'devreg -r DIR init'",
                 kind == S_IFDIR ? "directory" : "file");
    report->report(report->context, path, problem);
    return false;
}

/* Has `name` the mode, and the owner and group of `like`? */
static void check_one(const struct dir_report *report, const char *name, mode_t mode,
                      const struct stat *like, const struct stat *info)
{
    char path[PATH_SIZE], problem[PROBLEM_SIZE];
    mode_t found = info->st_mode & 07777;
    snprintf(path, sizeof path, "%s%s", report->dir, name);
    if (found != mode) {
        snprintf(problem, sizeof problem, "its mode is %04o: 'chmod %04o' it", (unsigned)found,
                 (unsigned)mode);
        report->report(report->context, path, problem);
    }
    if (info->st_uid != like->st_uid || info->st_gid != like->st_gid) {
        snprintf(problem, sizeof problem, "its owner is %u:%u: 'chown %u:%u' it",
                 (unsigned)info->st_uid, (unsigned)info->st_gid, (unsigned)like->st_uid,
                 (unsigned)like->st_gid);
        report->report(report->context, path, problem);
    }
}

static void check_file(const struct dir_report *report, const char *name, mode_t mode,
                       const struct stat *like)
{
    struct stat info;
    if (look(report, name, S_IFREG, &info))
        check_one(report, name, mode, like, &info);
}

/* Its owner is the broker; its group has to be the one that may read the registry. */
static void check_presence(const struct dir_report *report, const struct stat *dir)
{
    struct stat info;
    if (!look(report, "/" PRESENCE_SUBDIR, S_IFDIR, &info))
        return;
    struct stat like = info;
    like.st_gid = dir->st_gid;
    check_one(report, "/" PRESENCE_SUBDIR, 0750, &like, &info);
    check_file(report, "/" PRESENCE_SUBDIR "/data.mdb", 0640, &like);
    check_file(report, "/" PRESENCE_SUBDIR "/lock.mdb", 0660, &like);
}

void dir_check(const char *dir,
               void (*report)(void *context, const char *what, const char *problem), void *context)
{
    const struct dir_report to = {dir, report, context};
    struct stat info;
    if (!look(&to, "", S_IFDIR, &info))
        return;
    check_one(&to, "", 0750, &info, &info);
    check_file(&to, "/data.mdb", 0640, &info);
    check_file(&to, "/lock.mdb", 0660, &info);
    check_presence(&to, &info);
}
