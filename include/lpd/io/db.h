/* io/db - the store: read everything at start, then queued writes on one serial lane of the pool,
 * committed in groups.  SQLite, one file, WAL, synchronous=FULL.
 *
 * The database is never on the path of a request: state lives in memory and is written behind.  Who must
 * know that a write is safe asks for on_safe. */
#ifndef LPD_IO_DB_H
#define LPD_IO_DB_H

#include <lpd/base/err.h>
#include <lpd/io/loop.h>

struct lp_db;

/* One step of the schema: SQL that leads from version i to i + 1, all in one transaction. */
struct lp_db_schema {
	const char *const *steps;
	int n;
};

/* Opens or makes the file (mode 0600) and brings it up to date; a newer file is refused in words (LP_STORE).  path may
 * be an SQLite URI ("file:...?vfs=..."), which is how tests put a failing disk below.  When the scope closes, what
 * is queued is still written, but on_safe is called no more. */
enum lp_code lp_db_open(struct lp_scope *scope, struct lp_db **out, struct lp_loop *loop, const char *path,
			const struct lp_db_schema *schema, struct lp_err *e) LP_MUST_USE;

/* A bound value. */
struct lp_db_value {
	enum { LP_DB_NULL, LP_DB_INT, LP_DB_TEXT, LP_DB_BLOB } kind;
	int64_t i;
	struct lp_span bytes;
};

/* At start only, before the loop runs: rows one by one. */
enum lp_code lp_db_load(struct lp_db *db, const char *sql, void (*row)(void *self, const struct lp_db_value *v, int n),
			void *self, struct lp_err *e) LP_MUST_USE;

/* Queue one write (copied; writes are done in the order of queueing).  on_safe(self, code) comes once from the loop when it is on disk or has failed
 * alone (each write is its own savepoint); NULL: nobody waits.  The write is done even if scope closes
 * meanwhile; only the call is dropped.  At most 100,000 wait: beyond that LP_STORE at once. */
struct lp_db_write {
	const char *sql;		/* a literal: prepared once, kept */
	const struct lp_db_value *values;
	int n;
};
void lp_db_write(struct lp_scope *scope, struct lp_db *db, const struct lp_db_write *write,
		 void (*on_safe)(void *self, enum lp_code code), void *self);
bool lp_db_healthy(const struct lp_db *db);	/* the last group was committed */

#endif
