#include "client/tokenbroker.h"

static const char *const texts[] = {
    [TB_OK] = "done",
    [TB_FAILED] = "failed",
    [TB_USAGE] = "not understood",
    [TB_CONSENT_REQUIRED] = "a person has to log in",
    [TB_FORBIDDEN] = "not allowed",
    [TB_UNKNOWN] = "no such account or provider",
    [TB_PROVIDER_UNAVAILABLE] = "the provider is unavailable",
    [TB_NO_BROKER] = "no broker",
};

const char *tb_status_text(enum tb_status status)
{
    unsigned index = (unsigned)status;

    return index < sizeof texts / sizeof *texts ? texts[index] : texts[TB_FAILED];
}

const char *tb_version(void)
{
    return TOKENBROKER_VERSION;
}
