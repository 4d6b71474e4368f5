#pragma once

/* What the tests of front/login share: a fixture for each test, and a browser's steps. */

#include "login_fixture.h"

enum { PORT = 8765 };
#define ORIGIN "http://127.0.0.1:8765"

/* As cmocka wants them: *state is a struct fixture, its callback at PORT. */
int login_set_up(void **state);
int login_tear_down(void **state);

/* A login that a browser has opened, and the cookies that this browser holds then. */
struct login *login_opened(struct fixture *f, size_t provider,
                           char cookies[static FIXTURE_TEXT_MAX]);

/* The redirect arrives at target with that query. */
enum login_landing login_land(struct fixture *f, const char *target, const char *cookies,
                              const char *query, struct login **ret);

/* Writes the text with the login's state in the place of the word STATE. */
void login_fill_state(const char *text, const struct login *login,
                      char out[static FIXTURE_TEXT_MAX]);
