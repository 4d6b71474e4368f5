#pragma once

/* What the files of the fixture share. */

#include "fixture.h"

struct account_name name_of(const char *label);
struct seal_key *make_key(void);
struct store *open_store(struct stage *stage);
struct secret *make_secret(const char *text);
int64_t real_ms(void);

/* Sorts what has come into answers and notices. */
void take_all(struct stage *stage);
