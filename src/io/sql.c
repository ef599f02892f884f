#include "sql.h"

/* An empty value is a value, not NULL. */
void lp_sql_bind(sqlite3_stmt *stmt, int i, const struct lp_db_value *v)
{
	const char *at = v->bytes.len ? v->bytes.at : "";

	switch (v->kind) {
	case LP_DB_NULL:
		sqlite3_bind_null(stmt, i);
		break;
	case LP_DB_INT:
		sqlite3_bind_int64(stmt, i, v->i);
		break;
	case LP_DB_TEXT:
		sqlite3_bind_text64(stmt, i, at, v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case LP_DB_BLOB:
		sqlite3_bind_blob64(stmt, i, at, v->bytes.len, SQLITE_STATIC);
		break;
	}
}

struct lp_db_value lp_sql_column(sqlite3_stmt *stmt, int i)
{
	struct lp_db_value v = { .kind = LP_DB_NULL };
	int type = sqlite3_column_type(stmt, i);

	if (type == SQLITE_INTEGER) {
		v.kind = LP_DB_INT;
		v.i = sqlite3_column_int64(stmt, i);
	} else if (type == SQLITE_BLOB) {
		v.kind = LP_DB_BLOB;
		v.bytes = lp_span_of(sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
	} else if (type != SQLITE_NULL) {
		const void *text = sqlite3_column_text(stmt, i);
		v.kind = LP_DB_TEXT;
		v.bytes = lp_span_of(text, (size_t)sqlite3_column_bytes(stmt, i));
	}
	return v;
}
