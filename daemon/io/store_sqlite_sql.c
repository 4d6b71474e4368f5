/* Every statement of the store. Lists of columns are in the order of the tables of fields that bind
 * and read them. What selects accounts reads their names alone, out of an index: one row on a page
 * that is damaged keeps the others from nobody. */

#include "io/store_sqlite_private.h"

#define ACCOUNT_FACTS                                                                              \
    "provider, label, generation, state, has_refresh_token, rejected, created_at, refreshed_at,"   \
    " lifetime_ms, expires_at, refresh_at, refresh_token_expires_at, refusals, refused_at,"        \
    " suspect_since, failures, last_error, last_error_description, last_error_at, scope,"          \
    " identity, refresh_token_life_ms, asked_at, lost_at, warned_days, imported,"                  \
    " granted_at, lifetime_assumed, failed_alone, suspect_tries, refused_under,"                   \
    " identity_changed_at, identity_before"
#define ACCOUNT_FACTS_VALUES                                                                       \
    "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,"   \
    " ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33"
#define ACCOUNT_FACTS_REPLACE                                                                      \
    "generation = excluded.generation, state = excluded.state,"                                    \
    " has_refresh_token = excluded.has_refresh_token, rejected = excluded.rejected,"               \
    " created_at = excluded.created_at, refreshed_at = excluded.refreshed_at,"                     \
    " lifetime_ms = excluded.lifetime_ms, expires_at = excluded.expires_at,"                       \
    " refresh_at = excluded.refresh_at,"                                                           \
    " refresh_token_expires_at = excluded.refresh_token_expires_at,"                               \
    " refusals = excluded.refusals, refused_at = excluded.refused_at,"                             \
    " suspect_since = excluded.suspect_since, failures = excluded.failures,"                       \
    " last_error = excluded.last_error,"                                                           \
    " last_error_description = excluded.last_error_description,"                                   \
    " last_error_at = excluded.last_error_at, scope = excluded.scope,"                             \
    " identity = excluded.identity,"                                                               \
    " refresh_token_life_ms = excluded.refresh_token_life_ms,"                                     \
    " asked_at = excluded.asked_at, lost_at = excluded.lost_at,"                                   \
    " warned_days = excluded.warned_days, imported = excluded.imported,"                           \
    " granted_at = excluded.granted_at, lifetime_assumed = excluded.lifetime_assumed,"             \
    " failed_alone = excluded.failed_alone, suspect_tries = excluded.suspect_tries,"               \
    " refused_under = excluded.refused_under,"                                                     \
    " identity_changed_at = excluded.identity_changed_at,"                                         \
    " identity_before = excluded.identity_before"

/* What is held for the account, read with its row. */
#define HELD_OF_ACCOUNT(column)                                                                    \
    "(SELECT " column " FROM held"                                                                 \
    " WHERE held.provider = accounts.provider AND held.label = accounts.label)"
#define HELD_FACTS_OF_ACCOUNT                                                                          \
    HELD_OF_ACCOUNT("created_at")                                                                      \
    ", " HELD_OF_ACCOUNT("identity") ", " HELD_OF_ACCOUNT("refreshed_at") ", " HELD_OF_ACCOUNT(        \
        "refresh_token_expires_at") ", " HELD_OF_ACCOUNT("refresh_token_life_ms") ","                  \
                                                                                  " " HELD_OF_ACCOUNT( \
                                                                                      "warned_"        \
                                                                                      "days")
#define ACCOUNT_READ HELD_FACTS_OF_ACCOUNT ", " ACCOUNT_FACTS

#define HELD_COLUMNS                                                                               \
    "provider, label, created_at, refreshed_at, lifetime_ms, expires_at, refresh_at,"              \
    " refresh_token_expires_at, refresh_token_life_ms, scope, identity, warned_days,"              \
    " lifetime_assumed, sealed"
#define LINK_COLUMNS                                                                               \
    "provider, label, digest, created_at, expires_at, ending, ended_at, forget_at, uid, clicks,"   \
    " hour_began_at, hour_clicks, expect, scope, params, sealed"
#define PAUSE_COLUMNS "provider, paused_since, probe_at, probes, reason, credentials"
#define KEPT_COLUMNS "kind, provider, label, created_at, due_at, tries, identity, sealed"
#define AUDIT_COLUMNS "id, account, uid, unit, verdict, generation, count, first_at, last_at"

#define CALLER_COLUMNS "id, rule, uid, unit, account, asked_at, approved_at, approved_by"

#define EACH_SEALED(table, columns)                                                                \
    "SELECT rowid, provider, label, " columns ", sealed FROM " table                               \
    " WHERE rowid > ?1 AND sealed IS NOT NULL ORDER BY rowid LIMIT ?2"
#define PUT_SEALED(table) "UPDATE " table " SET sealed = ?2 WHERE rowid = ?1"

const char *const store_statement_sql[STATEMENT_TOTAL] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",

    [STATEMENT_GET_FACT] = "SELECT value FROM facts WHERE name = ?1",
    [STATEMENT_PUT_FACT] = "INSERT INTO facts (name, value) VALUES (?1, ?2)"
                           " ON CONFLICT DO UPDATE SET value = excluded.value",

    [STATEMENT_READ_ACCOUNT] = "SELECT " ACCOUNT_READ ", sealed FROM accounts"
                               " WHERE provider = ?1 AND label = ?2",
    [STATEMENT_PUT_ACCOUNT] =
        "INSERT INTO accounts (" ACCOUNT_FACTS ", sealed)"
        " VALUES (" ACCOUNT_FACTS_VALUES ", ?34) ON CONFLICT (provider, label) DO UPDATE SET"
        " " ACCOUNT_FACTS_REPLACE ", sealed = excluded.sealed",
    [STATEMENT_PUT_ACCOUNT_FACTS] =
        "INSERT INTO accounts (" ACCOUNT_FACTS ")"
        " VALUES (" ACCOUNT_FACTS_VALUES ") ON CONFLICT (provider, label) DO UPDATE SET"
        " " ACCOUNT_FACTS_REPLACE,
    [STATEMENT_DELETE_ACCOUNT] = "DELETE FROM accounts WHERE provider = ?1 AND label = ?2",
    [STATEMENT_READ_FACTS] = "SELECT " ACCOUNT_READ " FROM accounts"
                             " WHERE provider = ?1 AND label = ?2",
    [STATEMENT_LIST_ACCOUNTS] = "SELECT provider, label FROM accounts"
                                " WHERE (provider, label) > (?1, ?2)"
                                " ORDER BY provider, label",
    [STATEMENT_HAS_ACCOUNTS] = "SELECT 1 FROM accounts WHERE provider = ?1 LIMIT 1 OFFSET ?2",
    [STATEMENT_LIST_HELD] = "SELECT provider, label FROM held"
                            " WHERE (provider, label) > (?1, ?2)"
                            " ORDER BY provider, label",
    [STATEMENT_DUE_ACCOUNTS] = "SELECT provider, label FROM accounts"
                               " WHERE provider = ?1 AND refresh_at > 0 AND refresh_at <= ?2"
                               " ORDER BY refresh_at LIMIT ?3",
    [STATEMENT_NEXT_DUE] = "SELECT refresh_at FROM accounts"
                           " WHERE provider = ?1 AND refresh_at > 0"
                           " ORDER BY refresh_at LIMIT 1",
    [STATEMENT_CANARY] = "SELECT provider, label FROM accounts"
                         " WHERE provider = ?1 AND has_refresh_token <> 0 AND state <> 2"
                         " AND label NOT IN (?2, ?3) ORDER BY refreshed_at DESC LIMIT 1",
    [STATEMENT_REFUSED] = "SELECT provider, label FROM accounts"
                          " WHERE provider = ?1 AND state = 2 AND has_refresh_token <> 0"
                          " AND label > ?2 AND (?3 = '' OR refused_under NOT IN ('', ?3))"
                          " ORDER BY label LIMIT 1",
    [STATEMENT_LOST] = "SELECT provider, label, lost_at FROM accounts"
                       " WHERE provider = ?1 AND lost_at <> 0 AND lost_at > ?2"
                       " AND has_refresh_token <> 0 AND state <> 2"
                       " AND last_error_at < lost_at + ?3 ORDER BY lost_at",
    [STATEMENT_IDENTITY_ACCOUNT] =
        "SELECT provider, label FROM accounts WHERE provider = ?1 AND identity = ?2"
        " AND generation <> 0 AND label <> ?3 UNION ALL SELECT provider, label FROM held"
        " WHERE provider = ?1 AND identity = ?2 AND label <> ?3 LIMIT 1",
    [STATEMENT_COUNT_ACCOUNTS] = "SELECT state, accounts FROM account_counts",

    [STATEMENT_PUT_OWNER] = "INSERT INTO token_owners (provider, label, fingerprint)"
                            " VALUES (?1, ?2, ?3)"
                            " ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint",
    [STATEMENT_DROP_OWNER] = "DELETE FROM token_owners WHERE provider = ?1 AND label = ?2",
    [STATEMENT_GET_OWNER] = "SELECT provider, label FROM token_owners"
                            " WHERE provider = ?1 AND fingerprint = ?2 ORDER BY label LIMIT 1",

    [STATEMENT_PUT_IMPORT] =
        "INSERT INTO imports (provider, label, fingerprint, imported_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT DO UPDATE SET imported_at = excluded.imported_at",
    [STATEMENT_TRIM_IMPORTS] =
        "DELETE FROM imports WHERE provider = ?1 AND label = ?2 AND fingerprint NOT IN"
        " (SELECT fingerprint FROM imports WHERE provider = ?1 AND label = ?2"
        " ORDER BY imported_at DESC LIMIT ?3)",
    [STATEMENT_MOVE_IMPORTS] = "UPDATE imports SET provider = ?3, label = ?4"
                               " WHERE provider = ?1 AND label = ?2",
    [STATEMENT_MARK_IMPORT] =
        "UPDATE imports SET unspent = ?3 WHERE provider = ?1 AND label = ?2 AND fingerprint IN"
        " (SELECT fingerprint FROM token_owners WHERE provider = ?1 AND label = ?2)",
    [STATEMENT_FIND_IMPORT] =
        "SELECT unspent FROM imports WHERE provider = ?1 AND label = ?2 AND fingerprint = ?3",
    [STATEMENT_IMPORTED_ACCOUNT] =
        "SELECT provider, label FROM imports JOIN accounts USING (provider, label)"
        " WHERE provider = ?1 AND fingerprint = ?2 AND unspent = 0 AND has_refresh_token <> 0"
        " ORDER BY label LIMIT 1",

    [STATEMENT_GET_PAUSE] = "SELECT " PAUSE_COLUMNS " FROM pauses WHERE provider = ?1",
    [STATEMENT_PUT_PAUSE] = "INSERT OR REPLACE INTO pauses (" PAUSE_COLUMNS ")"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STATEMENT_PAUSE_REFRESHABLE] = "INSERT OR REPLACE INTO pauses (" PAUSE_COLUMNS ")"
                                    " SELECT DISTINCT provider, ?1, ?2, ?3, ?4, ?5 FROM accounts"
                                    " WHERE has_refresh_token <> 0 AND state <> 2",

    [STATEMENT_PUT_HELD] = "INSERT OR REPLACE INTO held (" HELD_COLUMNS ")"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [STATEMENT_READ_HELD] = "SELECT " HELD_COLUMNS " FROM held"
                            " WHERE provider = ?1 AND label = ?2",
    [STATEMENT_DROP_HELD] = "DELETE FROM held WHERE provider = ?1 AND label = ?2",

    [STATEMENT_PUT_LINK] = "INSERT INTO links (" LINK_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
                           " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [STATEMENT_READ_LINK] = "SELECT " LINK_COLUMNS " FROM links WHERE digest = ?1",
    [STATEMENT_OPEN_LINK] = "SELECT " LINK_COLUMNS " FROM links"
                            " WHERE provider = ?1 AND label = ?2 AND ending = 0",
    [STATEMENT_END_LINK] = "UPDATE links SET ending = ?3, ended_at = ?4, forget_at = ?5,"
                           " sealed = NULL WHERE provider = ?1 AND label = ?2 AND ending = 0",
    [STATEMENT_COUNT_CLICK] = "UPDATE links SET clicks = ?2, hour_began_at = ?3, hour_clicks = ?4"
                              " WHERE digest = ?1",
    [STATEMENT_MOVE_LINK] = "UPDATE links SET provider = ?3, label = ?4"
                            " WHERE provider = ?1 AND label = ?2 AND ending = 0",
    [STATEMENT_LIST_LINKS] = "SELECT " LINK_COLUMNS " FROM links"
                             " WHERE ending = 0 AND (provider, label) > (?1, ?2)"
                             " ORDER BY provider, label LIMIT ?3",
    [STATEMENT_COUNT_LINKS] =
        "SELECT count(*), (SELECT count(*) FROM links WHERE ending = 0 AND uid = ?1) "
        "FROM links WHERE ending = 0",
    [STATEMENT_FORGET_LINKS] = "DELETE FROM links WHERE id IN"
                               " (SELECT id FROM links WHERE forget_at <= ?1 LIMIT ?2)",
    [STATEMENT_TRIM_LINKS] = "DELETE FROM links WHERE id IN"
                             " (SELECT id FROM links WHERE ending <> 0 ORDER BY id LIMIT"
                             " max(0, (SELECT count(*) FROM links WHERE ending <> 0) - ?1))",

    [STATEMENT_KEEP] =
        "INSERT INTO kept (" KEPT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STATEMENT_TRIM_KEPT] = "DELETE FROM kept WHERE id IN"
                            " (SELECT id FROM kept WHERE kind = ?1 ORDER BY id LIMIT"
                            " max(0, (SELECT count(*) FROM kept WHERE kind = ?1) - ?2))"
                            " RETURNING id, provider || '/' || label",
    [STATEMENT_EACH_KEPT] = "SELECT id, " KEPT_COLUMNS " FROM kept"
                            " WHERE kind = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3",
    [STATEMENT_FIND_KEPT] = "SELECT 1 FROM kept WHERE kind = ?1 AND created_at > ?2"
                            " AND provider = ?3 AND label = ?4 LIMIT 1",
    [STATEMENT_POSTPONE_KEPT] = "UPDATE kept SET due_at = ?2, tries = ?3 WHERE id = ?1",
    [STATEMENT_DROP_KEPT] = "DELETE FROM kept WHERE id = ?1",
    [STATEMENT_DROP_REVOCATIONS] =
        "DELETE FROM kept WHERE kind = ?1 AND provider = ?2 AND (identity = ?4"
        " OR label = ?3 AND (identity IS NULL OR ?4 IS NULL)) RETURNING id, label",

    [STATEMENT_EACH_SEALED + SEALED_ACCOUNT] = EACH_SEALED("accounts", "generation, 0, ''"),
    [STATEMENT_EACH_SEALED + SEALED_HELD] = EACH_SEALED("held", "0, 0, ''"),
    [STATEMENT_EACH_SEALED + SEALED_KEPT] = EACH_SEALED("kept", "0, kind, ''"),
    [STATEMENT_EACH_SEALED + SEALED_LINK] = EACH_SEALED("links", "0, 0, digest"),
    [STATEMENT_PUT_SEALED + SEALED_ACCOUNT] = PUT_SEALED("accounts"),
    [STATEMENT_PUT_SEALED + SEALED_HELD] = PUT_SEALED("held"),
    [STATEMENT_PUT_SEALED + SEALED_KEPT] = PUT_SEALED("kept"),
    [STATEMENT_PUT_SEALED + SEALED_LINK] = PUT_SEALED("links"),
    [STATEMENT_COUNT_AUDIT] =
        "UPDATE audit SET count = count + ?6, first_at = min(first_at, ?7),"
        " last_at = max(last_at, ?8)"
        " WHERE account = ?1 AND uid = ?2 AND unit = ?3 AND verdict = ?4 AND generation = ?5",
    [STATEMENT_INSERT_AUDIT] =
        "INSERT INTO audit (account, uid, unit, verdict, generation, count, first_at, last_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STATEMENT_TRIM_AUDIT] = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1"
                             " AND id < (SELECT min(id) FROM audit) + ?2",
    [STATEMENT_EACH_AUDIT] =
        "SELECT " AUDIT_COLUMNS " FROM audit WHERE id < ?1 AND (?3 = '' OR account GLOB ?3)"
        " AND (?4 = '' OR unit GLOB ?4) AND (?5 = '' OR verdict = ?5) AND (?6 < 0 OR uid = ?6)"
        " AND last_at >= ?7 AND id > (SELECT max(id) FROM audit) - ?8 ORDER BY id DESC LIMIT ?2",
    [STATEMENT_FIND_CALLER] = "SELECT " CALLER_COLUMNS " FROM callers"
                              " WHERE rule = ?1 AND uid = ?2 AND unit = ?3",
    [STATEMENT_READ_CALLER] = "SELECT " CALLER_COLUMNS " FROM callers WHERE id = ?1",
    [STATEMENT_INSERT_CALLER] =
        "INSERT INTO callers (rule, uid, unit, account, asked_at, approved_at, approved_by)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [STATEMENT_UPDATE_CALLER] = "UPDATE callers SET asked_at = ?2, approved_at = ?3,"
                                " approved_by = ?4 WHERE id = ?1",
    [STATEMENT_DROP_CALLER] = "DELETE FROM callers WHERE id = ?1",
    [STATEMENT_EACH_CALLER] = "SELECT " CALLER_COLUMNS " FROM callers ORDER BY id LIMIT ?1",
    [STATEMENT_COUNT_CALLERS] = "SELECT count(*) FILTER (WHERE approved_at = 0),"
                                " count(*) FILTER (WHERE approved_at = 0 AND uid = ?1),"
                                " count(*) FILTER (WHERE approved_at <> 0) FROM callers",
    [STATEMENT_FORGET_CALLERS] = "DELETE FROM callers WHERE approved_at = 0 AND asked_at < ?1",
};
