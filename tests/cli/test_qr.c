/* --qr: what stands on the terminal is read back as a scanner would, on a dark terminal and on a
 * light one; it is never on stdout; and nothing of the key is left in memory. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "admin/qr.h"
#include "registry/registry.h"
#include "tests/cli/tty.h"

enum { MODULE = 4, MARGIN = 3, LINES_MAX = 60, CELLS_MAX = 100, LINE_SIZE = CELLS_MAX * 3 + 100 };
enum { BLACK = 0, WHITE = 255 };

static char directory[] = "/tmp/devreg-qr.XXXXXX";

static void devreg(const char *arguments)
{
    char command[500];
    snprintf(command, sizeof command, "%s -r %s %s >/dev/null 2>&1", DEVREG, directory, arguments);
    assert_int_equal(system(command), 0);
}

/* Runs a line of shell, where $devreg is the program, on a terminal. Returns its exit status. */
static int run(struct tty *tty, unsigned short rows, unsigned short columns, const char *line)
{
    if (tty_fork(tty, rows, columns)) {
        setenv("devreg", DEVREG, 1);
        setenv("DEVREG_REGISTRY", directory, 1);
        setenv("TERM", "xterm", 1);
        if (chdir(directory) == 0)
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    return tty_end(tty);
}

/* The cells of a terminal's window, each two pixels one above the other. */
struct screen {
    uint8_t pixels[2 * LINES_MAX][CELLS_MAX];
};

struct pen {
    int line, cell;
    uint8_t ground, ink, background;
};

/* "38;5;16": what a code of colours says. */
static void take_colours(struct pen *pen, const char *codes)
{
    int ink, ground;
    if (sscanf(codes, "\033[38;5;%d;48;5;%dm", &ink, &ground) == 2) {
        assert_true((ink == 16 || ink == 231) && (ground == 16 || ground == 231));
        pen->ink = ink == 16 ? BLACK : WHITE;
        pen->background = ground == 16 ? BLACK : WHITE;
    } else {
        assert_memory_equal(codes, "\033[0m", 4);
        pen->ink = pen->ground == BLACK ? WHITE : BLACK;
        pen->background = pen->ground;
    }
}

/* Draws a character, and returns the next. */
static const char *put(struct screen *screen, struct pen *pen, const char *at)
{
    static const char *const blocks[] = {"▀", "▄", "█"};
    bool upper = false, lower = false;
    size_t size = 1;
    for (int i = 0; i < 3; i++) {
        if (strncmp(at, blocks[i], 3) == 0) {
            upper = i != 1;
            lower = i != 0;
            size = 3;
        }
    }
    assert_true(pen->line < LINES_MAX && pen->cell < CELLS_MAX);
    screen->pixels[2 * pen->line][pen->cell] = upper ? pen->ink : pen->background;
    screen->pixels[2 * pen->line + 1][pen->cell++] = lower ? pen->ink : pen->background;
    return at + size;
}

/* What a terminal whose own background is `ground` shows; letters are left out. */
static void show(struct screen *screen, const char *said, uint8_t ground)
{
    struct pen pen = {0, 0, ground, (uint8_t)~ground, ground};
    memset(screen, ground, sizeof *screen);
    for (const char *at = said; *at;) {
        if (*at == '\033') {
            take_colours(&pen, at);
            at += strcspn(at, "m") + 1;
        } else if (*at == '\n') {
            pen.line++;
            at++;
        } else if (*at == '\r') {
            pen.cell = 0;
            at++;
        } else {
            at = put(screen, &pen, at);
        }
    }
}

static void write_image(const struct screen *screen, FILE *image)
{
    int width = (CELLS_MAX + 2 * MARGIN) * MODULE, height = 2 * LINES_MAX * MODULE;
    fprintf(image, "P5 %d %d 255\n", width, height);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int cell = x / MODULE - MARGIN;
            bool inside = cell >= 0 && cell < CELLS_MAX;
            (void)fputc(screen->pixels[y / MODULE][inside ? cell : CELLS_MAX - 1], image);
        }
    }
}

/* What a scanner reads there, "" for nothing. */
static void scan(const char *said, uint8_t ground, char text[static LINE_SIZE])
{
    static struct screen screen;
    char path[sizeof directory + 20], command[sizeof path + 80];
    snprintf(path, sizeof path, "%s/screen.pgm", directory);
    show(&screen, said, ground);
    FILE *image = fopen(path, "w");
    assert_non_null(image);
    write_image(&screen, image);
    assert_int_equal(fclose(image), 0);
    snprintf(command, sizeof command, "zbarimg --quiet --raw %s 2>/dev/null", path);
    FILE *scanner = popen(command, "r");
    assert_non_null(scanner);
    if (!fgets(text, LINE_SIZE, scanner))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    (void)pclose(scanner); /* 4 where it found nothing */
}

/* Would the broker let the device in with it? */
static bool key_opens(const char *id, const char *key)
{
    struct registry *registry;
    struct device device;
    assert_int_equal(registry_open(&registry, directory, STORE_READ), ERR_OK);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_device(registry, id, &device), ERR_OK);
    bool opens = credential_of_key(&device, key, registry_secret(registry),
                                   (int64_t)time(NULL) * 1000 + 999);
    device_clear(&device);
    registry_end(registry);
    registry_close(registry);
    return opens;
}

static void the_code_is_the_key_on_dark_and_light_terminals(void **state)
{
    static struct tty tty;
    char dark[LINE_SIZE], light[LINE_SIZE];
    (void)state;
    assert_int_equal(run(&tty, 24, 80, "$devreg add pump-1 --qr"), 0);
    scan(tty.said, BLACK, dark);
    scan(tty.said, WHITE, light);
    assert_true(key_opens("pump-1", dark));
    assert_string_equal(dark, light);
    assert_null(strstr(tty.said, "devreg_")); /* once on the screen */
    assert_int_equal(run(&tty, 24, 80, "$devreg rotate pump-1 --qr --grace 0"), 0);
    scan(tty.said, BLACK, light);
    assert_true(key_opens("pump-1", light));
    assert_false(key_opens("pump-1", dark));
}

/* With the prompt, also where the terminal is as small as it may be. */
static void the_whole_code_is_in_sight_at_the_end(void **state)
{
    static struct tty tty;
    char key[LINE_SIZE];
    int lines = 0;
    (void)state;
    assert_int_equal(run(&tty, QR_ROWS + 1, QR_COLUMNS, "$devreg add seen --qr"), 0);
    const char *begin = tty.said + tty.length;
    while (begin > tty.said && lines <= QR_ROWS + 1)
        lines += *--begin == '\n';
    scan(begin, BLACK, key);
    assert_true(key_opens("seen", key));
}

static void a_program_that_reads_stdout_gets_the_key_and_nothing_else(void **state)
{
    static struct tty tty;
    char key[LINE_SIZE], path[sizeof directory + 10], line[LINE_SIZE] = "";
    struct stat info;
    (void)state;
    assert_int_equal(run(&tty, 24, 80, "$devreg add read --qr >key 2>err"), 0);
    scan(tty.said, BLACK, key);
    assert_true(key_opens("read", key));
    snprintf(path, sizeof path, "%s/key", directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, KEY_TEXT_SIZE + 1);
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, key);
    assert_int_equal(run(&tty, 24, 80, "grep -q -e devreg_ -e '▀' err"), 1);
}

static void json_goes_to_a_file_beside_the_code(void **state)
{
    static struct tty tty;
    char key[LINE_SIZE], command[LINE_SIZE + 100];
    (void)state;
    assert_int_equal(run(&tty, 24, 80, "$devreg add object --json --qr >object"), 0);
    scan(tty.said, BLACK, key);
    assert_true(key_opens("object", key));
    snprintf(command, sizeof command, "grep -q '\"key\":\"%s\"}$' object", key);
    assert_int_equal(run(&tty, 24, 80, command), 0);
}

static void assert_refused(unsigned short rows, unsigned short columns, const char *line,
                           const char *why)
{
    static struct tty tty;
    assert_int_equal(run(&tty, rows, columns, line), 2);
    if (!strstr(tty.said, why))
        fail_msg("%s said: %s", line, tty.said);
    assert_int_equal(run(&tty, 24, 80, "$devreg show refused 2>/dev/null"), 1);
}

static void what_cannot_be_drawn_is_refused_before_a_key_is_made(void **state)
{
    (void)state;
    assert_refused(QR_ROWS, 80, "$devreg add refused --qr", "37 columns and 20 lines");
    assert_refused(24, QR_COLUMNS - 1, "$devreg add refused --qr", "37 columns and 20 lines");
    assert_refused(24, 80, "$devreg add refused --qr --json", "twice on one screen");
    assert_refused(24, 80, "TERM=dumb $devreg add refused --qr", "no colours");
    assert_refused(24, 80, "exec setsid -w $devreg add refused --qr", "no terminal to draw");
    assert_refused(24, 80, "$devreg add refused --qr --no-key", "leave it out");
    assert_refused(24, 80, "$devreg add --count 2 --prefix x --qr", "one at a time");
    assert_refused(24, 80, "$devreg rotate --where a=b --yes --qr", "one at a time");
}

/* Only in memory that cannot be written, where nobody looks for it. */
static const char known[] = "devreg_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

enum { PART = 10, FROM = 24 };

/* It may look where a sanitizer says that nothing is. */
#define ANYWHERE __attribute__((no_sanitize("address", "undefined")))

ANYWHERE static char four_bits_later(const uint8_t *memory)
{
    return (char)(memory[0] << 4 | memory[1] >> 4);
}

/* Does a part of the key stand there, as it is or, as in a code's bits, four bits later? */
ANYWHERE static bool holds_key(const uint8_t *memory, size_t size)
{
    for (size_t at = 0; at + PART + 1 < size; at++) {
        size_t plain = 0, shifted = 0;
        while (plain < PART && memory[at + plain] == (uint8_t)known[FROM + plain])
            plain++;
        while (shifted < PART && four_bits_later(memory + at + shifted) == known[FROM + shifted])
            shifted++;
        if (plain == PART || shifted == PART)
            return true;
    }
    return false;
}

/* Of what can be written; what a sanitizer has for itself is larger. */
static bool memory_holds_key(void)
{
    enum { REGION_MAX = 64 << 20 };
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[500], mode[5];
    bool found = false;
    unsigned long begin, end;
    while (maps && !found && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %4s", &begin, &end, mode) == 3 && mode[0] == 'r' &&
            mode[1] == 'w' && end - begin <= REGION_MAX)
            found = holds_key((const uint8_t *)begin, end - begin); /* NOLINT */
    }
    return !maps || fclose(maps) != 0 || found;
}

/* Makes the key, does something with it, and wipes it. */
static void use_key(bool (*use)(const char *key), bool wipe)
{
    static char key[KEY_TEXT_SIZE + 1];
    memcpy(key, known, sizeof key);
    if (!use(key))
        _exit(3);
    if (wipe)
        crypto_wipe(key, sizeof key);
}

static bool draw(const char *key)
{
    return qr_draw(key);
}

static bool keep_four_bits_later(const char *key)
{
    static uint8_t kept[KEY_TEXT_SIZE + 1];
    for (size_t i = 0; i < KEY_TEXT_SIZE; i++) {
        kept[i] |= (uint8_t)((uint8_t)key[i] >> 4);
        kept[i + 1] = (uint8_t)(key[i] << 4);
    }
    return true;
}

static int memory_after(bool (*use)(const char *key), bool wipe)
{
    static struct tty tty;
    if (tty_fork(&tty, 24, 80)) {
        use_key(use, wipe);
        _exit(memory_holds_key());
    }
    return tty_end(&tty);
}

static void nothing_of_the_key_is_left_in_memory(void **state)
{
    (void)state;
    assert_int_equal(memory_after(draw, false), 1); /* it would be found */
    assert_int_equal(memory_after(keep_four_bits_later, true), 1);
    assert_int_equal(memory_after(draw, true), 0);
}

static int prepare(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    devreg("init");
    return 0;
}

static int clean(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_is_the_key_on_dark_and_light_terminals),
        cmocka_unit_test(the_whole_code_is_in_sight_at_the_end),
        cmocka_unit_test(a_program_that_reads_stdout_gets_the_key_and_nothing_else),
        cmocka_unit_test(json_goes_to_a_file_beside_the_code),
        cmocka_unit_test(what_cannot_be_drawn_is_refused_before_a_key_is_made),
        cmocka_unit_test(nothing_of_the_key_is_left_in_memory),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
