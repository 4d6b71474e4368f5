#include "front/api_listing.h"

#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_path.h"

enum {
    LIST_QUESTIONS_MAX = 4096, /* pages of the back for one of the client's */
    ACCOUNT_BYTES_MAX = 64 * 1024,
};

struct listing {
    const struct api_listing *what;
    struct account_name after; /* the last row that was looked at */
    struct buffer body;        /* a JSON object, open inside its array */
    struct json_writer object, accounts;
    size_t limit;
    size_t asked; /* rows of the back's page */
    size_t count;
    unsigned questions;
};

static void listing_free(void *state)
{
    struct listing *listing = state;

    buffer_release(&listing->body);
    free(listing);
}

static void listing_finish(const struct api_request *request, struct listing *listing, bool at_end)
{
    char account[ACCOUNT_TEXT_SIZE];

    json_writer_end(&listing->accounts);
    if (!at_end)
        json_put_string(&listing->object, "next", account_text(&listing->after, account));
    json_writer_end(&listing->object);
    api_answer(request->web, &listing->body);
    listing_free(listing);
}

static bool listing_full(const struct listing *listing)
{
    return listing->count == listing->limit ||
           listing->body.length > WIRE_ANSWER_MAX - ACCOUNT_BYTES_MAX;
}

static void listing_add(const struct api_request *request, struct listing *listing,
                        const struct account_row *row)
{
    const struct context *context = request->context;

    listing->after = row->name;
    if (!access_allowed(context->settings, &context->access, &request->asker, listing->what->may,
                        &row->name))
        return;
    if (listing->count++ > 0)
        buffer_append_char(&listing->body, ',');
    listing->what->append(request, &listing->body, row);
}

static void listing_ask(const struct api_request *request, struct listing *listing);

static void listing_answered(const struct api_request *request, struct message *answer, void *state)
{
    struct listing *listing = state;
    size_t looked_at = 0;

    while (looked_at < answer->row_count && !listing_full(listing))
        listing_add(request, listing, &answer->rows[looked_at++]);

    bool at_end = looked_at == answer->row_count && answer->row_count < listing->asked;
    if (at_end || listing_full(listing)) {
        listing_finish(request, listing, at_end);
    } else if (listing->questions < LIST_QUESTIONS_MAX) {
        listing_ask(request, listing);
    } else { /* `next` would be a name that the peer may not see */
        listing_free(listing);
        api_refuse(request->web, WIRE_BUSY, NULL, "there is too much that you may not see");
    }
}

/* The back's pages grow: where the first was not enough, there may be much to be passed over. */
static void listing_ask(const struct api_request *request, struct listing *listing)
{
    struct message *question = message_new(listing->what->question);

    listing->asked = listing->questions == 0 ? listing->limit : 2 * listing->asked;
    if (listing->asked > WIRE_LIST_LIMIT_MAX)
        listing->asked = WIRE_LIST_LIMIT_MAX;
    if (question) {
        question->account = listing->after;
        question->limit = listing->asked;
    }
    listing->questions++;
    api_ask(request, question,
            &(struct api_follow_up){
                .answered = listing_answered, .state = listing, .release = listing_free });
}

static struct listing *listing_new(const struct api_listing *what, const struct account_name *after,
                                   size_t limit)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return NULL;
    listing->what = what;
    listing->after = *after;
    listing->limit = limit;
    listing->body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    listing->object = json_writer_begin(&listing->body, '{');
    listing->accounts = json_put_nested(&listing->object, what->member, '[');
    return listing;
}

void api_list(const struct api_request *request, const struct api_listing *what)
{
    const char *after_text = web_parameter(request->web, "after");
    const char *limit_text = web_parameter(request->web, "limit");
    struct account_name after = { "", "" };
    int64_t limit = WIRE_LIST_LIMIT_DEFAULT;

    if (!api_allowed(request, what->may))
        return;
    if (after_text && !text_to_account(after_text, &after)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "after is no name of an account");
        return;
    }
    if (limit_text && !text_to_integer(limit_text, 1, WIRE_LIST_LIMIT_MAX, &limit)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "limit must be a number from 1 to %d",
                   WIRE_LIST_LIMIT_MAX);
        return;
    }
    struct listing *listing = listing_new(what, &after, (size_t)limit);
    if (listing)
        listing_ask(request, listing);
    else
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
}
