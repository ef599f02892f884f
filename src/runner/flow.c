/* Reading the model's file: every record is checked against what the network needs, by name and shape. */
#include "flow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/assert.h>

#include "flow_priv.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the weights are read in place");

#define MAGIC "EMOFLOW1"
#define RECORDS 128

struct record {
	char name[17];
	uint32_t type, rows, cols;
	const float *f;		/* type 0: the numbers; type 1: a scale per row */
	const int8_t *q;
};

struct reader {
	struct lp_span rest;
	struct record at[RECORDS];
	uint32_t n;
	struct lp_err *e;
};

static const struct conv_shape {
	const char *name;
	int out, in, taps;
} conv_shapes[FLOW_CONVS] = {
	[FLOW_D_I] = { "i", 128, 8, 9 },
	[FLOW_D_R1A] = { "r1.a", 128, 128, 9 },
	[FLOW_D_R1B] = { "r1.b", 128, 128, 9 },
	[FLOW_D_U1] = { "u1", 384, 128, 1 },
	[FLOW_D_R2A] = { "r2.a", 96, 96, 9 },
	[FLOW_D_R2B] = { "r2.b", 96, 96, 9 },
	[FLOW_D_U2] = { "u2", 192, 96, 1 },
	[FLOW_D_R3A] = { "r3.a", 48, 48, 9 },
	[FLOW_D_R3B] = { "r3.b", 48, 48, 9 },
	[FLOW_D_O] = { "o", 36, 48, 9 },
};

static enum lp_code bad(struct reader *r, const char *what)
{
	lp_fail(r->e, LP_CONFIG, "the weights of emoji-flow are not usable: %s", what);
	return LP_CONFIG;
}

static bool take(struct reader *r, void *to, size_t n)
{
	if (r->rest.len < n)
		return false;
	memcpy(to, r->rest.at, n);
	r->rest = lp_span_skip(r->rest, n);
	return true;
}

/* n floats where they lie; NULL when there are not so many, or one is no sane number. */
static const float *floats(struct reader *r, uint64_t n)
{
	const float *f = (const float *)(const void *)r->rest.at;

	if (r->rest.len / 4 < n)
		return NULL;
	for (uint64_t i = 0; i < n; i++) {
		if (!(fabsf(f[i]) < 1e6f))
			return NULL;
	}
	r->rest = lp_span_skip(r->rest, (size_t)n * 4);
	return f;
}

static enum lp_code read_record(struct reader *r, struct record *rec)
{
	uint32_t head[3];

	if (!take(r, rec->name, 16) || !take(r, head, sizeof head))
		return bad(r, "the file ends inside a record");
	rec->type = head[0];
	rec->rows = head[1];
	rec->cols = head[2];
	if (rec->type > 1 || rec->rows == 0 || rec->cols == 0 || rec->rows > 65536 || rec->cols > 65536)
		return bad(r, "a record of an unknown kind or size");
	uint64_t cells = (uint64_t)rec->rows * rec->cols, padded = (cells + 3) / 4 * 4;

	rec->f = floats(r, rec->type == 0 ? cells : rec->rows);
	if (!rec->f)
		return bad(r, "numbers are missing or not finite");
	if (rec->type == 0)
		return LP_OK;
	if (r->rest.len < padded)
		return bad(r, "the file ends inside a matrix");
	rec->q = (const int8_t *)(const void *)r->rest.at;
	r->rest = lp_span_skip(r->rest, (size_t)padded);
	return LP_OK;
}

static enum lp_code read_records(struct reader *r)
{
	char magic[8];

	if (!take(r, magic, sizeof magic) || memcmp(magic, MAGIC, sizeof magic) != 0 || !take(r, &r->n, 4))
		return bad(r, "this is no emoji-flow file");
	if (r->n > RECORDS)
		return bad(r, "too many records");
	for (uint32_t i = 0; i < r->n; i++) {
		if (read_record(r, &r->at[i]) != LP_OK)
			return LP_CONFIG;
	}
	return LP_OK;
}

static const struct record *find(const struct reader *r, const char *name, uint32_t type, int rows, int cols)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct record *rec = &r->at[i];

		if (rec->type == type && rec->rows == (uint32_t)rows && rec->cols == (uint32_t)cols &&
		    strcmp(rec->name, name) == 0)
			return rec;
	}
	return NULL;
}

/* Numbers without a matrix: the file may say [n, 1] or [1, n]. */
static enum lp_code bind_floats(struct reader *r, const float **out, const char *name, int n)
{
	const struct record *rec = find(r, name, 0, n, 1);

	if (!rec)
		rec = find(r, name, 0, 1, n);
	if (!rec)
		return bad(r, name);
	*out = rec->f;
	return LP_OK;
}

static enum lp_code bind_matrix(struct reader *r, struct flow_matrix *m, const char *name, int rows, int cols)
{
	char full[17];

	snprintf(full, sizeof full, "%s.w", name);
	const struct record *rec = find(r, full, 1, rows, cols);

	if (!rec)
		return bad(r, full);
	*m = (struct flow_matrix){ .rows = rows, .cols = cols, .scale = rec->f, .q = rec->q };
	snprintf(full, sizeof full, "%s.b", name);
	return bind_floats(r, &m->bias, full, rows);
}

static enum lp_code bind_conv(struct reader *r, struct lp_scope *scope, struct flow_conv *c,
			      const struct conv_shape *shape)
{
	struct flow_matrix m;
	char name[17];
	int width = shape->in * shape->taps;

	snprintf(name, sizeof name, "d.%s", shape->name);
	enum lp_code code = bind_matrix(r, &m, name, shape->out, width);

	if (code != LP_OK)
		return code;
	*c = (struct flow_conv){ .out = shape->out, .in = shape->in, .taps = shape->taps, .bias = m.bias };
	c->w = lp_new_array(scope, float, (size_t)shape->out * (size_t)width);
	for (int o = 0; o < shape->out; o++) {
		for (int i = 0; i < width; i++) {
			size_t to = (size_t)(o / 4) * (size_t)width * 4 + (size_t)i * 4 + (size_t)(o % 4);

			c->w[to] = (float)m.q[(size_t)o * (size_t)width + (size_t)i] * m.scale[o];
		}
	}
	return LP_OK;
}

static enum lp_code bind_network(struct reader *r, struct lp_flow *flow)
{
	enum lp_code code = bind_matrix(r, &flow->c, "c", FLOW_COND, FLOW_IN);

	if (code == LP_OK)
		code = bind_matrix(r, &flow->i, "i", FLOW_HIDDEN, LP_FLOW_LATENT);
	if (code == LP_OK)
		code = bind_matrix(r, &flow->o, "o", LP_FLOW_LATENT, FLOW_HIDDEN);
	for (int k = 0; k < FLOW_BLOCKS && code == LP_OK; k++) {
		char m[3] = { 'm', (char)('0' + k), 0 }, a[3] = { 'a', (char)('0' + k), 0 };
		char b[3] = { 'b', (char)('0' + k), 0 };

		code = bind_matrix(r, &flow->m[k], m, 2 * FLOW_HIDDEN, FLOW_COND);
		if (code == LP_OK)
			code = bind_matrix(r, &flow->a[k], a, FLOW_HIDDEN, FLOW_HIDDEN);
		if (code == LP_OK)
			code = bind_matrix(r, &flow->b[k], b, FLOW_HIDDEN, FLOW_HIDDEN);
	}
	return code;
}

static enum lp_code bind_words(struct reader *r, struct lp_flow *flow)
{
	int rows = flow->n_words + FLOW_PIECES;
	const struct record *rec = find(r, "tok", 1, rows, LP_FLOW_TEXT);
	const float *sd;

	if (!rec)
		return bad(r, "tok does not fit the list of words");
	flow->tok = (struct flow_matrix){ .rows = rows, .cols = LP_FLOW_TEXT, .scale = rec->f, .q = rec->q };
	rec = find(r, "col", 1, FLOW_COLOURS, FLOW_COLOUR);
	if (!rec)
		return bad(r, "col");
	for (int i = 0; i < FLOW_COLOURS * FLOW_COLOUR; i++)
		flow->col[i] = (float)rec->q[i] * rec->f[i / FLOW_COLOUR];
	enum lp_code code = bind_floats(r, &flow->tok_a, "tok_a", rows);

	if (code == LP_OK)
		code = bind_floats(r, &flow->null_text, "null", LP_FLOW_TEXT);
	if (code == LP_OK)
		code = bind_floats(r, &flow->mu, "mu", LP_FLOW_LATENT);
	if (code == LP_OK)
		code = bind_floats(r, &sd, "sd", 1);
	if (code == LP_OK)
		flow->sd = sd[0];
	return code;
}

static int by_text(const void *a, const void *b)
{
	const struct lp_span *x = &((const struct flow_word *)a)->text, *y = &((const struct flow_word *)b)->text;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = n ? memcmp(x->at, y->at, n) : 0;

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* One word a line, in the order of the table's rows. */
static enum lp_code read_words(struct lp_scope *scope, struct lp_flow *flow, struct lp_span tokens, struct lp_err *e)
{
	flow->words = lp_new_array(scope, struct flow_word, FLOW_WORDS);
	while (tokens.len) {
		struct lp_span word = lp_span_cut(&tokens, '\n');

		if (!word.len)
			continue;
		if (flow->n_words == FLOW_WORDS)
			return lp_fail(e, LP_CONFIG, "the list of words of emoji-flow is too long");
		flow->words[flow->n_words] = (struct flow_word){ word, flow->n_words };
		flow->n_words++;
	}
	if (flow->n_words)
		qsort(flow->words, (size_t)flow->n_words, sizeof flow->words[0], by_text);
	return LP_OK;
}

int flow_row(const struct lp_flow *flow, struct lp_span word)
{
	struct flow_word key = { word, 0 };

	if (!flow->n_words)
		return -1;
	const struct flow_word *hit = bsearch(&key, flow->words, (size_t)flow->n_words, sizeof key, by_text);

	return hit ? hit->row : -1;
}

/* Numbers are read where they lie, four bytes at a time: a buffer that begins elsewhere is copied. */
static struct lp_span aligned(struct lp_scope *scope, struct lp_span bytes)
{
	if ((uintptr_t)bytes.at % _Alignof(float) == 0)
		return bytes;
	char *copy = lp_alloc(scope, bytes.len ? bytes.len : 1);

	memcpy(copy, bytes.at, bytes.len);
	return lp_span_of(copy, bytes.len);
}

enum lp_code lp_flow_open(struct lp_scope *scope, struct lp_flow **out, struct lp_span weights,
			  struct lp_span tokens, struct lp_err *e)
{
	struct lp_err spare;
	struct lp_flow *flow = lp_new(scope, struct lp_flow);
	struct reader *r = lp_new(scope, struct reader);

	*out = NULL;
	r->e = e ? e : &spare;
	r->rest = aligned(scope, weights);
	enum lp_code code = read_words(scope, flow, tokens, r->e);

	if (code == LP_OK)
		code = read_records(r);
	if (code == LP_OK)
		code = bind_words(r, flow);
	if (code == LP_OK)
		code = bind_network(r, flow);
	for (int k = 0; k < FLOW_CONVS && code == LP_OK; k++)
		code = bind_conv(r, scope, &flow->conv[k], &conv_shapes[k]);
	if (code != LP_OK)
		return code;
	const int last = FLOW_TIME / 2 - 1;

	for (int i = 0; i <= last; i++)
		flow->frequency[i] = (float)exp(i * log(1000.0) / last);
	flow->run = flow_kernels_pick();
	*out = flow;
	return LP_OK;
}
