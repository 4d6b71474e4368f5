#include "back/lanes.h"

#include <errno.h>
#include <string.h>

struct lanes {
    struct keeper *keeper;
    struct lane **all; /* removed ones too: their flights may still be in the air */
    size_t count;
};

struct lane *lanes_any(const struct lanes *lanes, const char *provider)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (strcmp(lane_setup(lanes->all[i])->provider->name, provider) == 0)
            return lanes->all[i];
    return NULL;
}

static int add(struct lanes *lanes, const struct provider *provider, struct client_secrets secrets)
{
    struct lane **all = reallocarray(lanes->all, lanes->count + 1, sizeof(struct lane *));
    if (!all)
        return -ENOMEM;
    lanes->all = all;
    int r = lane_new(lanes->keeper, provider, secrets, &all[lanes->count]);
    if (r == 0)
        lanes->count++;
    return r;
}

int lanes_configure(struct lanes *lanes, const struct settings *settings)
{
    int first_error = 0;
    for (size_t i = 0; i < lanes->count; i++)
        if (!settings_provider(settings, lane_setup(lanes->all[i])->provider->name))
            lane_remove(lanes->all[i]);
    for (size_t i = 0; i < settings->provider_count; i++) {
        const struct provider *provider = settings->providers[i];
        const struct client_secrets secrets = {
            .now = settings_client_secret(settings, provider->name),
            .next = settings_client_secret_next(settings, provider->name),
        };
        struct lane *lane = lanes_any(lanes, provider->name);
        int r = lane ? lane_configure(lane, provider, secrets) : add(lanes, provider, secrets);
        if (r != 0 && first_error == 0)
            first_error = r;
    }
    return first_error;
}

int lanes_new(struct keeper *keeper, const struct settings *settings, struct lanes **ret)
{
    struct lanes *lanes = calloc(1, sizeof *lanes);
    if (!lanes)
        return -ENOMEM;
    lanes->keeper = keeper;
    int r = lanes_configure(lanes, settings);
    if (r != 0) {
        lanes_free(lanes);
        return r;
    }
    *ret = lanes;
    return 0;
}

struct lanes *lanes_free(struct lanes *lanes)
{
    if (!lanes)
        return NULL;
    for (size_t i = 0; i < lanes->count; i++)
        lane_free(lanes->all[i]);
    free(lanes->all);
    free(lanes);
    return NULL;
}

struct lane *lanes_find(const struct lanes *lanes, const char *provider)
{
    struct lane *lane = lanes_any(lanes, provider);
    return lane && !lane_removed(lane) ? lane : NULL;
}

bool lanes_fly(const struct lanes *lanes, const struct account_name *name)
{
    struct lane *lane = lanes_any(lanes, name->provider);
    return lane && lane_flies(lane, name);
}

struct lane *lanes_at(const struct lanes *lanes, size_t index)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (!lane_removed(lanes->all[i]) && index-- == 0)
            return lanes->all[i];
    return NULL;
}

void lanes_give_up(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        lane_give_up(lanes->all[i]);
}

bool lanes_busy(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lane_busy(lanes->all[i]))
            return true;
    return false;
}

bool lanes_on_wire(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lane_on_wire(lanes->all[i]))
            return true;
    return false;
}

void lanes_resume(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        lane_resume(lanes->all[i]);
}

void lanes_pump(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        lane_pump(lanes->all[i]);
}
