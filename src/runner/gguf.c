#include "gguf.h"

#include <string.h>

#include <lpd/base/mem.h>

#include "nn.h"

enum { WHOLE32 = 4, FLOAT32 = 6, TEXT = 8, LIST = 9 };

#define ALIGNMENT 32
#define MEMBERS (1 << 20)	/* of a list */

struct reading {
	struct lp_span file;
	size_t at;
	bool bad;
};

static struct lp_span take(struct reading *r, uint64_t n)
{
	if (r->file.len - r->at < n)
		r->bad = true;
	if (r->bad)
		return (struct lp_span){ "", 0 };
	struct lp_span got = lp_span_of(r->file.at + r->at, (size_t)n);

	r->at += (size_t)n;
	return got;
}

static uint64_t number(struct reading *r, size_t n)
{
	struct lp_span at = take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; i < at.len; i++)
		v |= (uint64_t)(unsigned char)at.at[i] << 8 * i;
	return v;
}

static struct lp_span text(struct reading *r)
{
	return take(r, number(r, 8));
}

/* Bytes of a number of that type; 0: it is none. */
static size_t size_of(unsigned type)
{
	static const unsigned char sizes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

	return type < sizeof sizes ? sizes[type] : 0;
}

static void read_list(struct reading *r, struct lp_gguf_value *v)
{
	v->list = true;
	v->type = (unsigned)number(r, 4);
	v->count = number(r, 8);
	size_t from = r->at;

	if (v->count > MEMBERS || (v->type != TEXT && !size_of(v->type)))
		r->bad = true;
	if (!r->bad && v->type != TEXT)
		take(r, v->count * size_of(v->type));
	for (uint64_t i = 0; i < v->count && v->type == TEXT && !r->bad; i++)
		text(r);
	if (!r->bad)
		v->bytes = lp_span_of(r->file.at + from, r->at - from);
}

static void read_value(struct reading *r, struct lp_gguf_value *v)
{
	*v = (struct lp_gguf_value){ .key = text(r), .count = 1 };
	v->type = (unsigned)number(r, 4);
	if (v->type == LIST)
		read_list(r, v);
	else if (v->type == TEXT)
		v->bytes = text(r);
	else if (size_of(v->type))
		v->bytes = take(r, size_of(v->type));
	else
		r->bad = true;
}

/* Where its numbers begin is told from the end of the heads: kept in dims' place until that is known. */
static uint64_t read_tensor(struct reading *r, struct lp_gguf_tensor *t)
{
	*t = (struct lp_gguf_tensor){ .name = text(r) };
	t->n_dims = (int)number(r, 4);
	if (t->n_dims < 1 || t->n_dims > LP_GGUF_DIMS)
		r->bad = true;
	for (int i = 0; i < t->n_dims && !r->bad; i++)
		t->dims[i] = number(r, 8);
	t->type = (unsigned)number(r, 4);
	return number(r, 8);
}

enum lp_code lp_gguf_read(struct lp_gguf *out, struct lp_span file, struct lp_err *e)
{
	struct reading r = { .file = file };
	uint64_t from[LP_GGUF_TENSORS];
	struct lp_span magic = take(&r, 4);
	uint64_t version = number(&r, 4), tensors = number(&r, 8), values = number(&r, 8);

	out->n_values = out->n_tensors = 0;
	if (!lp_span_is(magic, "GGUF") || version < 2 || version > 3 || tensors > LP_GGUF_TENSORS ||
	    values > LP_GGUF_VALUES)
		r.bad = true;
	for (; !r.bad && out->n_values < (int)values; out->n_values++)
		read_value(&r, &out->values[out->n_values]);
	for (; !r.bad && out->n_tensors < (int)tensors; out->n_tensors++)
		from[out->n_tensors] = read_tensor(&r, &out->tensors[out->n_tensors]);
	size_t begin = (r.at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	for (int i = 0; !r.bad && i < out->n_tensors; i++) {
		if (begin > file.len || from[i] > file.len - begin)
			r.bad = true;
		else
			out->tensors[i].bytes = lp_span_skip(file, begin + (size_t)from[i]);
	}
	return r.bad ? lp_fail(e, LP_BAD_REQUEST, "this is no GGUF file that is known here, or it is damaged") : LP_OK;
}

static const struct lp_gguf_value *find(const struct lp_gguf *g, const char *key)
{
	for (int i = 0; i < g->n_values; i++) {
		if (lp_span_is(g->values[i].key, key))
			return &g->values[i];
	}
	return NULL;
}

bool lp_gguf_whole(const struct lp_gguf *g, const char *key, uint32_t *out)
{
	const struct lp_gguf_value *v = find(g, key);

	if (!v || v->list || v->type != WHOLE32)
		return false;
	memcpy(out, v->bytes.at, 4);
	return true;
}

bool lp_gguf_float(const struct lp_gguf *g, const char *key, float *out)
{
	const struct lp_gguf_value *v = find(g, key);

	if (!v || v->list || v->type != FLOAT32)
		return false;
	memcpy(out, v->bytes.at, 4);
	return true;
}

struct lp_span *lp_gguf_texts(struct lp_scope *scope, const struct lp_gguf *g, const char *key, int *n)
{
	const struct lp_gguf_value *v = find(g, key);

	*n = 0;
	if (!v || !v->list || v->type != TEXT)
		return NULL;
	struct lp_span *to = lp_new_array(scope, struct lp_span, (size_t)v->count + 1);
	struct reading r = { .file = v->bytes };

	for (uint64_t i = 0; i < v->count; i++)
		to[i] = text(&r);
	*n = (int)v->count;
	return to;
}

const uint8_t *lp_gguf_tensor(const struct lp_gguf *g, const struct lp_gguf_want *want)
{
	uint64_t row = want->type == LP_GGUF_F32  ? want->cols * 4 :
		       want->type == LP_GGUF_Q4_1 ? want->cols / 32 * LP_Q4_1_BYTES : want->cols / 32 * LP_Q8_0_BYTES;

	for (int i = 0; i < g->n_tensors; i++) {
		const struct lp_gguf_tensor *t = &g->tensors[i];
		uint64_t rows = t->n_dims > 1 ? t->dims[1] : 1;

		if (!lp_span_is(t->name, want->name))
			continue;
		if (t->type != (unsigned)want->type || t->n_dims > 2 || t->dims[0] != want->cols ||
		    rows != want->rows || t->bytes.len / want->rows < row)
			return NULL;
		return (const uint8_t *)t->bytes.at;
	}
	return NULL;
}
