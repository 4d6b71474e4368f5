#include "back/authority.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/local_ca.h"

enum { PACKED_MAX = 32 * 1024, FACT_MAX = 64 * 1024, MS_PER_S = 1000, DAY_S = 24 * 60 * 60 };

static const char fact_name[] = "authority";
static const char seal_context[] = "authority";
static const char certificate_end[] = "-----END CERTIFICATE-----\n";

struct authority {
    struct keeper *keeper;
    struct certified *root; /* NULL: none yet */
    struct certificate_facts facts;
    bool wanted;            /* the callback serves https with ours */
    struct certified *next; /* on its way into the store */
    char *next_fact;
    int64_t from_s, until_s; /* of what the callback serves; 0: nothing */
    struct loop_source *timer;
};

static int64_t wall_s(void)
{
    return clock_to_wall(clock_now()) / MS_PER_S;
}

static void check_after(struct authority *authority, int64_t delay_ms)
{
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(authority->timer, delay_ms);
}

/* --- to the front --- */

/* Without a leaf: who asks for the authority gets it all the same. */
static int tell(struct authority *authority, struct certified *leaf)
{
    CLEANUP(cleanup_certified) struct certified *owned = leaf;
    CLEANUP(cleanup_message) struct message *letter = message_new(CERTIFICATE);
    if (!letter)
        return -ENOMEM;
    letter->certified = steal(owned);
    letter->authority = strdup(authority->root->certificate);
    letter->authority_facts = authority->facts;
    if (!letter->authority)
        return -ENOMEM;
    if (mailbox_send(authority->keeper->front, letter) != 0)
        return -EAGAIN;
    (void)steal(letter);
    return 0;
}

static void issue(struct authority *authority)
{
    struct certified *leaf = NULL;
    int r = local_ca_issue(authority->root, local_ca_names, wall_s(), &leaf);
    const int64_t from_s = r == 0 ? leaf->from_s : 0;
    const int64_t until_s = r == 0 ? leaf->until_s : 0;
    if (r == 0)
        r = tell(authority, leaf);
    if (r == 0) {
        authority->from_s = from_s;
        authority->until_s = until_s;
    } else {
        log_warning("the callback's certificate cannot be renewed now: %s",
                    r < 0 ? strerror(-r) : "the authority is broken");
    }
    check_after(authority, r == 0 ? AUTHORITY_CHECK_MS : AUTHORITY_RETRY_MS);
}

/* --- in the store --- */

static int pack(const struct seal_key *key, const struct certified *root, char **ret)
{
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(PACKED_MAX);
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(PACKED_MAX);
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(FACT_MAX);
    buffer_append_text(&plain, root->certificate);
    buffer_append_text(&plain, secret_reveal(root->key));
    if (plain.failed)
        return -ENOMEM;
    int r = seal(key, seal_context, plain.data, plain.length, &sealed);
    if (r < 0)
        return r;
    buffer_append_base64(&text, sealed.data, sealed.length);
    *ret = buffer_steal_text(&text);
    return *ret ? 0 : -ENOMEM;
}

/* Returns 0, CERTIFICATE_BROKEN or -errno. */
static int unpack(const struct seal_key *key, const char *fact, struct certified **ret)
{
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(PACKED_MAX);
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(PACKED_MAX);
    CLEANUP(cleanup_secret) struct secret *private = NULL;
    if (!buffer_append_unbase64(&sealed, fact))
        return sealed.failed ? -ENOMEM : CERTIFICATE_BROKEN;
    int r = unseal(key, seal_context, sealed.data, sealed.length, &plain);
    if (r != 0)
        return r == SEAL_BROKEN ? CERTIFICATE_BROKEN : r;
    char *end = plain.data ? strstr(plain.data, certificate_end) : NULL;
    if (!end)
        return CERTIFICATE_BROKEN;
    end += sizeof certificate_end - 1;
    r = secret_new(end, strlen(end), &private);
    if (r < 0)
        return r;
    *end = '\0';
    return certified_new(plain.data, private, ret, NULL);
}

static int take_root(struct authority *authority, struct certified *root)
{
    struct certificate_facts facts;
    int r = certificate_look(root->certificate, &facts);
    if (r != 0) {
        certified_free(root);
        return r;
    }
    certified_free(authority->root);
    authority->root = root;
    authority->facts = facts;
    return 0;
}

static int read_root(struct authority *authority)
{
    CLEANUP(cleanup_string) char *fact = NULL;
    struct certified *root = NULL;
    int r = store_get_fact(authority->keeper->store, fact_name, &fact);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r == 0)
        r = unpack(authority->keeper->key, fact, &root);
    if (r == 0)
        r = take_root(authority, root);
    if (r > 0) {
        log_warning("the stored certificate authority cannot be read; https callbacks get a new "
                    "one, to be trusted anew (tokenbroker trust install)");
        r = 0;
    }
    return r;
}

static int write_next(void *userdata, struct store *store)
{
    const struct authority *authority = userdata;
    return store_put_fact(store, fact_name, authority->next_fact);
}

static void drop_next(struct authority *authority)
{
    authority->next = certified_free(authority->next);
    free(steal(authority->next_fact));
}

static void next_written(void *userdata, int result)
{
    struct authority *authority = userdata;
    if (result == 0)
        result = take_root(authority, steal(authority->next));
    drop_next(authority);
    if (result == 0) {
        log_info("a certificate authority for https callbacks was made: %s",
                 authority->facts.subject);
        issue(authority);
        return;
    }
    if (authority->keeper->stopping)
        return;
    log_warning("a certificate authority for https callbacks cannot be kept; it is tried again");
    check_after(authority, AUTHORITY_RETRY_MS);
}

static void make_root(struct authority *authority)
{
    if (authority->next)
        return;
    int r = local_ca_new(wall_s(), &authority->next);
    if (r == 0)
        r = pack(authority->keeper->key, authority->next, &authority->next_fact);
    if (r == 0)
        r = commits_add(authority->keeper->commits, COMMIT_MAY, write_next, next_written,
                        authority);
    if (r == 0)
        return;
    log_warning("a certificate authority for https callbacks cannot be made: %s", strerror(-r));
    drop_next(authority);
    check_after(authority, AUTHORITY_RETRY_MS);
}

/* --- when --- */

/* An authority that would cut its certificates short is at its end. */
static bool root_serves(const struct authority *authority)
{
    return authority->root &&
           authority->root->until_s - wall_s() > (int64_t)LOCAL_LEAF_LIFETIME_DAYS * DAY_S;
}

/* After two thirds of its life, or when the clock was set back to before it began. */
static bool leaf_serves(const struct authority *authority)
{
    const int64_t now_s = wall_s();
    const int64_t life_s = authority->until_s - authority->from_s;
    return now_s >= authority->from_s && now_s < authority->from_s + life_s / 3 * 2;
}

static void check(void *userdata)
{
    struct authority *authority = userdata;
    if (!authority->wanted)
        return;
    if (!root_serves(authority))
        make_root(authority);
    else if (!leaf_serves(authority))
        issue(authority);
    else
        check_after(authority, AUTHORITY_CHECK_MS);
}

static bool wants(const struct settings *settings)
{
    return !settings->certificate_key && settings_serve_https(settings);
}

void authority_configure(struct authority *authority, const struct settings *settings)
{
    authority->wanted = wants(settings);
    authority->from_s = authority->until_s = 0; /* the front may have served another meanwhile */
    check(authority);
}

static int start(struct authority *authority, const struct settings *settings)
{
    int r = loop_add_timer(authority->keeper->loop, check, authority, &authority->timer);
    if (r == 0)
        r = read_root(authority);
    if (r < 0)
        return r;
    if (authority->root)
        r = tell(authority, NULL);
    if (r < 0)
        return r;
    authority_configure(authority, settings);
    if (authority->next) /* so that the certificate is there when the callback is */
        commits_flush(authority->keeper->commits);
    return 0;
}

int authority_seal_again(const struct seal_key *key, struct store *store)
{
    CLEANUP(cleanup_string) char *fact = NULL;
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(FACT_MAX);
    CLEANUP(cleanup_buffer) struct buffer anew = BUFFER_WITH_MAXIMUM(FACT_MAX);
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(FACT_MAX);
    int r = store_get_fact(store, "authority", &fact);
    if (r != 0)
        return r == STORE_NOT_FOUND ? 0 : r;
    if (!buffer_append_unbase64(&sealed, fact) || seal_is_by(key, sealed.data, sealed.length))
        return 0;
    r = seal_again(key, "authority", sealed.data, sealed.length, &anew);
    if (r != 0)
        return r == SEAL_BROKEN ? 0 : r; /* who reads it makes another */
    buffer_append_base64(&text, anew.data, anew.length);
    return text.failed ? -ENOMEM : store_put_fact(store, "authority", buffer_text(&text));
}

int authority_new(struct keeper *keeper, const struct settings *settings, struct authority **ret)
{
    struct authority *authority = calloc(1, sizeof *authority);
    if (!authority)
        return -ENOMEM;
    authority->keeper = keeper;
    int r = start(authority, settings);
    if (r < 0) {
        authority_free(authority);
        return r;
    }
    *ret = authority;
    return 0;
}

struct authority *authority_free(struct authority *authority)
{
    if (!authority)
        return NULL;
    loop_source_free(authority->timer);
    certified_free(authority->root);
    drop_next(authority);
    free(authority);
    return NULL;
}
