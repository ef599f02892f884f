/* io/shared_db - a small SQLite file that several processes change: every change is one transaction, begun with
 * the lock, so that what was read in it still holds when it is written.
 *
 * Blocking: for the pool, the start, tools and tests; never from a step.  One thread at a time for each handle.
 * The mode and the durability are those of io/db. */
#ifndef LPD_IO_SHARED_DB_H
#define LPD_IO_SHARED_DB_H

#include <lpd/base/scope.h>
#include <lpd/io/db.h>

struct lp_shared_db;

#define LP_SHARED_DB_WAIT 5000	/* ms for another process; then LP_STORE */
#define LP_SHARED_DB_COLUMNS 10

enum lp_code lp_shared_db_open(struct lp_scope *scope, struct lp_shared_db **out, const char *path,
			       const struct lp_db_schema *schema, struct lp_err *e) LP_MUST_USE;
/* A file that is there, to look into only: another process may have it, at whatever version.  NOT_FOUND. */
enum lp_code lp_shared_db_look(struct lp_scope *scope, struct lp_shared_db **out, const char *path,
			       struct lp_err *e) LP_MUST_USE;
/* Begin has the lock when it is OK; then end comes in any case: keep, or take all back.  Not nested. */
enum lp_code lp_shared_db_begin(struct lp_shared_db *db, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_shared_db_end(struct lp_shared_db *db, bool keep, struct lp_err *e) LP_MUST_USE;
enum lp_code lp_shared_db_run(struct lp_shared_db *db, const struct lp_db_write *write, struct lp_err *e) LP_MUST_USE;
/* The first row, at most LP_SHARED_DB_COLUMNS of it; NOT_FOUND when there is none.  Its bytes live in the scope. */
enum lp_code lp_shared_db_ask(struct lp_scope *scope, struct lp_shared_db *db, struct lp_db_value *row,
			      const struct lp_db_write *query, struct lp_err *e) LP_MUST_USE;
/* All rows in turn, at most LP_SHARED_DB_COLUMNS of each; their bytes are good until row returns. */
struct lp_shared_db_rows {
	void (*row)(void *self, const struct lp_db_value *v, int n);
	void *self;
};
enum lp_code lp_shared_db_each(struct lp_shared_db *db, const struct lp_db_write *query,
			       const struct lp_shared_db_rows *rows, struct lp_err *e) LP_MUST_USE;

#endif
