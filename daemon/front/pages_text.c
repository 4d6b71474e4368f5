#include "front/pages_text.h"

#define LOGIN_COMMAND "tokenbroker login {{account}}"
#define CLOSE_PAGE "You can close this page and go back to where you started the login."
#define START_AGAIN "Start the login again, in the terminal or program where you began."

static const struct page_text notices[PAGE_NOTICE_COUNT] = {
    [PAGE_NOT_FOUND] = { 404, TONE_CALM, "Nothing here",
                         "This address belongs to tokenbroker, which keeps logins for programs. "
                         "There is no page at this place." },
    [PAGE_BAD_METHOD] = { 405, TONE_CALM, "Only for reading",
                          "This address can be opened in a browser, and nothing else." },
    [PAGE_WRONG_HOST] = { 421, TONE_BAD, "Wrong address",
                          "This page was asked for under a name that tokenbroker does not answer "
                          "to. Nothing was done.",
                          "Open the address exactly as it was given to you." },
    [PAGE_FRAMED] = { 403, TONE_BAD, "Not inside another page",
                      "Another page tried to load a login in the background or inside itself. "
                      "Nothing was done.",
                      "Open the login in a tab of its own." },
    [PAGE_UNREADABLE] = { 400, TONE_BAD, "The answer cannot be read",
                          "The address that the provider sent this browser to is damaged or "
                          "contradicts itself. Nothing has changed.",
                          START_AGAIN },
    [PAGE_UNKNOWN_LOGIN] = { 404, TONE_CALM, "This login is over",
                             "It was used already, has ended, or tokenbroker was restarted since "
                             "it began. Nothing has changed.",
                             "If the account is not connected yet, start the login again where "
                             "you began." },
    [PAGE_OTHER_USER] = { 403, TONE_WARNING, "For another user\xE2\x80\x99s browser",
                          "This link is for a browser of the user who began the login, uid "
                          "{{uid}}. This browser is not known to be that user\xE2\x80\x99s. "
                          "Nothing has changed.",
                          "Open it as that user. To use this browser all the same, start the "
                          "login again with tokenbroker login --no-browser, and open the link "
                          "that is printed." },
    [PAGE_OTHER_BROWSER] = { 409, TONE_WARNING, "Already opened elsewhere",
                             "This login was opened in another browser before, and only that "
                             "browser can finish it. Nothing has changed here.",
                             "Go on in the browser that was first. If that was not you, cancel "
                             "the login where you began and start a new one." },
    [PAGE_FOREIGN_BROWSER] = { 403, TONE_BAD, "This browser did not start the login",
                               "The provider\xE2\x80\x99s answer was not accepted, since the login "
                               "was not begun in this browser, or its cookies are blocked. "
                               "Nothing has changed.",
                               "Finish the login in the browser in which it was begun, or start "
                               "it again and stay in one browser." },
    [PAGE_WRONG_ISSUER] = { 403, TONE_BAD, "The answer came from somewhere else",
                            "This answer does not say that it comes from the provider that the "
                            "login was started with, so it was not accepted. Nothing has changed.",
                            "Start the login again. If this page comes back, show it to whoever "
                            "looks after tokenbroker." },
    [PAGE_STATE_MISSING] = { 400, TONE_BAD, "The answer is incomplete",
                             "The provider sent a code, but not the proof that it belongs to "
                             "this login, so it was not accepted. Nothing has changed.",
                             "Start the login again. If this page comes back, show it to whoever "
                             "looks after tokenbroker: a provider that never returns "
                             "\xE2\x80\x9Cstate\xE2\x80\x9D has to be configured so." },
    [PAGE_PASTE] = { 200, TONE_WAIT, "One more step",
                     "This login waits for the address of this page. Nothing has been stored yet.",
                     "Copy the whole address from the address bar above and paste it where you "
                     "started the login. It works once, and only for a few minutes." },
    [PAGE_BUSY] = { 503, TONE_WARNING, "Too busy at the moment",
                    "tokenbroker has too much to do to finish this step. Nothing has changed.",
                    "Wait a moment, then reload this page." },
    [PAGE_LINK_UNKNOWN] = { 404, TONE_CALM, "No such link",
                            "This address is no link that is known here, or it was over long ago. "
                            "Nothing was done.",
                            "Check that the address was copied whole, or ask whoever sent it for a "
                            "new one." },
    [PAGE_LINK_WORN] = { 429, TONE_WARNING, "Opened too often",
                         "This link was opened very often within an hour. Nothing was done.",
                         "Try again in an hour." },
    [PAGE_LINK_NOT_NOW] = { 503, TONE_WARNING, "Not possible at the moment",
                            "The link is fine, but nobody can be connected by it just now. "
                            "Nothing has changed.",
                            "Try again later. If this page comes back, show it to whoever sent "
                            "you the link." },
};

static const struct page_text links[PAGE_LINK_STATE_COUNT] = {
    [PAGE_LINK_OPEN] = { 200, TONE_WAIT, "Connect {{provider}}",
                         "{{host}} asks you to let it use the account below at {{provider}}. It "
                         "keeps that access until you or it end it.",
                         "Continue, log in at {{provider}} as the person or company that is meant, "
                         "and allow the access. Nothing is connected before that." },
    [PAGE_LINK_USED] = { 410, TONE_GOOD, "This link was used",
                         "The consent that it asked for was given. The link does nothing more.",
                         "You can close this page. If you did not use it yourself, tell whoever "
                         "sent it to you." },
    [PAGE_LINK_REPLACED] = { 410, TONE_CALM, "A newer link took over",
                             "Another link was made for this account, so this one does nothing "
                             "more.",
                             "Open the newest link that you were sent." },
    [PAGE_LINK_WITHDRAWN] = { 410, TONE_CALM, "This link was withdrawn",
                              "Whoever made it has ended it. Nothing was connected by it.",
                              "If you still want to connect the account, ask for a new link." },
    [PAGE_LINK_EXPIRED] = { 410, TONE_CALM, "This link has expired", "It worked until {{until}}.",
                            "Ask whoever sent it for a new one." },
};

static const struct page_text results[PAGE_RESULT_COUNT] = {
    [PAGE_PENDING] = { 200, TONE_WAIT, "This login is not finished",
                       "tokenbroker waits for the answer of {{provider}}. Nothing has been stored "
                       "yet.",
                       "Go on in the page of {{provider}}, or start the login again." },
    [PAGE_NOT_PUSHED] = { 503, TONE_WARNING, "The login could not be handed over",
                          "{{provider}} wants to hear of a login before you come, and it did not "
                          "take it. The login is still open, and nothing has changed.",
                          "Wait a moment, then reload this page: that tries again, and is safe. "
                          "If the reason stays, show it to whoever looks after tokenbroker "
                          "{{where}}." },
    [PAGE_FINISHING] = { 200, TONE_WAIT, "Finishing the login",
                         "{{provider}} said yes and is now being asked for the access. This takes "
                         "longer than usual; the page looks again by itself.",
                         .looks_again = true },
    [PAGE_CONNECTED] = { 200, TONE_GOOD, "{{provider}} is connected",
                         "Programs {{where}} that are allowed to can use the account now. "
                         "tokenbroker keeps its access fresh.",
                         CLOSE_PAGE },
    [PAGE_CONNECTED_FOR_NOW] = { 200, TONE_WARNING, "Connected until {{until}}",
                                 "The account works now, but {{provider}} sent no refresh token, "
                                 "so tokenbroker cannot renew the access when it ends.",
                                 "Ask whoever registered the app at {{provider}} to allow offline "
                                 "access (often the scope \xE2\x80\x9Coffline_access\xE2\x80\x9D). "
                                 "Until then, log in again whenever the access has ended:",
                                 LOGIN_COMMAND },
    [PAGE_HELD] = { 200, TONE_WARNING, "Held: another identity",
                    "This consent came from someone else than the one the account was first "
                    "connected with. It is held, and the earlier access keeps working unchanged.",
                    "If you picked the wrong person or company, log in again and pick the right "
                    "one. If the change is meant, an administrator {{where}} accepts it: "
                    "tokenbroker held shows how.",
                    LOGIN_COMMAND },
    [PAGE_NOT_GRANTED] = { 200, TONE_CALM, "Access was not granted",
                           "{{provider}} did not allow the access. What was connected before "
                           "stays as it was.",
                           "If this is what you wanted, you can close this page. Otherwise log in "
                           "again and allow the access:",
                           LOGIN_COMMAND },
    [PAGE_FAILED] = { 200, TONE_BAD, "The login did not work",
                      "{{provider}} said yes, but the access could not be set up. What was "
                      "connected before stays as it was.",
                      "Log in again. If it fails once more, show the reason to whoever looks "
                      "after tokenbroker {{where}}.",
                      LOGIN_COMMAND },
    [PAGE_UNCERTAIN] = { 200, TONE_WARNING, "We cannot tell whether it worked",
                         "{{provider}} was asked for the access, but no usable answer came. What "
                         "was connected before stays as it was.",
                         "Log in again. That is safe, whatever became of this attempt.",
                         LOGIN_COMMAND },
    [PAGE_EXPIRED] = { 410, TONE_CALM, "This login has expired",
                       "It was not finished within ten minutes. What was connected before stays "
                       "as it was.",
                       "Log in again:", LOGIN_COMMAND },
    [PAGE_CANCELLED] = { 410, TONE_CALM, "This login was cancelled",
                         "It was called off where it began. What was connected before stays as it "
                         "was.",
                         "If you still want to connect the account, log in again:", LOGIN_COMMAND },
    [PAGE_UNTOLD] = { 200, TONE_WAIT, "Held: nobody said whose it is",
                      "{{provider}} did not say whose consent this is, and the account belongs to "
                      "someone already. It is held, and the earlier access is unchanged.",
                      "If you are sure that you picked the right person or company, an "
                      "administrator {{where}} accepts it: tokenbroker held shows how. Otherwise "
                      "log in again and pick the right one.",
                      LOGIN_COMMAND },
    [PAGE_AWAITS] = { 200, TONE_WAIT, "Thank you, one check is left",
                      "Your consent has arrived. Whoever sent you the link confirms that it is for "
                      "the right company or person before it is used.",
                      "You can close this page." },
    [PAGE_LINK_OVER] = { 410, TONE_GOOD, "Another attempt came first",
                         "The link was opened more than once, and the account was connected by "
                         "another attempt.",
                         "You can close this page." },
    [PAGE_ACCOUNT_GONE] = { 410, TONE_CALM, "The account has changed",
                            "It was logged out or renamed, or another one was renamed to it, while "
                            "this login was open. Nothing came of the login.",
                            "If it is to be connected, log in again:", LOGIN_COMMAND },
    [PAGE_REPLACED] = { 410, TONE_CALM, "A newer login took over",
                        "You opened a newer login for {{provider}} in this browser, so this one "
                        "has ended.",
                        "Go on in the tab of the newer login." },
};

static const struct page_text fewer_scopes_text = {
    200,
    TONE_WARNING,
    "Connected with fewer rights",
    "{{provider}} granted less than was asked for. What it granted works now, and tokenbroker "
    "keeps it fresh.",
    "If programs need the rights that are missing, log in again and allow them:",
    LOGIN_COMMAND
};

static const struct page_text endless_text = {
    200,
    TONE_WARNING,
    "Connected, without renewal",
    "The account works now. {{provider}} sent no refresh token and did not say when the access "
    "ends, so tokenbroker cannot renew it.",
    "Log in again when programs report that the access has ended:",
    LOGIN_COMMAND
};

const struct page_text *page_notice_text(enum page_notice notice)
{
    return &notices[notice];
}

const struct page_text *page_result_text(enum page_result result, bool fewer_scopes, bool ends)
{
    if (result == PAGE_CONNECTED && fewer_scopes)
        return &fewer_scopes_text;
    if (result == PAGE_CONNECTED_FOR_NOW && !ends)
        return &endless_text;
    return &results[result];
}

const struct page_text *page_link_text(enum page_link_state state)
{
    return &links[state];
}

/* What a person elsewhere is told instead; NULL: the same. */
static const struct {
    const char *lead, *next;
} elsewhere[PAGE_RESULT_COUNT] = {
    [PAGE_PENDING] = { NULL, "Go on in the page of {{provider}}, or open the link again." },
    [PAGE_NOT_PUSHED] = { NULL,
                          "Wait a moment, then reload this page: that tries again, and is safe. "
                          "If the reason stays, show it to whoever sent you the link." },
    [PAGE_CONNECTED] = { "{{host}} can use the account now and keeps its access fresh. The link is "
                         "used up.",
                         "You can close this page." },
    [PAGE_CONNECTED_FOR_NOW] = { "{{host}} can use the account now, but {{provider}} did not allow "
                                 "to renew the access when it ends.",
                                 "Tell whoever sent you the link: you will be asked again." },
    [PAGE_HELD] = { "This consent came from someone else than the one that the link is for. It is "
                    "held, and nothing else has changed.",
                    "If you picked the wrong person or company, open the link again and pick the "
                    "right one. If the change is meant, whoever sent the link can accept it." },
    [PAGE_UNTOLD] = { "{{provider}} did not say whose consent this is. It is held, and nothing "
                      "else "
                      "has changed.",
                      "Tell whoever sent you the link that it has to be accepted. If you may have "
                      "picked the wrong person or company, open the link again and pick the right "
                      "one." },
    [PAGE_NOT_GRANTED] = { NULL, "If this is what you wanted, you can close this page. Otherwise "
                                 "open the link again and allow the access." },
    [PAGE_FAILED] = { NULL,
                      "Open the link again. If it fails once more, show the reason to whoever "
                      "sent it to you." },
    [PAGE_UNCERTAIN] = { NULL,
                         "Open the link again. That is safe, whatever became of this attempt." },
    [PAGE_EXPIRED] = { NULL, "Open the link again." },
    [PAGE_CANCELLED] = { NULL, "If you still want to connect the account, open the link again." },
    [PAGE_ACCOUNT_GONE] = { NULL,
                            "Open the link again. If it is over, ask whoever sent it to you." },
};

const struct page_text *page_elsewhere_text(enum page_result result, const struct page_text *text,
                                            struct page_text *ret)
{
    if (!elsewhere[result].next)
        return text;
    *ret = *text;
    ret->command = NULL;
    ret->next = elsewhere[result].next;
    if (elsewhere[result].lead)
        ret->lead = elsewhere[result].lead;
    return ret;
}
