#include <lpd/io/shared_db.h>

#include <fcntl.h>
#include <unistd.h>

#include <lpd/base/assert.h>

#include "sql.h"

struct lp_shared_db {
	sqlite3 *sql;
	const char *path;
	bool begun;
};

static enum lp_code fail_sql(const struct lp_shared_db *db, const char *verb, struct lp_err *e)
{
	return lp_fail(e, LP_STORE, "the file %s cannot be %s: %s", db->path, verb, sqlite3_errmsg(db->sql));
}

static bool run_sql(struct lp_shared_db *db, const char *sql)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK;
}

enum lp_code lp_shared_db_begin(struct lp_shared_db *db, struct lp_err *e)
{
	lp_assert(!db->begun);
	if (!run_sql(db, "BEGIN IMMEDIATE"))
		return fail_sql(db, "locked", e);
	db->begun = true;
	return LP_OK;
}

enum lp_code lp_shared_db_end(struct lp_shared_db *db, bool keep, struct lp_err *e)
{
	lp_assert(db->begun);
	db->begun = false;
	/* A full disk takes the transaction back by itself. */
	if (sqlite3_get_autocommit(db->sql))
		return keep ? lp_fail(e, LP_STORE, "the file %s could not be written", db->path) : LP_OK;
	if (keep && run_sql(db, "COMMIT"))
		return LP_OK;
	enum lp_code code = keep ? fail_sql(db, "written", e) : LP_OK;
	run_sql(db, "ROLLBACK");
	return code;
}

static enum lp_code prepare(struct lp_shared_db *db, sqlite3_stmt **out, const struct lp_db_write *what,
			    struct lp_err *e)
{
	if (sqlite3_prepare_v2(db->sql, what->sql, -1, out, NULL) != SQLITE_OK)
		return fail_sql(db, "used", e);
	lp_assert(sqlite3_bind_parameter_count(*out) == what->n);
	for (int i = 0; i < what->n; i++)
		lp_sql_bind(*out, i + 1, &what->values[i]);
	return LP_OK;
}

enum lp_code lp_shared_db_run(struct lp_shared_db *db, const struct lp_db_write *write, struct lp_err *e)
{
	sqlite3_stmt *stmt;
	enum lp_code code = prepare(db, &stmt, write, e);
	int rc = SQLITE_ROW;

	lp_assert(db->begun);
	if (code)
		return code;
	while (rc == SQLITE_ROW)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_DONE)
		code = fail_sql(db, "written", e);
	sqlite3_finalize(stmt);
	return code;
}

enum lp_code lp_shared_db_ask(struct lp_scope *scope, struct lp_shared_db *db, struct lp_db_value *row,
			      const struct lp_db_write *query, struct lp_err *e)
{
	sqlite3_stmt *stmt;
	enum lp_code code = prepare(db, &stmt, query, e);

	if (code)
		return code;
	int rc = sqlite3_step(stmt), n = sqlite3_column_count(stmt);

	lp_assert(n <= LP_SHARED_DB_COLUMNS);
	for (int i = 0; rc == SQLITE_ROW && i < n; i++) {
		row[i] = lp_sql_column(stmt, i);
		row[i].bytes = lp_span_dup(scope, row[i].bytes);
	}
	if (rc == SQLITE_DONE)
		code = lp_fail(e, LP_NOT_FOUND, "there is no such row");
	else if (rc != SQLITE_ROW)
		code = fail_sql(db, "read", e);
	sqlite3_finalize(stmt);
	return code;
}

enum lp_code lp_shared_db_each(struct lp_shared_db *db, const struct lp_db_write *query,
			       const struct lp_shared_db_rows *rows, struct lp_err *e)
{
	struct lp_db_value values[LP_SHARED_DB_COLUMNS];
	sqlite3_stmt *stmt;
	enum lp_code code = prepare(db, &stmt, query, e);
	int rc = SQLITE_DONE, n;

	if (code)
		return code;
	n = sqlite3_column_count(stmt);
	lp_assert(n <= LP_SHARED_DB_COLUMNS);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (int i = 0; i < n; i++)
			values[i] = lp_sql_column(stmt, i);
		rows->row(rows->self, values, n);
	}
	if (rc != SQLITE_DONE)
		code = fail_sql(db, "read", e);
	sqlite3_finalize(stmt);
	return code;
}

/* Whoever comes first makes the tables; the others find them made. */
static enum lp_code migrate(struct lp_shared_db *db, const struct lp_db_schema *schema, struct lp_err *e)
{
	static const struct lp_db_write ask = { "PRAGMA user_version", NULL, 0 };
	struct lp_scope *scope = lp_scope_open(NULL, "migrate");
	struct lp_db_value version;
	char set[64];
	enum lp_code code = lp_shared_db_ask(scope, db, &version, &ask, e);

	lp_scope_close(&scope);
	if (!code && version.i > schema->n)
		code = lp_fail(e, LP_STORE, "the file %s was written by a newer lpd", db->path);
	for (int64_t i = version.i; !code && i < schema->n; i++) {
		if (!run_sql(db, schema->steps[i]))
			code = fail_sql(db, "brought up to date", e);
	}
	sqlite3_snprintf(sizeof set, set, "PRAGMA user_version = %d", schema->n);
	if (!code && !run_sql(db, set))
		code = fail_sql(db, "brought up to date", e);
	return code;
}

static enum lp_code open_file(struct lp_shared_db *db, const struct lp_db_schema *schema, struct lp_err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	if (sqlite3_open_v2(db->path, &db->sql, flags, NULL) != SQLITE_OK)
		return fail_sql(db, "opened", e);
	sqlite3_busy_timeout(db->sql, LP_SHARED_DB_WAIT);
	if (!run_sql(db, "PRAGMA journal_mode = WAL") || !run_sql(db, "PRAGMA synchronous = FULL"))
		return fail_sql(db, "opened", e);
	enum lp_code code = lp_shared_db_begin(db, e);
	if (code)
		return code;
	code = migrate(db, schema, e);
	enum lp_code ended = lp_shared_db_end(db, code == LP_OK, e);

	return code ? code : ended;
}

static void close_db(void *arg)
{
	struct lp_shared_db *db = arg;
	int rc = sqlite3_close(db->sql);

	lp_assert(rc == SQLITE_OK);
}

enum lp_code lp_shared_db_open(struct lp_scope *scope, struct lp_shared_db **out, const char *path,
			       const struct lp_db_schema *schema, struct lp_err *e)
{
	struct lp_shared_db *db = lp_new(scope, struct lp_shared_db);

	db->path = lp_strdup(scope, lp_span(path));
	enum lp_code code = open_file(db, schema, e);
	if (code) {
		sqlite3_close(db->sql);
		return code;
	}
	lp_defer(scope, close_db, db);
	*out = db;
	return LP_OK;
}

/* Not read-only to SQLite: what a killed process has left in the log beside the file is taken in. */
enum lp_code lp_shared_db_look(struct lp_scope *scope, struct lp_shared_db **out, const char *path, struct lp_err *e)
{
	struct lp_shared_db *db = lp_new(scope, struct lp_shared_db);
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	db->path = lp_strdup(scope, lp_span(path));
	if (access(path, F_OK) != 0)
		return lp_fail(e, LP_NOT_FOUND, "there is no file %s", path);
	if (sqlite3_open_v2(path, &db->sql, flags, NULL) != SQLITE_OK) {
		fail_sql(db, "opened", e);
		sqlite3_close(db->sql);
		return e->code;
	}
	sqlite3_busy_timeout(db->sql, LP_SHARED_DB_WAIT);
	lp_defer(scope, close_db, db);
	*out = db;
	return LP_OK;
}
