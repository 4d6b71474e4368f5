#pragma once

/* What lies on the disk after each commit, as a crash would leave it; and a disk that is full. */

enum { CRASHES_MAX = 64, CRASH_PATH_SIZE = 160 };

extern unsigned commits_to_refuse; /* the next ones find the disk full */
extern char crash_from[64];        /* the folder that is copied; "": none */
extern unsigned crashes;           /* how many copies there are */

/* The folder of a copy; whoever looks at it removes it. */
void crash_folder(unsigned number, char out[static CRASH_PATH_SIZE]);
void remove_folder(const char *folder);
