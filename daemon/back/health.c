/* How the broker is, for the front. */

#include <errno.h>
#include <stdio.h>

#include "back/audit_held.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/restored.h"

static int fill_health(struct keeper *keeper, struct health *health)
{
    const char *problem = commits_problem(keeper->commits);
    const char *why = restored_why(keeper);
    (void)snprintf(health->copied, sizeof health->copied, "%s", why ? why : "");
    health->moved_at = restored_moved_at(keeper);
    health->store_ok = problem == NULL;
    if (problem)
        (void)snprintf(health->store_problem, sizeof health->store_problem, "%s", problem);
    commits_count(keeper->commits, &health->commit_groups, &health->commit_failures);
    audit_held_count(keeper->audit, &health->audit_waiting, &health->audit_lost);
    size_t count = 0;
    while (lanes_at(keeper->lanes, count))
        count++;
    health->providers = calloc(count + 1, sizeof *health->providers);
    if (!health->providers)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        lane_health(lanes_at(keeper->lanes, i), &health->providers[i]);
    health->provider_count = count;
    return store_count(keeper->store, health->accounts);
}

void ask_health(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    if (answer)
        answer->health = calloc(1, sizeof *answer->health);
    if (!answer || !answer->health) {
        question_refuse_memory(keeper, question->id);
        return;
    }
    if (fill_health(keeper, answer->health) == 0)
        keeper_answer(keeper, question->id, steal(answer));
    else
        question_refuse_store(keeper, question->id);
}
