#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

int make_folder(void **state)
{
    bool locked = false;
    (void)snprintf(folder, sizeof folder, "/tmp/tb-settings-XXXXXX");
    (void)umask(022);
    return secret_start(&locked) == 0 && mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    return remove(path);
}

int remove_folder(void **state)
{
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *path_of(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void write_file(const char *name, const char *text, unsigned mode)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s", path_of(name));
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

struct settings *parse_folder(bool with_secrets, struct complaint *complaint)
{
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    struct settings_places places = { .credentials_directory = path_of("credentials") };
    struct settings *settings = NULL;
    complaint->text[0] = '\0';
    int r = settings_read(path_of("tokenbroker.conf"), true, &text, complaint);
    assert_true(r == 0 || (r == SETTINGS_INVALID && text == NULL));
    if (r != 0)
        return NULL;
    r = settings_parse(text, &places, with_secrets, &settings, complaint);
    assert_true((r == 0) == (settings != NULL));
    assert_true(r == 0 || r == SETTINGS_INVALID);
    return settings;
}

struct settings *parse_text(const char *text, struct complaint *complaint)
{
    write_file("tokenbroker.conf", text, 0600);
    return parse_folder(false, complaint);
}

struct settings *parsed(const char *text)
{
    struct complaint complaint;
    struct settings *settings = parse_text(text, &complaint);
    if (settings == NULL)
        fail_msg("refused: %s", complaint.text);
    return settings;
}

struct settings *parsed_provider(const char *keys)
{
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "provider p {\n client_id = id\n issuer = 'https://p.example'\n %s\n}\n", keys);
    return parsed(text);
}

void check_row(size_t index, const char *text, const char *refused)
{
    char wanted[COMPLAINT_MAX];
    struct complaint complaint;
    CLEANUP(cleanup_settings) struct settings *settings = parse_text(text, &complaint);
    if (refused == NULL && settings == NULL)
        fail_msg("row %zu was refused: %s", index, complaint.text);
    if (refused == NULL)
        return;
    if (settings != NULL)
        fail_msg("row %zu was taken: %s", index, text);
    (void)snprintf(wanted, sizeof wanted, "%s:%s", path_of("tokenbroker.conf"), refused);
    if (strcmp(complaint.text, wanted) != 0)
        fail_msg("row %zu: \"%s\" instead of \"%s\"", index, complaint.text, wanted);
}

void assert_refused(const char *text, const char *tail)
{
    check_row(0, text, tail);
}

void assert_text(const char *found, const char *wanted)
{
    if (wanted == NULL)
        assert_null(found);
    else
        assert_non_null(found);
    if (wanted != NULL)
        assert_string_equal(found, wanted);
}
