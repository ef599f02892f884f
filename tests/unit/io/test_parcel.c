/* Parcels: a line and spools in one file, there whole or not at all, and read again through windows. */
#include <fcntl.h>
#include <sys/stat.h>

#include <lpd/base/buf.h>
#include <lpd/io/parcel.h>

#include "real_loop.h"
#include "temp_dir.h"

#define MIB (1024 * 1024)

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	struct lp_spool_budget budget, files;
	bool done;
	enum lp_code code;
	int rows;
	char name[64], line[128];
	int64_t size;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	real_loop_open(&f.r);
	temp_dir_make(&f.dir);
	f.budget = (struct lp_spool_budget){ .dir = f.dir.path, .memory_each = 64 * 1024, .total = 100 * MIB };
	f.files = f.budget;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	assert_int_equal(f->budget.used, 0);
	assert_int_equal(f->files.used, 0);
	temp_dir_remove(&f->dir);
	return 0;
}

static struct lp_spool *spool_of(struct fixture *f, size_t len, char first)
{
	struct lp_spool *spool = lp_spool_open(f->r.scope, f->r.loop, &f->budget);
	struct lp_buf bytes = { 0 };
	struct lp_err e;

	for (size_t i = 0; i < len; i++)
		lp_buf_add_char(&bytes, (char)(first + (char)(i % 23)));
	assert_int_equal(lp_spool_write(spool, lp_buf_span(&bytes), &e), LP_OK);
	lp_spool_end(spool);
	while (!lp_spool_ready(spool))
		real_loop_run_for(&f->r, LP_MSEC);
	lp_buf_clear(&bytes);
	return spool;
}

static void on_done(void *self, const struct lp_err *why)
{
	struct fixture *f = self;

	assert_false(f->done);
	f->done = true;
	f->code = why->code;
}

static enum lp_code write_parcel(struct fixture *f, const char *path, const char *line, struct lp_spool **spools, int n)
{
	f->done = false;
	lp_parcel_write(f->r.scope, &(struct lp_parcel_want){ f->r.loop, path, lp_span(line), spools, n }, on_done, f);
	assert_false(f->done);
	real_loop_run_until(&f->r, &f->done);
	return f->code;
}

static void on_row(void *self, const char *name, struct lp_span line, int64_t size)
{
	struct fixture *f = self;

	f->rows++;
	lp_span_copy(f->name, sizeof(f->name), lp_span(name));
	lp_span_copy(f->line, sizeof(f->line), line);
	f->size = size;
}

static void check_window(struct fixture *f, const char *path, int64_t at, size_t size, char first)
{
	struct lp_scope *scope = lp_scope_open(f->r.scope, "window");
	struct lp_spool *spool = lp_spool_of_file(scope, f->r.loop, &f->files,
						  &(struct lp_spool_place){ path, at, (int64_t)size });
	struct lp_spool_reader *reader = lp_spool_read(scope, spool, NULL, NULL);
	size_t got = 0;

	assert_true(lp_spool_ready(spool));
	while (!lp_spool_at_end(reader)) {
		struct lp_span bytes = lp_spool_peek(reader);

		assert_int_equal(lp_spool_reader_err(reader)->code, LP_OK);
		for (size_t i = 0; i < bytes.len; i++)
			assert_int_equal(bytes.at[i], (char)(first + (char)((got + i) % 23)));
		got += bytes.len;
		lp_spool_consume(reader, bytes.len);
		if (!bytes.len)
			real_loop_run_for(&f->r, LP_MSEC);
	}
	assert_int_equal(got, size);
	lp_scope_close(&scope);
}

static void a_parcel_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	const char *path = temp_dir_file(&f->dir, "job-1");
	struct lp_spool *spools[] = { spool_of(f, 10, 'a'), spool_of(f, 3 * MIB + 7, 'A'), spool_of(f, 0, 'x'),
				      spool_of(f, 70 * 1024, '0') };
	struct stat st;

	assert_int_equal(write_parcel(f, path, "the line", spools, 4), LP_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	lp_parcel_each(f->dir.path, "job-", on_row, f);
	assert_int_equal(f->rows, 1);
	assert_string_equal(f->name, "job-1");
	assert_string_equal(f->line, "the line");
	assert_int_equal(f->size, 9 + 10 + 3 * MIB + 7 + 70 * 1024);
	check_window(f, path, 9, 10, 'a');
	check_window(f, path, 19, 3 * MIB + 7, 'A');
	check_window(f, path, 19 + 3 * MIB + 7, 0, 'x');
	check_window(f, path, 19 + 3 * MIB + 7, 70 * 1024, '0');
}

static void a_line_alone_is_a_parcel_and_a_later_one_takes_its_place(void **state)
{
	struct fixture *f = *state;
	const char *path = temp_dir_file(&f->dir, "job-1");

	assert_int_equal(write_parcel(f, path, "first", NULL, 0), LP_OK);
	assert_int_equal(write_parcel(f, path, "second", NULL, 0), LP_OK);
	lp_parcel_each(f->dir.path, "job-", on_row, f);
	assert_int_equal(f->rows, 1);
	assert_string_equal(f->line, "second");
	assert_int_equal(temp_dir_count(f->dir.path), 1);
}

static void a_scope_that_closes_leaves_the_old_one_or_the_new_one(void **state)
{
	struct fixture *f = *state;
	const char *path = temp_dir_file(&f->dir, "job-1");
	struct lp_spool *spools[] = { spool_of(f, 2 * MIB, 'a') };

	assert_int_equal(write_parcel(f, path, "old", NULL, 0), LP_OK);
	for (int after = 0; after < 12; after++) {
		struct lp_scope *scope = lp_scope_open(f->r.scope, "parcel");

		f->done = false;
		lp_parcel_write(scope, &(struct lp_parcel_want){ f->r.loop, path, LP_SPAN("new"), spools, 1 }, on_done, f);
		real_loop_run_for(&f->r, after * LP_MSEC / 2);
		lp_scope_close(&scope);
		f->done = false;
		for (int ms = 0; ms < 2000 && (!ms || temp_dir_count(f->dir.path) > 1); ms += 20)
			real_loop_run_for(&f->r, 20 * LP_MSEC);	/* a thread may be at it still */
		assert_false(f->done);		/* nobody is told any more */
		f->rows = 0;
		lp_parcel_each(f->dir.path, "job-", on_row, f);
		assert_int_equal(f->rows, 1);
		assert_int_equal(f->size, strcmp(f->line, "old") == 0 ? 4 : 4 + 2 * MIB);
		assert_int_equal(temp_dir_count(f->dir.path), 1);
	}
}

static void what_was_half_written_is_swept_and_what_is_no_parcel_passed_over(void **state)
{
	struct fixture *f = *state;
	const char *const names[] = { "job-2.new", "job-3", "other" };

	for (int i = 0; i < 3; i++)
		close(open(temp_dir_file(&f->dir, names[i]), O_CREAT | O_WRONLY, 0600));
	mkdir(temp_dir_file(&f->dir, "job-4"), 0700);
	lp_parcel_each(f->dir.path, "job-", on_row, f);
	assert_int_equal(f->rows, 0);		/* job-3 is empty: without a line */
	assert_int_equal(temp_dir_count(f->dir.path), 3);
	lp_parcel_each("/nowhere/at/all", "job-", on_row, f);
	assert_int_equal(f->rows, 0);
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write_parcel(f, "/nowhere/at/all/job-1", "line", NULL, 0), LP_STORE);
}

static void a_parcel_that_is_gone_or_cut_breaks_its_reader(void **state)
{
	struct fixture *f = *state;
	const char *path = temp_dir_file(&f->dir, "job-1");

	assert_int_equal(write_parcel(f, path, "short", NULL, 0), LP_OK);
	for (int i = 0; i < 2; i++) {
		struct lp_scope *scope = lp_scope_open(f->r.scope, "window");
		struct lp_spool *spool = lp_spool_of_file(scope, f->r.loop, &f->files,
							  &(struct lp_spool_place){ path, 0, 100 });
		struct lp_spool_reader *reader = lp_spool_read(scope, spool, NULL, NULL);

		while (lp_spool_reader_err(reader)->code == LP_OK && !lp_spool_peek(reader).len)
			real_loop_run_for(&f->r, LP_MSEC);
		assert_int_equal(lp_spool_reader_err(reader)->code, LP_STORE);
		lp_scope_close(&scope);
		lp_parcel_remove(f->r.scope, f->r.loop, path);
		real_loop_run_for(&f->r, 10 * LP_MSEC);
		assert_int_equal(access(path, F_OK), -1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_parcel_comes_back_whole),
		TEST(a_line_alone_is_a_parcel_and_a_later_one_takes_its_place),
		TEST(a_scope_that_closes_leaves_the_old_one_or_the_new_one),
		TEST(what_was_half_written_is_swept_and_what_is_no_parcel_passed_over),
		TEST(a_folder_that_cannot_be_written_is_told),
		TEST(a_parcel_that_is_gone_or_cut_breaks_its_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
