#include "ct2.h"

#include <string.h>

#include <lpd/base/mem.h>

#include "nn.h"

#define VERSION 6
#define FLOATS 0
#define HALVES 4

struct reading {
	struct lp_span rest;
	bool bad;
};

static struct lp_span take(struct reading *r, size_t n)
{
	struct lp_span got = lp_span_of(r->rest.at, n);

	if (r->rest.len < n) {
		r->bad = true;
		return (struct lp_span){ "", 0 };
	}
	r->rest = lp_span_skip(r->rest, n);
	return got;
}

static uint32_t number(struct reading *r, size_t n)
{
	struct lp_span at = take(r, n);
	uint32_t v = 0;

	for (size_t i = 0; i < at.len; i++)
		v |= (uint32_t)(unsigned char)at.at[i] << 8 * i;
	return v;
}

/* A text ends in a zero byte that its length counts. */
static struct lp_span text(struct reading *r)
{
	struct lp_span s = take(r, number(r, 2));

	if (!s.len || s.at[s.len - 1])
		r->bad = true;
	else
		s.len--;
	return s;
}

static void read_tensor(struct reading *r, struct lp_ct2_tensor *t)
{
	*t = (struct lp_ct2_tensor){ .name = text(r) };
	t->n_dims = (int)number(r, 1);
	if (t->n_dims > LP_CT2_DIMS)
		r->bad = true;
	for (int i = 0; i < t->n_dims && !r->bad; i++)
		t->dims[i] = number(r, 4);
	t->type = (int)number(r, 1);
	t->bytes = take(r, number(r, 4));
}

enum lp_code lp_ct2_read(struct lp_ct2 *out, struct lp_span file, struct lp_err *e)
{
	struct reading r = { .rest = file };

	out->n = 0;
	if (number(&r, 4) != VERSION)
		r.bad = true;
	text(&r);
	number(&r, 4);			/* the revision of its kind */
	uint32_t n = number(&r, 4);

	if (n > LP_CT2_TENSORS)
		r.bad = true;
	for (; out->n < (int)n && !r.bad; out->n++)
		read_tensor(&r, &out->at[out->n]);
	return r.bad ? lp_fail(e, LP_BAD_REQUEST, "this is no CTranslate2 file of version 6, or it is damaged") : LP_OK;
}

const struct lp_ct2_tensor *lp_ct2_find(const struct lp_ct2 *ct2, const char *name)
{
	for (int i = 0; i < ct2->n; i++) {
		if (lp_span_is(ct2->at[i].name, name))
			return &ct2->at[i];
	}
	return NULL;
}

float *lp_ct2_floats(struct lp_scope *scope, const struct lp_ct2 *ct2, const char *name, size_t n)
{
	const struct lp_ct2_tensor *t = lp_ct2_find(ct2, name);

	if (!t || (t->type != FLOATS && t->type != HALVES) || t->bytes.len != n * (t->type == FLOATS ? 4 : 2))
		return NULL;
	float *v = lp_new_array(scope, float, n);

	if (t->type == FLOATS) {
		memcpy(v, t->bytes.at, n * 4);
		return v;
	}
	for (size_t i = 0; i < n; i++) {
		uint16_t h;

		memcpy(&h, t->bytes.at + 2 * i, 2);
		v[i] = lp_half(h);
	}
	return v;
}
