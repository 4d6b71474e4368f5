#pragma once

#include "client/cli/cli.h"

/* One for each file of a command, in the order of the help. */
extern const struct command command_login;
extern const struct command command_token;
extern const struct command command_exec;
extern const struct command command_list;
extern const struct command command_status;
extern const struct command command_forecast;
extern const struct command command_refresh;
extern const struct command command_reject;
extern const struct command command_import;
extern const struct command command_link;
extern const struct command command_held;
extern const struct command command_accept;
extern const struct command command_discard;
extern const struct command command_rename;
extern const struct command command_logout;
extern const struct command command_retry;
extern const struct command command_resume;
extern const struct command command_rekey;
extern const struct command command_backup;
extern const struct command command_move;
extern const struct command command_watch;
extern const struct command command_doctor;
extern const struct command command_trust;
extern const struct command command_health;
extern const struct command command_callers;
extern const struct command command_approve;
extern const struct command command_audit;
