/* io/sql - our values to SQLite and back, for all that speak to it. */
#ifndef LPD_IO_SQL_H
#define LPD_IO_SQL_H

#include <sqlite3.h>

#include <lpd/io/db.h>

void lp_sql_bind(sqlite3_stmt *stmt, int i, const struct lp_db_value *v);	/* v's bytes stay the caller's */
struct lp_db_value lp_sql_column(sqlite3_stmt *stmt, int i);			/* good until the next step */

#endif
