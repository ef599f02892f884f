#include "store.h"

#include <string.h>

#include <lpd/base/random.h>
#include <lpd/io/file.h>
#include <lpd/money/books.h>

static const char *const steps[] = {
	"CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
	LP_BOOKS_SCHEMA,
};

enum lp_code lp_store_open(struct lp_node *node, struct lp_err *e)
{
	static const struct lp_db_schema schema = { steps, sizeof(steps) / sizeof(*steps) };

	if (node->db)
		return LP_OK;
	if (lp_folder_lock(node->scope, node->data_dir, e) != LP_OK)
		return e->code;
	return lp_db_open(node->scope, &node->db, node->loop, lp_fmt(node->scope, "%s/lpd.db", node->data_dir), &schema,
			  e);
}

struct looking {
	const char *name;
	uint8_t *secret;
	bool found;
};

static void on_row(void *self, const struct lp_db_value *v, int n)
{
	struct looking *l = self;

	if (n != 2 || !lp_span_is(v[0].bytes, l->name) || v[1].bytes.len != 32)
		return;
	memcpy(l->secret, v[1].bytes.at, 32);
	l->found = true;
}

enum lp_code lp_store_secret(struct lp_node *node, const char *name, uint8_t secret[32], struct lp_err *e)
{
	struct looking l = { name, secret, false };
	enum lp_code code = lp_db_load(node->db, "SELECT name, value FROM secret", on_row, &l, e);

	if (code != LP_OK || l.found)
		return code;
	lp_random(secret, 32);
	const struct lp_db_value values[] = {
		{ .kind = LP_DB_TEXT, .bytes = lp_span(name) },
		{ .kind = LP_DB_BLOB, .bytes = lp_span_of(secret, 32) },
	};

	lp_db_write(node->scope, node->db, &(struct lp_db_write){ "INSERT INTO secret VALUES (?, ?)", values, 2 }, NULL,
		    NULL);
	return LP_OK;
}
