#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPERANDS_MAX = 2, PARAMS_MAX = 16 };

/* Everything that a command line can say; a command looks at what its options set. */
struct arguments {
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    char **rest; /* behind "--", ended by NULL; or NULL */
    const char *socket;
    const char *scope;
    const char *fingerprint;
    const char *format;
    const char *jsonl;
    const char *csv;
    const char *expect;
    const char *user;
    const char *unit;
    const char *verdict;
    const char *since;
    const char *key_kept;           /* "": without saying which */
    const char *params[PARAMS_MAX]; /* "name=value" */
    size_t param_count;
    int64_t min_ttl; /* seconds, or TB_DEFAULT */
    int64_t wait;    /* seconds, or TB_DEFAULT */
    int64_t expires; /* seconds, or TB_DEFAULT */
    int64_t limit;   /* a number, or TB_DEFAULT */
    int64_t forget;  /* likewise */
    int64_t before;  /* likewise */
    int64_t id;      /* likewise */
    bool help;
    bool version;
    bool json;
    bool paste;
    bool device;
    bool no_browser;
    bool yes;
    bool system;
    bool access_token;
    bool verify;
    bool list;
    bool revoke;
    bool moved_back;
};

enum option_kind {
    OPTION_END,
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_MAYBE,    /* const char *, only behind "="; "" without it */
    OPTION_DURATION, /* int64_t, seconds */
    OPTION_NUMBER,   /* int64_t */
    OPTION_PARAM,    /* one more of params */
};

/* One option; the place is the offset of its field in struct arguments. */
struct option_row {
    const char *name; /* with its dashes */
    enum option_kind kind;
    size_t place;
    const char *metavar; /* of its value, for the help */
    const char *help;
};

#define OPTION_ROW(name, kind, field, metavar, help)                                               \
    {                                                                                              \
        (name), (kind), offsetof(struct arguments, field), (metavar), (help)                       \
    }
#define OPTIONS_END                                                                                \
    {                                                                                              \
        NULL, OPTION_END, 0, NULL, NULL                                                            \
    }

/* The options that every command takes. */
extern const struct option_row options_global[];

/* Nothing said yet: the numbers are TB_DEFAULT. */
void arguments_init(struct arguments *arguments);

/* Why a command line cannot be taken: a sentence without its end, and the word it is about. "":
 * nothing is wrong. */
struct objection {
    char text[256];
};

/*
 * Takes options from argv[*index] on and moves *index: up to the first operand, or with operands
 * taken too, to the end. rows may be NULL: the global ones alone. What cannot be taken is passed
 * over, as what comes behind it may say how the failure is to be told. objection is the caller's,
 * empty or of what stood before; returns false with the first that there is.
 */
bool options_take(char **argv, int *index, const struct option_row *rows, bool operands,
                  struct arguments *arguments, struct objection *objection);
