#pragma once

/* No core dump and no tracer may have the tokens of this process. */
void hardening_apply(void);

/* Gives the limit of core dumps back, for a program that this process becomes. */
void hardening_undo(void);
