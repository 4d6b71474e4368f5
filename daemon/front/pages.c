#include "front/pages.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "front/pages_data.h"
#include "front/pages_private.h"

#define HERE "on this computer"

enum { PAGE_WORD_MAX = 128 };

static void put_ascii(struct buffer *out, unsigned char c)
{
    switch (c) {
    case '&':
        buffer_append_text(out, "&amp;");
        break;
    case '<':
        buffer_append_text(out, "&lt;");
        break;
    case '>':
        buffer_append_text(out, "&gt;");
        break;
    case '"':
        buffer_append_text(out, "&quot;");
        break;
    case '\'':
        buffer_append_text(out, "&#39;");
        break;
    default:
        buffer_append_char(out, c < 0x20 || c == 0x7F ? ' ' : (char)c);
    }
}

void page_put_escaped(struct buffer *out, const char *text, size_t maximum)
{
    const char *at = text, *end = text + strlen(text);
    size_t taken = 0;
    while (*at) {
        size_t length = utf8_character(at, (size_t)(end - at));
        size_t step = length ? length : 1;
        if (taken + step > maximum) {
            buffer_append_text(out, "\xE2\x80\xA6");
            return;
        }
        if (length == 1)
            put_ascii(out, (unsigned char)*at);
        else if (length)
            buffer_append(out, at, length);
        else
            buffer_append_text(out, "\xEF\xBF\xBD");
        taken += step;
        at += step;
    }
}

static const struct slot *find_slot(const struct slot *slots, const char *name, size_t length)
{
    for (const struct slot *slot = slots; slot->name; slot++)
        if (strlen(slot->name) == length && memcmp(slot->name, name, length) == 0)
            return slot;
    return NULL;
}

void page_fill(struct buffer *out, const char *part, const struct slot *slots)
{
    const char *open;
    while ((open = strstr(part, "{{"))) {
        const char *close = strstr(open, "}}");
        if (!close)
            break;
        buffer_append(out, part, (size_t)(open - part));
        const struct slot *slot = find_slot(slots, open + 2, (size_t)(close - open) - 2);
        if (slot && slot->text && slot->markup)
            buffer_append_text(out, slot->text);
        else if (slot && slot->text)
            page_put_escaped(out, slot->text, PAGE_MAX);
        part = close + 2;
    }
    buffer_append_text(out, part);
}

static bool same_day(const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

void page_put_time(struct buffer *out, int64_t wall_ms, int64_t now_ms)
{
    time_t then = (time_t)(wall_ms / 1000), now = (time_t)(now_ms / 1000);
    struct tm then_parts, now_parts;
    if (!localtime_r(&then, &then_parts) || !localtime_r(&now, &now_parts)) {
        buffer_append_text(out, "a time that cannot be shown");
        return;
    }
    char text[96];
    size_t length = same_day(&then_parts, &now_parts)
                        ? strftime(text, sizeof text, "%H:%M (%Z)", &then_parts)
                    : then_parts.tm_year == now_parts.tm_year
                        ? strftime(text, sizeof text, "%H:%M (%Z) on %-d %B", &then_parts)
                        : strftime(text, sizeof text, "%-d %B %Y", &then_parts);
    buffer_append(out, text, length);
}

void page_put_fact(struct buffer *out, const char *term, const char *detail)
{
    if (detail && *detail)
        page_fill(out, page_fact,
                  (struct slot[]){ { "term", term }, { "detail", detail }, { NULL } });
}

static bool holds_word(const char *list, const char *word, size_t length)
{
    for (const char *at = list; at && *at; at += strspn(at, " ")) {
        size_t here = strcspn(at, " ");
        if (here == length && memcmp(at, word, length) == 0)
            return true;
        at += here;
    }
    return false;
}

static void put_word(struct buffer *out, const char *word, size_t length)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(PAGE_WORD_MAX);
    buffer_append(&text, word, length < PAGE_WORD_MAX - 1 ? length : PAGE_WORD_MAX - 1);
    page_fill(out, page_word, (struct slot[]){ { "word", buffer_text(&text) }, { NULL } });
}

void page_put_words(struct buffer *out, const char *term, const char *list, const char *except)
{
    CLEANUP(cleanup_buffer) struct buffer items = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    size_t count = 0;
    for (const char *at = list; at && *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length > 0 && !holds_word(except, at, length) && count++ < PAGE_SCOPES_MAX)
            put_word(&items, at, length);
        at += length;
    }
    if (count > PAGE_SCOPES_MAX)
        buffer_append_format(&items, "<li>and %zu more</li>", count - PAGE_SCOPES_MAX);
    if (count > 0)
        page_fill(
            out, page_words,
            (struct slot[]){ { "term", term }, { "items", buffer_text(&items), true }, { NULL } });
}

/* The provider's words, "access_denied: the user said no"; of our own failures the sentence alone,
 * since the word is for programs. */
static void put_quote(struct buffer *out, const char *term, const struct page_login *login)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    bool description = login->description && *login->description;
    bool error =
        login->error && *login->error && (login->result == PAGE_NOT_GRANTED || !description);
    if (error)
        buffer_append(&text, login->error, strnlen(login->error, PAGE_QUOTE_MAX));
    if (error && description)
        buffer_append_text(&text, ": ");
    if (description)
        buffer_append(&text, login->description, strnlen(login->description, PAGE_QUOTE_MAX + 1));

    CLEANUP(cleanup_buffer) struct buffer markup = BUFFER_WITH_MAXIMUM(8 * PAGE_QUOTE_MAX);
    page_put_escaped(&markup, buffer_text(&text), PAGE_QUOTE_MAX);
    if (markup.length > 0)
        page_fill(out, page_quote,
                  (struct slot[]){
                      { "term", term }, { "detail", buffer_text(&markup), true }, { NULL } });
}

static void put_connected_facts(struct buffer *out, const struct page_login *login,
                                const char *until)
{
    bool for_now = login->result == PAGE_CONNECTED_FOR_NOW;
    page_put_fact(out, "Belongs to", login->identity);
    page_put_words(out, "Granted", login->scope_granted, NULL);
    if (login->fewer_scopes)
        page_put_words(out, "Not granted", login->scope_asked, login->scope_granted);
    page_put_fact(out, for_now ? "Works until" : "Renewal",
                  for_now ? until : "Automatic, nothing to do");
}

static void put_facts(struct buffer *out, const struct page_login *login, const char *until)
{
    CLEANUP(cleanup_buffer) struct buffer rows = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    page_put_fact(&rows, "Account", login->account);
    if (login->result == PAGE_CONNECTED || login->result == PAGE_CONNECTED_FOR_NOW)
        put_connected_facts(&rows, login, until);
    else if (login->result == PAGE_HELD || login->result == PAGE_AWAITS)
        page_put_fact(&rows, "Consent from", login->identity);
    else if (login->result == PAGE_NOT_GRANTED)
        put_quote(&rows, "The provider said", login);
    else if (login->result == PAGE_FAILED || login->result == PAGE_UNCERTAIN ||
             login->result == PAGE_NOT_PUSHED)
        put_quote(&rows, "Reason", login);
    page_fill(out, page_facts, (struct slot[]){ { "rows", buffer_text(&rows), true }, { NULL } });
}

/* A sentence of ours with the login's names in it; the names are escaped. */
static void put_sentence(struct buffer *out, const char *sentence, const struct slot *names)
{
    if (sentence)
        page_fill(out, sentence, names);
}

static void put_next(struct buffer *out, const struct page_text *text, const struct slot *names)
{
    if (!text->next)
        return;
    CLEANUP(cleanup_buffer) struct buffer sentence = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer line = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer command = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    put_sentence(&sentence, text->next, names);
    if (find_slot(names, "account", strlen("account")))
        put_sentence(&line, text->command, names);
    if (line.length > 0)
        page_fill(&command, page_command,
                  (struct slot[]){ { "command", buffer_text(&line), true }, { NULL } });
    page_fill(out, page_next,
              (struct slot[]){ { "text", buffer_text(&sentence), true },
                               { "command", buffer_text(&command), true },
                               { NULL } });
}

static const char *tone_name(enum page_tone tone)
{
    static const char *const names[] = {
        [TONE_GOOD] = "good", [TONE_WARNING] = "warning", [TONE_BAD] = "bad",
        [TONE_CALM] = "calm", [TONE_WAIT] = "wait",
    };
    return names[tone];
}

static const char *tone_icon(enum page_tone tone)
{
    static const char *const icons[] = {
        [TONE_GOOD] = page_icon_good, [TONE_WARNING] = page_icon_warning,
        [TONE_BAD] = page_icon_bad,   [TONE_CALM] = page_icon_calm,
        [TONE_WAIT] = page_icon_wait,
    };
    return icons[tone];
}

void page_put_card(struct buffer *out, const struct page_text *text, const struct slot *names,
                   const char *facts, const char *go, const char *where)
{
    CLEANUP(cleanup_buffer) struct buffer heading = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer lead = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer next = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer refresh = BUFFER_WITH_MAXIMUM(256);
    put_sentence(&heading, text->heading, names);
    put_sentence(&lead, text->lead, names);
    put_next(&next, text, names);
    if (text->looks_again)
        page_fill(&refresh, page_refresh, (struct slot[]){ { NULL } });
    page_fill(out, page_layout,
              (struct slot[]){ { "refresh", buffer_text(&refresh), true },
                               { "title", buffer_text(&heading), true },
                               { "style", page_style, true },
                               { "tone", tone_name(text->tone) },
                               { "icon", tone_icon(text->tone), true },
                               { "heading", buffer_text(&heading), true },
                               { "lead", buffer_text(&lead), true },
                               { "facts", facts, true },
                               { "go", go, true },
                               { "next", buffer_text(&next), true },
                               { "where", where },
                               { NULL } });
}

static int put_notice(struct buffer *out, enum page_notice notice, const struct slot *names)
{
    const struct page_text *text = page_notice_text(notice);
    page_put_card(out, text, names, "", "", "");
    return text->status;
}

int page_put_notice(struct buffer *out, enum page_notice notice)
{
    return put_notice(out, notice, (struct slot[]){ { NULL } });
}

int page_put_other_user(struct buffer *out, uid_t owner)
{
    char uid[16];
    (void)snprintf(uid, sizeof uid, "%u", (unsigned)owner);
    return put_notice(out, PAGE_OTHER_USER, (struct slot[]){ { "uid", uid }, { NULL } });
}

/* "at hr.example.com" for who may be elsewhere. */
static void put_place(struct buffer *out, const char *host)
{
    buffer_append_text(out, host ? "at " : HERE);
    buffer_append_text(out, host ? host : "");
}

int page_put_login(struct buffer *out, const struct page_login *login)
{
    CLEANUP(cleanup_buffer) struct buffer until = BUFFER_WITH_MAXIMUM(128);
    CLEANUP(cleanup_buffer) struct buffer facts = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    if (login->expires_at > 0)
        page_put_time(&until, login->expires_at, clock_to_wall(clock_now()));
    CLEANUP(cleanup_buffer) struct buffer where = BUFFER_WITH_MAXIMUM(PAGE_WHERE_MAX);
    put_place(&where, login->host);
    const struct page_text *text =
        page_result_text(login->result, login->fewer_scopes, login->expires_at > 0);
    struct page_text elsewhere;
    if (login->by_link)
        text = page_elsewhere_text(login->result, text, &elsewhere);
    struct slot names[] = { { "provider", login->provider },
                            { "until", buffer_text(&until) },
                            { "host", login->host },
                            { "where", buffer_text(&where) },
                            { login->account ? "account" : NULL, login->account },
                            { NULL } };
    put_facts(&facts, login, buffer_text(&until));
    page_put_card(out, text, names, buffer_text(&facts), "", buffer_text(&where));
    return text->status;
}

const char *page_policy(void)
{
    return page_content_policy;
}
