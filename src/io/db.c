/* The store on SQLite.
 *
 * One connection, used by one thread at a time: by the loop's while loading and closing, by one thread of the
 * pool while a group of writes is on its way.  All that is queued meanwhile is the next group: one
 * transaction, one fsync.  The struct lives on the heap, since a group may return after the scope closed. */
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/db.h>
#include <lpd/io/pool.h>

#include "sql.h"

#define WAITING_MAX 100000
#define GROUP_MAX 4096		/* bounds the time until the first of a group is safe */
#define COLUMNS_MAX 64

struct write {
	struct lp_link link;
	const char *sql;
	int n;
	enum lp_code code;		/* written by the lane */
	struct lp_scope *scope;		/* below the waiter's; NULL: nobody waits (any more) */
	void (*on_safe)(void *self, enum lp_code code);
	void *self;
	struct lp_db_value values[];	/* the bytes stand behind them */
};

struct prepared {
	const char *sql;		/* a literal: its address tells which */
	sqlite3_stmt *stmt;
};

struct group {
	struct lp_db *db;
	struct lp_list writes;
	bool committed;
};

struct lp_db {
	struct lp_loop *loop;
	sqlite3 *sql;
	struct prepared *prepared;	/* the lane's, like sql */
	int n_prepared;
	struct lp_scope *lane;		/* of the work in the pool */
	struct group *flying;		/* NULL: the lane is empty */
	struct lp_list queue;
	int queued;
	struct lp_list refused;		/* those that found the queue full: to be told so from the loop */
	struct lp_ready start, tell;
	bool healthy, closed;
};

/* ---- SQLite, by whoever has the connection ---- */

static bool run_sql(struct lp_db *db, const char *sql)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* NULL when SQLite does not take it. */
static sqlite3_stmt *prepare(struct lp_db *db, const char *sql)
{
	sqlite3_stmt *stmt;

	for (int i = 0; i < db->n_prepared; i++) {
		if (db->prepared[i].sql == sql)
			return db->prepared[i].stmt;
	}
	if (sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
		return NULL;
	db->prepared = lp_mem_grow(db->prepared, (size_t)(db->n_prepared + 1) * sizeof(*db->prepared));
	db->prepared[db->n_prepared++] = (struct prepared){ sql, stmt };
	return stmt;
}

static bool run_stmt(sqlite3_stmt *stmt)
{
	int rc;

	do {
		rc = sqlite3_step(stmt);
	} while (rc == SQLITE_ROW);
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE;
}

static bool run_kept(struct lp_db *db, const char *sql)
{
	sqlite3_stmt *stmt = prepare(db, sql);

	return stmt && run_stmt(stmt);
}

static bool run_write(struct lp_db *db, const struct write *write)
{
	sqlite3_stmt *stmt = prepare(db, write->sql);

	if (!stmt || sqlite3_bind_parameter_count(stmt) != write->n)
		return false;
	for (int i = 0; i < write->n; i++)
		lp_sql_bind(stmt, i + 1, &write->values[i]);
	bool done = run_stmt(stmt);
	sqlite3_clear_bindings(stmt);
	return done;
}

/* A write that fails takes back only itself. */
static void save_write(struct lp_db *db, struct write *write)
{
	static const char begin[] = "SAVEPOINT one", end[] = "RELEASE one";
	bool begun = run_kept(db, begin);
	bool saved = begun && run_write(db, write);

	if (begun && !saved && !sqlite3_get_autocommit(db->sql))
		run_sql(db, "ROLLBACK TO one");
	bool ended = begun && !sqlite3_get_autocommit(db->sql) && run_kept(db, end);
	write->code = saved && ended ? LP_OK : LP_STORE;
}

/* When the disk is full or broken SQLite takes back the whole transaction by itself. */
static bool save_group(struct lp_db *db, struct group *group)
{
	if (!run_sql(db, "BEGIN IMMEDIATE"))
		return false;
	lp_list_each(&group->writes, write, struct write, link) {
		save_write(db, write);
		if (sqlite3_get_autocommit(db->sql))
			return false;
	}
	if (run_sql(db, "COMMIT"))
		return true;
	if (!sqlite3_get_autocommit(db->sql))
		run_sql(db, "ROLLBACK");
	return false;
}

static void run_group(void *arg)
{
	struct group *group = arg;

	group->committed = save_group(group->db, group);
	if (group->committed)
		return;
	lp_list_each(&group->writes, write, struct write, link)
		write->code = LP_STORE;
}

/* ---- the lane ---- */

static struct group *next_group(struct lp_db *db)
{
	struct group *group = lp_mem_zeroed(1, sizeof(*group));

	group->db = db;
	lp_list_init(&group->writes);
	for (int i = 0; i < GROUP_MAX && !lp_list_empty(&db->queue); i++) {
		struct lp_link *link = lp_list_first(&db->queue);

		lp_link_out(link);
		lp_list_add(&group->writes, link);
		db->queued--;
	}
	return group;
}

static void free_writes(struct lp_list *list)
{
	lp_list_each(list, write, struct write, link) {
		lp_link_out(&write->link);
		lp_mem_free(write);
	}
}

/* What is left is written here: the loop is going down, and waiting for the disk is right now. */
static void finish(struct lp_db *db)
{
	while (!lp_list_empty(&db->queue)) {
		struct group *group = next_group(db);

		run_group(group);
		free_writes(&group->writes);
		lp_mem_free(group);
	}
	for (int i = 0; i < db->n_prepared; i++)
		sqlite3_finalize(db->prepared[i].stmt);
	int open = sqlite3_close(db->sql);
	lp_assert(open == SQLITE_OK);
	lp_mem_free(db->prepared);
	lp_scope_close(&db->lane);
	lp_mem_free(db);
}

static void forget(void *arg)
{
	struct write *write = arg;

	write->scope = NULL;
	write->on_safe = NULL;
}

/* The callback may close any scope, the db's included. */
static void tell_write(struct write *write)
{
	void (*on_safe)(void *self, enum lp_code code) = write->on_safe;
	struct lp_scope *own = write->scope;

	if (!own)
		return;
	lp_scope_close(&own);		/* forgets it */
	on_safe(write->self, write->code);
}

static void on_saved(void *self, void *arg)
{
	struct lp_db *db = self;
	struct group *group = arg;

	db->healthy = group->committed;
	lp_list_each(&group->writes, write, struct write, link)
		tell_write(write);
}

static void free_group(void *arg)
{
	struct group *group = arg;
	struct lp_db *db = group->db;

	free_writes(&group->writes);
	lp_mem_free(group);
	db->flying = NULL;
	if (db->closed)
		finish(db);
	else if (!lp_list_empty(&db->queue))
		lp_before_sleep(db->loop, &db->start);
}

static void start_group(void *self)
{
	struct lp_db *db = self;

	if (db->flying || lp_list_empty(&db->queue))
		return;
	db->flying = next_group(db);
	lp_pool_run(db->lane, db->loop, &(struct lp_work){ run_group, on_saved, free_group, db->flying, db });
}

/* One at a time, and db is not looked at behind the callback, which may close it. */
static void tell_refused(void *self)
{
	struct lp_db *db = self;
	struct write *write = LP_CONTAINER(lp_list_first(&db->refused), struct write, link);

	lp_link_out(&write->link);
	if (!lp_list_empty(&db->refused))
		lp_ready(db->loop, &db->tell);
	tell_write(write);
	lp_mem_free(write);
}

static struct write *copy_write(const struct lp_db_write *want)
{
	size_t bytes = 0;

	for (int i = 0; i < want->n; i++)
		bytes += want->values[i].bytes.len;
	struct write *write = lp_mem_get(sizeof(*write) + (size_t)want->n * sizeof(struct lp_db_value) + bytes);
	char *at = (char *)&write->values[want->n];
	*write = (struct write){ .sql = want->sql, .n = want->n, .code = LP_STORE };
	for (int i = 0; i < want->n; i++) {
		struct lp_db_value *v = &write->values[i];

		*v = want->values[i];
		if (v->bytes.len)
			memcpy(at, v->bytes.at, v->bytes.len);
		v->bytes.at = at;
		at += v->bytes.len;
	}
	return write;
}

void lp_db_write(struct lp_scope *scope, struct lp_db *db, const struct lp_db_write *want,
		 void (*on_safe)(void *self, enum lp_code code), void *self)
{
	bool full = db->queued >= WAITING_MAX;

	lp_assert(!db->closed);
	if (full && !on_safe)
		return;
	struct write *write = copy_write(want);
	if (on_safe) {
		write->scope = lp_scope_open(scope, "write");
		write->on_safe = on_safe;
		write->self = self;
		lp_defer(write->scope, forget, write);
	}
	lp_list_add(full ? &db->refused : &db->queue, &write->link);
	db->queued += !full;
	if (full)
		lp_ready(db->loop, &db->tell);
	else if (!db->flying)
		lp_before_sleep(db->loop, &db->start);	/* this turn's writes go together */
}

bool lp_db_healthy(const struct lp_db *db)
{
	return db->healthy;
}

/* ---- opening, loading, closing ---- */

static void forget_all(struct lp_list *list)
{
	lp_list_each(list, write, struct write, link) {
		struct lp_scope *own = write->scope;

		lp_scope_close(&own);
	}
}

static void close_db(void *arg)
{
	struct lp_db *db = arg;

	db->closed = true;
	lp_unready(&db->start);
	lp_unready(&db->tell);
	forget_all(&db->queue);
	forget_all(&db->refused);
	free_writes(&db->refused);
	if (db->flying)
		forget_all(&db->flying->writes);	/* finished by free_group */
	else
		finish(db);
}

static enum lp_code fail_sql(struct lp_db *db, const char *path, const char *verb, struct lp_err *e)
{
	return lp_fail(e, LP_STORE, "the store %s cannot be %s: %s", path, verb, sqlite3_errmsg(db->sql));
}

/* One row, one column; false: SQLite said no. */
static bool ask(struct lp_db *db, const char *sql, char *to, size_t cap)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db->sql, sql, -1, &stmt, NULL) != SQLITE_OK)
		return false;
	bool has = sqlite3_step(stmt) == SQLITE_ROW;
	const void *text = has ? sqlite3_column_text(stmt, 0) : NULL;
	has = has && lp_span_copy(to, cap, lp_span(text));
	sqlite3_finalize(stmt);
	return has;
}

/* All missing steps in one transaction: a store is never between two versions. */
static enum lp_code migrate(struct lp_db *db, const char *path, const struct lp_db_schema *schema, struct lp_err *e)
{
	char text[32], set[64];
	uint64_t version;

	if (!ask(db, "PRAGMA user_version", text, sizeof(text)) || !lp_span_u64(lp_span(text), &version))
		return fail_sql(db, path, "read", e);
	if (version > (uint64_t)schema->n)
		return lp_fail(e, LP_STORE, "the store %s is of version %s, and this lpd knows versions up to %d: "
			       "a newer lpd wrote it", path, text, schema->n);
	if (version == (uint64_t)schema->n)
		return LP_OK;
	if (!run_sql(db, "BEGIN IMMEDIATE"))
		return fail_sql(db, path, "brought up to date", e);
	for (int i = (int)version; i < schema->n; i++) {
		if (!run_sql(db, schema->steps[i]))
			return fail_sql(db, path, "brought up to date", e);
	}
	sqlite3_snprintf(sizeof(set), set, "PRAGMA user_version = %d", schema->n);
	if (!run_sql(db, set) || !run_sql(db, "COMMIT"))
		return fail_sql(db, path, "brought up to date", e);
	return LP_OK;
}

static enum lp_code open_file(struct lp_db *db, const char *path, const struct lp_db_schema *schema, struct lp_err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
			  SQLITE_OPEN_EXRESCODE;
	char mode[16];

	if (!lp_span_starts(lp_span(path), "file:")) {
		/* SQLite would make it readable by all; its own files beside take over the mode */
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
	}
	if (sqlite3_open_v2(path, &db->sql, flags, NULL) != SQLITE_OK)
		return fail_sql(db, path, "opened", e);
	sqlite3_busy_timeout(db->sql, 5000);	/* another process may be reading it */
	if (!ask(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode)))
		return fail_sql(db, path, "opened", e);
	if (strcmp(mode, "wal") != 0)
		return lp_fail(e, LP_STORE, "the store %s is on a file system that SQLite's WAL does not work on", path);
	if (!run_sql(db, "PRAGMA synchronous = FULL") || !run_sql(db, "PRAGMA foreign_keys = ON"))
		return fail_sql(db, path, "opened", e);
	return migrate(db, path, schema, e);
}

enum lp_code lp_db_open(struct lp_scope *scope, struct lp_db **out, struct lp_loop *loop, const char *path,
			const struct lp_db_schema *schema, struct lp_err *e)
{
	struct lp_db *db = lp_mem_zeroed(1, sizeof(*db));

	db->loop = loop;
	enum lp_code code = open_file(db, path, schema, e);
	if (code != LP_OK) {
		sqlite3_close(db->sql);		/* which takes back a transaction that was begun */
		lp_mem_free(db);
		return code;
	}
	lp_list_init(&db->queue);
	lp_list_init(&db->refused);
	db->lane = lp_scope_open(NULL, "db");
	db->start = (struct lp_ready){ .run = start_group, .self = db };
	db->tell = (struct lp_ready){ .run = tell_refused, .self = db };
	db->healthy = true;
	lp_defer(scope, close_db, db);
	*out = db;
	return LP_OK;
}

enum lp_code lp_db_load(struct lp_db *db, const char *sql, void (*row)(void *self, const struct lp_db_value *v, int n),
			void *self, struct lp_err *e)
{
	struct lp_db_value values[COLUMNS_MAX];
	sqlite3_stmt *stmt;
	int rc;

	lp_assert(!db->flying);		/* the connection is the lane's then */
	if (sqlite3_prepare_v2(db->sql, sql, -1, &stmt, NULL) != SQLITE_OK)
		return lp_fail(e, LP_STORE, "the store cannot be read: %s", sqlite3_errmsg(db->sql));
	int n = sqlite3_column_count(stmt);
	lp_assert(n <= COLUMNS_MAX);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (int i = 0; i < n; i++)
			values[i] = lp_sql_column(stmt, i);
		row(self, values, n);
	}
	enum lp_code code = LP_OK;
	if (rc != SQLITE_DONE)
		code = lp_fail(e, LP_STORE, "the store cannot be read: %s", sqlite3_errmsg(db->sql));
	sqlite3_finalize(stmt);
	return code;
}
