/* Making the directories of a new registry. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/registry_internal.h"
#include "registry/store_dir.h"

enum { DIR_PATH_MAX = 4096 };

/* The name of a new directory is on the disk only once the one above is synced; one may not be able
 * to read that. */
static enum err sync_above(const char *path)
{
    char above[DIR_PATH_MAX];
    int length = snprintf(above, sizeof above, "%s/..", path);
    if (length < 0 || (size_t)length >= sizeof above)
        return ERR_INVALID;
    int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? ERR_OK : err_from_errno(errno);
    enum err e = fsync(fd) == 0 || errno == EINVAL ? ERR_OK : err_from_errno(errno);
    (void)close(fd); /* synced */
    return e;
}

/* Makes the directory with that owner, or finds one. After an error there is none that was not
 * there: it would be taken for somebody's own choice of modes. */
static enum err directory_make(const char *path, uid_t uid, gid_t gid, bool *made)
{
    *made = mkdir(path, 0700) == 0;
    if (!*made)
        return errno == EEXIST ? ERR_OK : err_from_errno(errno);
    bool mine = uid == geteuid() && gid == getegid();
    enum err e = ERR_OK;
    if ((!mine && chown(path, uid, gid) != 0) || chmod(path, 0750) != 0)
        e = err_from_errno(errno);
    if (!e)
        e = sync_above(path);
    if (e)
        (void)rmdir(path);
    return e;
}

/* May the directory become a registry's? ERR_EXISTS where one is there, ERR_INVALID where it holds
 * anything else: its mode is about to be changed. */
static enum err directory_free(const char *path)
{
    static const char *const fine[] = {".", "..", "lost+found", PRESENCE_SUBDIR, "lock.mdb"};
    DIR *dir = opendir(path);
    enum err e = ERR_OK;
    const struct dirent *entry;
    if (!dir)
        return err_from_errno(errno);
    while (e != ERR_EXISTS && (errno = 0, entry = readdir(dir))) {
        bool known = strncmp(entry->d_name, ".new-", 5) == 0;
        for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
            known |= strcmp(entry->d_name, fine[i]) == 0;
        if (strcmp(entry->d_name, "data.mdb") == 0)
            e = ERR_EXISTS;
        else if (!known)
            e = ERR_INVALID;
    }
    if (e != ERR_EXISTS && errno)
        e = err_from_errno(errno);
    (void)closedir(dir);
    return e;
}

static enum err registry_dir(const char *dir, gid_t gid)
{
    bool made;
    enum err e = directory_make(dir, geteuid(), gid, &made);
    if (e || made)
        return e;
    e = directory_free(dir);
    if (e)
        return e;
    bool owned = gid == getegid() || chown(dir, (uid_t)-1, gid) == 0;
    return owned && chmod(dir, 0750) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err presence_dir(const char *dir, uid_t uid, gid_t gid)
{
    char path[DIR_PATH_MAX];
    bool made;
    const struct store_files files = {uid, gid, 0640, 0660};
    int length = snprintf(path, sizeof path, "%s/%s", dir, PRESENCE_SUBDIR);
    if (length < 0 || (size_t)length >= sizeof path)
        return ERR_INVALID;
    enum err e = directory_make(path, uid, gid, &made);
    if (e)
        return e;
    e = store_create(path, STORE_PRESENCE, &files, NULL, NULL);
    return e == ERR_EXISTS ? ERR_OK : e; /* what is known of presence stays */
}

enum err registry_make_places(const char *dir, uid_t broker_uid, gid_t broker_gid)
{
    enum err e = crypto_init();
    if (!e)
        e = registry_dir(dir, broker_gid);
    if (!e || e == ERR_EXISTS) { /* a presence store that was lost is made again */
        enum err made = presence_dir(dir, broker_uid, broker_gid);
        e = made ? made : e;
    }
    return e;
}

enum err registry_create(const char *dir, uid_t broker_uid, gid_t broker_gid, const char *who,
                         int64_t now)
{
    const struct store_files files = {geteuid(), broker_gid, 0640, 0660};
    struct first_records first = {who, now};
    enum err e = registry_make_places(dir, broker_uid, broker_gid);
    if (!e)
        e = store_create(dir, STORE_REGISTRY, &files, registry_first_records, &first);
    return e;
}
