#pragma once

/*
 * A configuration text, read into plain lists: sections of settings of values, each with its line.
 * What a value means is not known here; which sections and keys exist is.
 *
 *   NAME TITLE {              TITLE only where the kind of section has one
 *       key = value           a bare word, 'as it is, but for \' and \\' or "with \n and such"
 *       list = {a, b}         or one value; {} is empty
 *       list += {c}           more of it, where it was set before
 *   }                         comments: # and // to the line's end, and as here
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { VALUE_MAX = 32 * 1024 };

struct key;
struct setting;

/* Takes the values of one setting into the object at into. Returns 0, SETTINGS_INVALID with a
 * complaint that names the place, or -ENOMEM. */
typedef int take_function(const struct key *key, const struct setting *setting, void *into,
                          struct complaint *complaint);

/* One word of a choice. */
struct word {
    const char *text; /* NULL ends the list */
    int value;
};

/* One known key. */
struct key {
    const char *name;
    bool list;
    bool secret; /* what follows its value is not shown */
    take_function *take;
    size_t offset;            /* of the field that take() fills */
    const struct word *words; /* of a choice */
};

/* One known kind of section. */
struct section_kind {
    const char *name; /* NULL: the keys stand in no section (a preset) */
    bool titled;      /* `name TITLE {`, any number; else once */
    bool main_file_only;
    const struct key *keys;
    size_t key_count;
};

/* key = value, or key = {values}. */
struct setting {
    const struct key *key;
    const char *file; /* owned by the file */
    unsigned line;
    char **values;
    size_t count;
};

struct section {
    const struct section_kind *kind;
    const struct config_file *file;
    char *title; /* NULL: untitled */
    unsigned line;
    struct setting *settings;
    size_t count;
};

/* One parsed file. */
struct config_file {
    char *path; /* as complaints show it */
    bool readable_by_others;
    struct section **sections;
    size_t count;
};

/* What a text may hold. */
struct grammar {
    const struct section_kind *const *kinds;
    size_t kind_count;
};

/*
 * Parses text (NUL-ended, without another NUL) into file, whose path is set already. A grammar with
 * one nameless kind gives one section. Returns 0, SETTINGS_INVALID or -ENOMEM; file holds a part on
 * failure.
 */
int syntax_parse(const char *text, const struct grammar *grammar, struct config_file *file,
                 struct complaint *complaint);

/* NULL and half-built files are fine; wipes all values; returns NULL. */
struct config_file *config_file_free(struct config_file *file);

/* NULL when the section has no such key. */
const struct setting *section_find(const struct section *section, const char *key);

/* Gives every setting to its key's take(), but those that `except` has too (NULL: none). */
int section_take(const struct section *section, const struct section *except, void *into,
                 struct complaint *complaint);

/* "FILE:LINE: …"; returns SETTINGS_INVALID. */
int complain_at(struct complaint *complaint, const char *file, unsigned line, const char *format,
                ...) PRINTF_LIKE(4, 5);
int complain_section(struct complaint *complaint, const struct section *section, const char *format,
                     ...) PRINTF_LIKE(3, 4);
/* "FILE:LINE: KEY …" */
int complain_setting(struct complaint *complaint, const struct setting *setting, const char *format,
                     ...) PRINTF_LIKE(3, 4);

DEFINE_CLEANUP(struct config_file *, config_file, config_file_free)
