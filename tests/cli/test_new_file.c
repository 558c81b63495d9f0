/* A new file is whole or not there, with and without a file system that knows files without names.
 */
#include "tests/support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/new_file.h"
#include "tests/support/tempdir.h"

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX];
    int (*open)(struct new_file *new_file, const char *path);
};

static int begin_with(void **state, int (*how)(struct new_file *new_file, const char *path))
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    fixture->open = how;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "file");
    return 0;
}

static int begin(void **state)
{
    return begin_with(state, new_file_open);
}

static int begin_named(void **state)
{
    return begin_with(state, new_file_open_named);
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static unsigned count_files(const struct fixture *fixture)
{
    unsigned count = 0;
    DIR *dir = opendir(fixture->dir.path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    assert_int_equal(closedir(dir), 0);
    return count;
}

static void assert_content(const char *path, const char *text)
{
    char content[40] = "";
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(read(file, content, sizeof content - 1), (ssize_t)strlen(text));
    assert_string_equal(content, text);
    assert_int_equal(close(file), 0);
}

static void it_is_there_once_it_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct new_file out;
    struct stat info;
    assert_int_equal(fixture->open(&out, fixture->path), 0);
    assert_int_equal(write(out.file, "text", 4), 4);
    assert_int_not_equal(access(fixture->path, F_OK), 0);
    assert_content(new_file_name(&out), "text");
    assert_int_equal(new_file_keep(&out), 0);
    new_file_end(&out);
    assert_content(fixture->path, "text");
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(count_files(fixture), 1);
}

static void one_that_is_not_kept_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct new_file out;
    assert_int_equal(fixture->open(&out, fixture->path), 0);
    assert_int_equal(write(out.file, "text", 4), 4);
    new_file_end(&out);
    assert_int_equal(count_files(fixture), 0);
}

static void a_file_that_comes_meanwhile_is_not_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct new_file out;
    assert_int_equal(fixture->open(&out, fixture->path), 0);
    assert_int_equal(write(out.file, "ours", 4), 4);
    int file = open(fixture->path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(file >= 0 && write(file, "theirs", 6) == 6 && close(file) == 0);
    assert_int_equal(new_file_keep(&out), EEXIST);
    new_file_end(&out);
    assert_content(fixture->path, "theirs");
    assert_int_equal(count_files(fixture), 1);
    assert_int_equal(fixture->open(&out, fixture->path), EEXIST);
}

static void a_place_that_cannot_be_is_named_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct new_file out;
    char path[TEMPDIR_MAX], name[300];
    assert_int_equal(fixture->open(&out, path_join(path, fixture->path, "below")), ENOENT);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(fixture->open(&out, path_join(path, fixture->dir.path, name)), ENAMETOOLONG);
    assert_int_equal(symlink("nowhere", fixture->path), 0);
    assert_int_equal(fixture->open(&out, fixture->path), EEXIST);
}

static void a_signal_leaves_nothing(void **state)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(ending); i++) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct new_file out;
            if (fixture->open(&out, fixture->path) == 0)
                (void)raise(ending[i]);
            _exit(1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == ending[i]);
        assert_int_equal(count_files(fixture), 0);
    }
}

#define both(name)                                                                                 \
    {#name, name, begin, end, NULL},                                                               \
    {                                                                                              \
#name "_also_where_files_need_names", name, begin_named, end, NULL                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        both(it_is_there_once_it_is_kept),
        both(one_that_is_not_kept_is_gone),
        both(a_file_that_comes_meanwhile_is_not_overwritten),
        both(a_place_that_cannot_be_is_named_at_once),
        both(a_signal_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
