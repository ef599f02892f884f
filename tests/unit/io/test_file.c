#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <lpd/io/file.h>

#include "temp_dir.h"

struct fixture {
	struct lp_scope *scope;
	struct temp_dir dir;
	struct lp_err e;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .scope = lp_scope_open(NULL, "test") };
	temp_dir_make(&f.dir);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->scope);
	temp_dir_remove(&f->dir);
	return 0;
}

static void what_is_written_is_read_and_nothing_else_stays(void **state)
{
	struct fixture *f = *state;
	const char *path = temp_dir_file(&f->dir, "a");
	struct lp_span got;
	struct stat is;

	assert_int_equal(lp_file_write(path, LP_SPAN("one"), 0600, &f->e), LP_OK);
	assert_int_equal(lp_file_write(path, LP_SPAN("two\0three"), 0644, &f->e), LP_OK);
	assert_int_equal(lp_file_read(f->scope, &got, path, 100, &f->e), LP_OK);
	assert_true(lp_span_eq(got, LP_SPAN("two\0three")));
	assert_int_equal(stat(path, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0644);
	assert_int_equal(temp_dir_count(f->dir.path), 1);
}

static void a_big_file_is_read_up_to_its_limit(void **state)
{
	struct fixture *f = *state;
	const char *path = temp_dir_file(&f->dir, "big");
	char *bytes = malloc(300000);
	struct lp_span got;

	for (int i = 0; i < 300000; i++)
		bytes[i] = (char)(i % 251);
	assert_int_equal(lp_file_write(path, lp_span_of(bytes, 300000), 0600, &f->e), LP_OK);
	assert_int_equal(lp_file_read(f->scope, &got, path, 300000, &f->e), LP_OK);
	assert_true(lp_span_eq(got, lp_span_of(bytes, 300000)));
	assert_int_equal(lp_file_read(f->scope, &got, path, 299999, &f->e), LP_TOO_LARGE);
	assert_non_null(strstr(f->e.words, "larger than 299999 bytes"));
	free(bytes);
}

static void an_empty_file_reads_as_nothing(void **state)
{
	struct fixture *f = *state;
	struct lp_span got;

	assert_int_equal(lp_file_write(temp_dir_file(&f->dir, "e"), LP_SPAN(""), 0600, &f->e), LP_OK);
	assert_int_equal(lp_file_read(f->scope, &got, f->dir.file, 0, &f->e), LP_OK);
	assert_int_equal(got.len, 0);
}

static void what_cannot_be_read_or_written_is_said(void **state)
{
	struct fixture *f = *state;
	struct lp_span got;

	assert_int_equal(lp_file_read(f->scope, &got, temp_dir_file(&f->dir, "none"), 9, &f->e), LP_NOT_FOUND);
	assert_non_null(strstr(f->e.words, "none: No such file"));
	assert_int_equal(lp_file_read(f->scope, &got, f->dir.path, 9, &f->e), LP_CONFIG);
	assert_non_null(strstr(f->e.words, "Is a directory"));
	assert_int_not_equal(lp_file_write(temp_dir_file(&f->dir, "none/x"), LP_SPAN("x"), 0600, &f->e), LP_OK);
	assert_int_equal(mkdir(temp_dir_file(&f->dir, "d"), 0700), 0);
	assert_int_equal(lp_file_write(f->dir.file, LP_SPAN("x"), 0600, &f->e), LP_CONFIG);
	assert_int_equal(temp_dir_count(f->dir.path), 1);	/* the temporary file is gone */
}

static void folders_are_made_with_their_parents(void **state)
{
	struct fixture *f = *state;
	struct stat is;

	assert_int_equal(lp_folder_make(temp_dir_file(&f->dir, "a/b/c"), &f->e), LP_OK);
	assert_int_equal(lp_folder_make(f->dir.file, &f->e), LP_OK);
	assert_int_equal(stat(f->dir.file, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0700);
	assert_int_equal(lp_folder_make(temp_dir_file(&f->dir, "a/d/"), &f->e), LP_OK);
	assert_int_equal(lp_file_write(temp_dir_file(&f->dir, "file"), LP_SPAN("x"), 0600, &f->e), LP_OK);
	assert_int_equal(lp_folder_make(f->dir.file, &f->e), LP_CONFIG);
	assert_non_null(strstr(f->e.words, "is no folder"));
	assert_int_equal(lp_folder_make(temp_dir_file(&f->dir, "file/x"), &f->e), LP_CONFIG);
	assert_int_equal(lp_folder_make("", &f->e), LP_CONFIG);
}

static void a_folder_has_one_holder(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *first = lp_scope_open(f->scope, "first");
	char pid[32];

	assert_int_equal(lp_folder_lock(first, f->dir.path, &f->e), LP_OK);
	assert_int_equal(lp_folder_lock(f->scope, f->dir.path, &f->e), LP_CONFIG);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(f->e.words, pid));

	pid_t child = fork();
	if (child == 0)
		_exit(lp_folder_lock(lp_scope_open(NULL, "child"), f->dir.path, NULL) == LP_CONFIG ? 0 : 1);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);

	lp_scope_close(&first);
	assert_int_equal(lp_folder_lock(f->scope, f->dir.path, &f->e), LP_OK);
	assert_int_equal(lp_folder_lock(f->scope, temp_dir_file(&f->dir, "none"), &f->e), LP_CONFIG);
}

static void sweeping_removes_plain_files_of_the_prefix_only(void **state)
{
	static const char *const names[] = { "spool-1", "spool-2", "keep", "spoo" };
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++)
		assert_int_equal(lp_file_write(temp_dir_file(&f->dir, names[i]), LP_SPAN("x"), 0600, &f->e), LP_OK);
	assert_int_equal(mkdir(temp_dir_file(&f->dir, "spool-dir"), 0700), 0);
	lp_folder_sweep(f->dir.path, "spool-");
	assert_int_equal(temp_dir_count(f->dir.path), 3);
	assert_int_equal(access(temp_dir_file(&f->dir, "keep"), F_OK), 0);
	lp_folder_sweep(temp_dir_file(&f->dir, "none"), "spool-");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_and_nothing_else_stays),
		TEST(a_big_file_is_read_up_to_its_limit),
		TEST(an_empty_file_reads_as_nothing),
		TEST(what_cannot_be_read_or_written_is_said),
		TEST(folders_are_made_with_their_parents),
		TEST(a_folder_has_one_holder),
		TEST(sweeping_removes_plain_files_of_the_prefix_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
