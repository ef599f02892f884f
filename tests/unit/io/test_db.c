#include <sys/stat.h>
#include <unistd.h>

#include <lpd/base/buf.h>
#include <lpd/io/db.h>
#include <lpd/io/file.h>

#include "fault_vfs.h"
#include "real_loop.h"
#include "temp_dir.h"

static const char *const steps[] = {
	"CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB); CREATE TABLE u (name TEXT NOT NULL UNIQUE)",
	"ALTER TABLE t ADD COLUMN more TEXT; INSERT INTO t VALUES (-1, NULL, 'from step 2')",
};
static const struct lp_db_schema one = { steps, 1 }, two = { steps, 2 };

#define INSERT "INSERT INTO t (k, v) VALUES (?, ?)"

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	struct lp_db *db;
	struct lp_scope *scope;		/* of the db */
	struct lp_err e;
	int told[1000];			/* by key: 0, or 1 + the code */
	int n_told;
	bool all_told;
	int waited;
	struct lp_buf rows;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	real_loop_open(&f.r);
	temp_dir_make(&f.dir);
	f.scope = lp_scope_open(f.r.scope, "db");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	lp_buf_clear(&f->rows);
	temp_dir_remove(&f->dir);
	return 0;
}

static enum lp_code open_db(struct fixture *f, const struct lp_db_schema *schema)
{
	return lp_db_open(f->scope, &f->db, f->r.loop, temp_dir_file(&f->dir, "lpd.db"), schema, &f->e);
}

static void reopen(struct fixture *f, const struct lp_db_schema *schema)
{
	lp_scope_close(&f->scope);
	f->scope = lp_scope_open(f->r.scope, "db");
	assert_int_equal(open_db(f, schema), LP_OK);
}

static void add_row(void *self, const struct lp_db_value *v, int n)
{
	struct lp_buf *to = self;

	for (int i = 0; i < n; i++) {
		if (v[i].kind == LP_DB_INT)
			lp_buf_fmt(to, "%lld ", (long long)v[i].i);
		else if (v[i].kind == LP_DB_NULL)
			lp_buf_add_text(to, "NULL ");
		else
			lp_buf_fmt(to, "%s'%.*s' ", v[i].kind == LP_DB_BLOB ? "x" : "", LP_ARG(v[i].bytes));
	}
	lp_buf_add_text(to, "; ");
}

static void check_rows(struct fixture *f, const char *sql, const char *want)
{
	lp_buf_reset(&f->rows);
	assert_int_equal(lp_db_load(f->db, sql, add_row, &f->rows, &f->e), LP_OK);
	assert_string_equal(lp_buf_text(&f->rows), want);
}

struct wait {
	struct fixture *f;
	int key;
};

static void on_safe(void *self, enum lp_code code)
{
	struct wait *wait = self;

	assert_int_equal(wait->f->told[wait->key], 0);
	wait->f->told[wait->key] = 1 + (int)code;
	wait->f->all_told = ++wait->f->n_told == wait->f->waited;
}

static void write_sql(struct fixture *f, const char *sql, const struct lp_db_value *values, int n, int key)
{
	struct wait *wait = lp_new(f->r.scope, struct wait);

	*wait = (struct wait){ f, key };
	f->waited++;
	f->all_told = false;
	lp_db_write(f->r.scope, f->db, &(struct lp_db_write){ sql, values, n }, on_safe, wait);
}

static void write_key(struct fixture *f, int key, const char *text)
{
	char copy[32];

	snprintf(copy, sizeof(copy), "%s", text);
	const struct lp_db_value values[] = {
		{ .kind = LP_DB_INT, .i = key },
		{ .kind = LP_DB_BLOB, .bytes = lp_span(copy) },
	};
	write_sql(f, INSERT, values, 2, key);
	memset(copy, 'x', sizeof(copy));	/* it was copied */
}

static void what_was_written_is_there_after_opening_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &one), LP_OK);
	write_key(f, 1, "one");
	write_key(f, 2, "two");
	assert_int_equal(f->n_told, 0);		/* never inline */
	real_loop_run_until(&f->r, &f->all_told);
	assert_int_equal(f->told[1], 1 + LP_OK);
	assert_int_equal(f->told[2], 1 + LP_OK);
	assert_true(lp_db_healthy(f->db));
	reopen(f, &one);
	check_rows(f, "SELECT k, v FROM t ORDER BY k", "1 x'one' ; 2 x'two' ; ");
}

static void every_kind_of_value_comes_back(void **state)
{
	struct fixture *f = *state;
	const struct lp_db_value values[] = {
		{ .kind = LP_DB_INT, .i = INT64_MIN }, { .kind = LP_DB_TEXT, .bytes = LP_SPAN("caf\xc3\xa9") },
		{ .kind = LP_DB_NULL },		       { .kind = LP_DB_BLOB, .bytes = { NULL, 0 } },
		{ .kind = LP_DB_TEXT, .bytes = { NULL, 0 } },
	};
	static const char *const step[] = { "CREATE TABLE kinds (a, b, c, d, e)" };

	assert_int_equal(open_db(f, &(struct lp_db_schema){ step, 1 }), LP_OK);
	write_sql(f, "INSERT INTO kinds VALUES (?, ?, ?, ?, ?)", values, 5, 0);
	real_loop_run_until(&f->r, &f->all_told);
	check_rows(f, "SELECT * FROM kinds", "-9223372036854775808 'caf\xc3\xa9' NULL x'' '' ; ");
}

static void the_file_is_only_ours_to_read(void **state)
{
	struct fixture *f = *state;
	struct stat is;

	assert_int_equal(open_db(f, &one), LP_OK);
	write_key(f, 1, "one");
	real_loop_run_until(&f->r, &f->all_told);
	assert_int_equal(stat(f->dir.file, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0600);
	assert_int_equal(stat(temp_dir_file(&f->dir, "lpd.db-wal"), &is), 0);
	assert_int_equal(is.st_mode & 0777, 0600);
}

static void an_older_file_is_brought_up_to_date(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &one), LP_OK);
	write_key(f, 1, "one");
	reopen(f, &two);		/* closing writes what is queued */
	check_rows(f, "SELECT k, more FROM t ORDER BY k", "-1 'from step 2' ; 1 NULL ; ");
	check_rows(f, "PRAGMA user_version", "2 ; ");
	reopen(f, &two);
	check_rows(f, "SELECT count(*) FROM t", "2 ; ");
}

static void a_newer_file_is_refused_in_words(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &two), LP_OK);
	lp_scope_close(&f->scope);
	f->scope = lp_scope_open(f->r.scope, "db");
	assert_int_equal(open_db(f, &one), LP_STORE);
	assert_non_null(strstr(f->e.words, "is of version 2, and this lpd knows versions up to 1"));
	assert_non_null(strstr(f->e.words, "a newer lpd wrote it"));
}

static void a_step_that_fails_leaves_the_old_version_whole(void **state)
{
	const char *const bad[] = { steps[0], steps[1], "CREATE TABLE v (a); INSERT INTO nowhere VALUES (1)" };
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &one), LP_OK);
	lp_scope_close(&f->scope);
	f->scope = lp_scope_open(f->r.scope, "db");
	assert_int_equal(open_db(f, &(struct lp_db_schema){ bad, 3 }), LP_STORE);
	if (!strstr(f->e.words, "no such table"))
		fail_msg("%s", f->e.words);
	assert_int_equal(open_db(f, &one), LP_OK);
	check_rows(f, "PRAGMA user_version", "1 ; ");
	check_rows(f, "SELECT count(*) FROM sqlite_master WHERE name = 'v'", "0 ; ");
}

static void what_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(lp_file_write(temp_dir_file(&f->dir, "lpd.db"),
				       LP_SPAN("this is a text of more than a hundred bytes, which nobody would take for "
					       "a database, except by mistake, as here"),
				       0600, &f->e),
			 LP_OK);
	assert_int_equal(open_db(f, &one), LP_STORE);
	assert_non_null(strstr(f->e.words, "not a database"));
	assert_int_equal(lp_db_open(f->scope, &f->db, f->r.loop, temp_dir_file(&f->dir, "no/such.db"), &one, &f->e),
			 LP_STORE);
	assert_non_null(strstr(f->e.words, "unable to open"));
}

static void a_bad_write_fails_alone(void **state)
{
	struct fixture *f = *state;
	const struct lp_db_value name = { .kind = LP_DB_TEXT, .bytes = LP_SPAN("n") };

	assert_int_equal(open_db(f, &one), LP_OK);
	write_key(f, 1, "one");
	write_key(f, 2, "two");
	write_sql(f, INSERT, &name, 1, 3);		/* too few values */
	write_sql(f, "INSERT INTO nowhere VALUES (1)", NULL, 0, 4);
	write_sql(f, "INSERT INTO u VALUES (?)", &name, 1, 5);
	write_sql(f, "INSERT INTO u VALUES ('a'), ('n'), ('b')", NULL, 0, 6);	/* its first row goes too */
	write_key(f, 7, "seven");
	real_loop_run_until(&f->r, &f->all_told);
	for (int key = 1; key <= 7; key++)
		assert_int_equal(f->told[key], 1 + (key == 3 || key == 4 || key == 6 ? LP_STORE : LP_OK));
	assert_true(lp_db_healthy(f->db));
	reopen(f, &one);
	check_rows(f, "SELECT k FROM t ORDER BY k", "1 ; 2 ; 7 ; ");
	check_rows(f, "SELECT name FROM u", "'n' ; ");
}

static void writes_keep_their_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &one), LP_OK);
	for (int round = 0; round < 20; round++) {
		write_sql(f, "DELETE FROM t", NULL, 0, 500 + round);
		write_key(f, 10 + round, "x");
		real_loop_run_for(&f->r, round % 3 ? 0 : LP_MSEC);
	}
	real_loop_run_until(&f->r, &f->all_told);
	check_rows(f, "SELECT k FROM t", "29 ; ");
}

static void many_writes_share_a_sync(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fault_vfs_open();
	snprintf(path, sizeof(path), "file:%s?vfs=fault", temp_dir_file(&f->dir, "lpd.db"));
	assert_int_equal(lp_db_open(f->scope, &f->db, f->r.loop, path, &one, &f->e), LP_OK);
	int before = fault_vfs_operations();
	for (int key = 0; key < 500; key++)
		write_key(f, key, "v");
	real_loop_run_until(&f->r, &f->all_told);
	assert_true(fault_vfs_operations() - before < 60);
	for (int key = 0; key < 500; key++)
		assert_int_equal(f->told[key], 1 + LP_OK);
	lp_scope_close(&f->scope);
	fault_vfs_close();
}

static void closing_the_scope_of_a_write_drops_only_the_call(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *job = lp_scope_open(f->r.scope, "job");
	struct wait wait = { f, 1 };

	assert_int_equal(open_db(f, &one), LP_OK);
	lp_db_write(job, f->db, &(struct lp_db_write){ "INSERT INTO t (k) VALUES (1)", NULL, 0 }, on_safe, &wait);
	lp_scope_close(&job);
	write_key(f, 2, "two");
	real_loop_run_until(&f->r, &f->all_told);
	assert_int_equal(f->told[1], 0);
	job = lp_scope_open(f->r.scope, "job");
	lp_db_write(job, f->db, &(struct lp_db_write){ "INSERT INTO t (k) VALUES (3)", NULL, 0 }, on_safe, &wait);
	real_loop_run_for(&f->r, 0);		/* on its way */
	lp_scope_close(&job);
	real_loop_close(&f->r);			/* waits for it */
	assert_int_equal(f->told[1], 0);
	real_loop_open(&f->r);
	f->scope = lp_scope_open(f->r.scope, "db");
	assert_int_equal(open_db(f, &one), LP_OK);
	check_rows(f, "SELECT k FROM t ORDER BY k", "1 ; 2 ; 3 ; ");
}

static void closing_writes_what_is_queued_and_calls_nobody(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &one), LP_OK);
	for (int key = 0; key < 100; key++) {
		write_key(f, key, "v");
		if (key == 50)
			real_loop_run_for(&f->r, 0);	/* one group is on its way */
	}
	int told = f->n_told;
	real_loop_close(&f->r);
	assert_int_equal(f->n_told, told);
	real_loop_open(&f->r);
	f->scope = lp_scope_open(f->r.scope, "db");
	assert_int_equal(open_db(f, &one), LP_OK);
	check_rows(f, "SELECT count(*) FROM t", "100 ; ");
}

static void close_on_safe(void *self, enum lp_code code)
{
	struct fixture *f = self;

	assert_int_equal(code, LP_OK);
	f->all_told = true;
	lp_scope_close(&f->scope);
}

static void the_store_may_close_in_on_safe(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_db(f, &one), LP_OK);
	lp_db_write(f->r.scope, f->db, &(struct lp_db_write){ "INSERT INTO t (k) VALUES (1)", NULL, 0 }, close_on_safe,
		    f);
	lp_db_write(f->r.scope, f->db, &(struct lp_db_write){ "INSERT INTO t (k) VALUES (2)", NULL, 0 }, close_on_safe,
		    f);
	real_loop_run_until(&f->r, &f->all_told);
	f->scope = lp_scope_open(f->r.scope, "db");
	assert_int_equal(open_db(f, &one), LP_OK);
	check_rows(f, "SELECT count(*) FROM t", "2 ; ");
}

static void a_full_queue_refuses_at_once(void **state)
{
	struct fixture *f = *state;
	const struct lp_db_write none = { "INSERT INTO nowhere VALUES (1)", NULL, 0 };

	assert_int_equal(open_db(f, &one), LP_OK);
	for (int i = 0; i < 100000; i++)
		lp_db_write(f->r.scope, f->db, &none, NULL, NULL);
	write_key(f, 1, "late");
	write_key(f, 2, "later");
	lp_db_write(f->r.scope, f->db, &none, NULL, NULL);
	assert_int_equal(f->n_told, 0);
	int64_t begun = lp_mono(f->r.loop);
	real_loop_run_until(&f->r, &f->all_told);
	assert_int_equal(f->told[1], 1 + LP_STORE);
	assert_int_equal(f->told[2], 1 + LP_STORE);
	assert_true(lp_mono(f->r.loop) - begun < LP_SEC);
}

/* ---- a disk that fails ---- */

static void a_full_disk_fails_the_group_and_heals(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fault_vfs_open();
	snprintf(path, sizeof(path), "file:%s?vfs=fault", temp_dir_file(&f->dir, "lpd.db"));
	assert_int_equal(lp_db_open(f->scope, &f->db, f->r.loop, path, &one, &f->e), LP_OK);
	fault_vfs_fail_after(0, FAULT_FULL);
	write_key(f, 1, "one");
	write_key(f, 2, "two");
	real_loop_run_until(&f->r, &f->all_told);
	assert_int_equal(f->told[1], 1 + LP_STORE);
	assert_int_equal(f->told[2], 1 + LP_STORE);
	assert_false(lp_db_healthy(f->db));
	fault_vfs_heal();
	write_key(f, 3, "three");
	real_loop_run_until(&f->r, &f->all_told);
	assert_int_equal(f->told[3], 1 + LP_OK);
	assert_true(lp_db_healthy(f->db));
	check_rows(f, "SELECT k FROM t", "3 ; ");
	lp_scope_close(&f->scope);
	fault_vfs_close();
}

struct found {
	bool key[1000];
};

static void on_found(void *self, const struct lp_db_value *v, int n)
{
	struct found *found = self;

	assert_int_equal(n, 1);
	found->key[v[0].i] = true;
}

/* What the power cut left must open, and hold every write that was called safe.  torn: 0 all or nothing, else a seed. */
static void check_after_cut(struct fixture *f, bool lucky, uint64_t torn)
{
	struct lp_scope *scope = lp_scope_open(f->r.scope, "after");
	struct found found = { { false } };
	struct temp_dir after;
	struct lp_db *db;

	temp_dir_make(&after);
	if (torn)
		fault_vfs_torn_cut(after.path, torn);
	else
		fault_vfs_power_cut(after.path, lucky);
	assert_int_equal(lp_db_open(scope, &db, f->r.loop, temp_dir_file(&after, "lpd.db"), &one, &f->e), LP_OK);
	assert_int_equal(lp_db_load(db, "SELECT k FROM t", on_found, &found, &f->e), LP_OK);
	for (int key = 0; key < 1000; key++) {
		if (f->told[key] == 1 + LP_OK)
			assert_true(found.key[key]);
	}
	lp_scope_close(&scope);
	temp_dir_remove(&after);
}

/* Failing at the n-th operation of the disk, for every n: whatever was told safe survives. */
static void what_was_called_safe_survives_any_failure_and_a_power_cut(void **state)
{
	struct fixture *f = *state;
	char path[128];
	bool reached_the_end = false;

	for (int n = 0; !reached_the_end; n++) {
		assert_true(n < 300);
		fault_vfs_open();
		memset(f->told, 0, sizeof(f->told));
		snprintf(path, sizeof(path), "file:%s?vfs=fault", temp_dir_file(&f->dir, "lpd.db"));
		assert_int_equal(lp_db_open(f->scope, &f->db, f->r.loop, path, &one, &f->e), LP_OK);
		fault_vfs_fail_after(n, n % 2 ? FAULT_IO : FAULT_FULL);
		int before = fault_vfs_operations();
		for (int key = 0; key < 30; key++) {
			write_key(f, key, "some bytes");
			if (key % 10 == 9)
				real_loop_run_until(&f->r, &f->all_told);
		}
		reached_the_end = fault_vfs_operations() - before < n;
		check_after_cut(f, false, 0);
		check_after_cut(f, true, 0);
		for (uint64_t seed = 1; seed <= 3; seed++)
			check_after_cut(f, false, (uint64_t)n * 3 + seed);
		fault_vfs_heal();
		lp_scope_close(&f->scope);
		fault_vfs_close();
		temp_dir_remove(&f->dir);
		temp_dir_make(&f->dir);
		f->scope = lp_scope_open(f->r.scope, "db");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_there_after_opening_again),
		TEST(every_kind_of_value_comes_back),
		TEST(the_file_is_only_ours_to_read),
		TEST(an_older_file_is_brought_up_to_date),
		TEST(a_newer_file_is_refused_in_words),
		TEST(a_step_that_fails_leaves_the_old_version_whole),
		TEST(what_is_no_database_is_refused),
		TEST(a_bad_write_fails_alone),
		TEST(writes_keep_their_order),
		TEST(many_writes_share_a_sync),
		TEST(closing_the_scope_of_a_write_drops_only_the_call),
		TEST(closing_writes_what_is_queued_and_calls_nobody),
		TEST(the_store_may_close_in_on_safe),
		TEST(a_full_queue_refuses_at_once),
		TEST(a_full_disk_fails_the_group_and_heals),
		TEST(what_was_called_safe_survives_any_failure_and_a_power_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
