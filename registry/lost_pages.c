#include "registry/lost_pages.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "registry/mapping.h"

enum { FILES_MAX = 16 };

struct watched_file {
    atomic_uintptr_t begin, end; /* 0 where the place is free */
    _Atomic(atomic_bool *) lost;
    atomic_bool met; /* a page of it was missing */
};

/* All that the handler reads. */
static struct watched_file files[FILES_MAX];
static uintptr_t page_size;

static struct sigaction before;
static unsigned users;

/* Puts zeros where the file has nothing. Writable, since LMDB writes to its lock file's mapping. */
static bool page_fill(uintptr_t at)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): so the kernel tells it */
    void *page = (void *)(at & ~(page_size - 1));
    return mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0) == page;
}

static bool is_mended(uintptr_t at)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (at < atomic_load(&files[i].begin) || at >= atomic_load(&files[i].end))
            continue;
        atomic_store(atomic_load(&files[i].lost), true);
        atomic_store(&files[i].met, true);
        return page_fill(at);
    }
    return false;
}

/* It is nobody's page of ours: as if we were not there. Without a handler the instruction meets the
 * signal again, and that is the end. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(signal, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(signal);
    else
        (void)sigaction(SIGBUS, &before, NULL);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    const int saved = errno;
    if (!is_mended((uintptr_t)info->si_addr))
        pass_on(signal, info, context);
    errno = saved;
}

void lost_pages_catch(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = on_signal};
    if (users++)
        return;
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) != 0)
        users = 0;
}

/* Whoever caught it after us keeps it. */
void lost_pages_release(void)
{
    struct sigaction now;
    if (!users || --users)
        return;
    bool ours = sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
                now.sa_sigaction == on_signal;
    if (ours)
        (void)sigaction(SIGBUS, &before, NULL);
}

static struct watched_file *watch(uintptr_t begin, uintptr_t end, atomic_bool *lost)
{
    struct watched_file *file = files;
    while (file < files + FILES_MAX && atomic_load(&file->end))
        file++;
    if (file == files + FILES_MAX)
        return NULL;
    atomic_store(&file->lost, lost);
    atomic_store(&file->met, false);
    atomic_store(&file->begin, begin);
    atomic_store(&file->end, end);
    return file;
}

struct watched_file *lost_pages_watch(const void *address, atomic_bool *lost)
{
    uintptr_t begin, end;
    return users && mapping_around(address, &begin, &end) ? watch(begin, end, lost) : NULL;
}

struct watched_file *lost_pages_watch_file(dev_t device, ino_t inode, atomic_bool *lost)
{
    uintptr_t begin, end;
    return users && mapping_of(device, inode, &begin, &end) ? watch(begin, end, lost) : NULL;
}

void lost_pages_forget(struct watched_file *file)
{
    if (file)
        atomic_store(&file->end, 0);
}

bool lost_pages_met(const struct watched_file *file)
{
    return file && atomic_load(&file->met);
}

void lost_pages_leave(struct watched_file *file)
{
    const uintptr_t begin = file ? atomic_load(&file->begin) : 0;
    if (!file)
        return;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): so the kernel tells it */
    void *pages = (void *)begin;
    (void)mmap(pages, atomic_load(&file->end) - begin, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    lost_pages_forget(file);
}
