#include "torch.h"

#include <stdint.h>
#include <string.h>

#include <lpd/base/mem.h>

/* Kinds of storage that the memo can name. */
enum kind { OTHER, FLOATS, WHOLES };

#define MEMO 8192

/* One pickle's opcodes, in order, with what stands in them. */
struct pickle {
	struct lp_span rest;
	bool bad;
	unsigned char op;
	struct lp_span text;		/* of a string, or a class's "module\nname\n" */
	uint32_t index;			/* into the memo */
};

static struct lp_span take(struct pickle *p, size_t n)
{
	struct lp_span got = lp_span_of(p->rest.at, n);

	if (p->rest.len < n) {
		p->bad = true;
		return (struct lp_span){ "", 0 };
	}
	p->rest = lp_span_skip(p->rest, n);
	return got;
}

static uint32_t number(struct pickle *p, size_t n)
{
	struct lp_span at = take(p, n);
	uint32_t v = 0;

	for (size_t i = 0; i < at.len; i++)
		v |= (uint32_t)(unsigned char)at.at[i] << 8 * i;
	return v;
}

/* Up to the n-th line's end. */
static struct lp_span lines(struct pickle *p, int n)
{
	size_t i = 0;

	for (; i < p->rest.len && n; i++)
		n -= p->rest.at[i] == '\n';
	if (n)
		p->bad = true;
	return take(p, i);
}

/* False: the pickle is over, or not one that is known. */
static bool next(struct pickle *p)
{
	struct lp_span op = take(p, 1);

	if (p->bad)
		return false;
	p->op = (unsigned char)*op.at;
	switch (p->op) {
	case '.':
		return false;
	case '(': case ')': case '}': case ']': case 't': case 'R': case 'Q': case 'N': case 'u': case 's': case 'b':
	case 'e': case 'a': case 0x85: case 0x86: case 0x87: case 0x88: case 0x89:
		break;
	case 0x80: case 'K':
		number(p, 1);
		break;
	case 'M':
		number(p, 2);
		break;
	case 'J':
		number(p, 4);
		break;
	case 0x8a:
		take(p, number(p, 1));
		break;
	case 'q': case 'h':
		p->index = number(p, 1);
		break;
	case 'r': case 'j':
		p->index = number(p, 4);
		break;
	case 'X':
		p->text = take(p, number(p, 4));
		break;
	case 'c':
		p->text = lines(p, 2);
		break;
	default:
		p->bad = true;
	}
	return !p->bad;
}

static bool skip_pickles(struct pickle *p, int n)
{
	while (n-- > 0) {
		while (next(p))
			;
	}
	return !p->bad;
}

static bool digits(struct lp_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	}
	return s.len > 0;
}

/* The dictionary of tensors: a name, later the class of its storage and the storage's key. */
static bool read_names(struct pickle *p, struct lp_torch *out)
{
	unsigned char memo[MEMO] = { OTHER };
	struct lp_span name = { "", 0 };
	enum kind kind = OTHER, last = OTHER;

	while (next(p)) {
		if (p->op == 'c') {
			kind = last = lp_span_ends(p->text, "FloatStorage\n") ? FLOATS
				: lp_span_ends(p->text, "LongStorage\n") ? WHOLES : OTHER;
		} else if ((p->op == 'q' || p->op == 'r') && p->index < MEMO) {
			memo[p->index] = (unsigned char)last;
			last = OTHER;
		} else if ((p->op == 'h' || p->op == 'j') && p->index < MEMO) {
			kind = memo[p->index] ? (enum kind)memo[p->index] : kind;
		} else if (p->op == 'X' && digits(p->text)) {
			if (out->n == LP_TORCH_TENSORS || kind == OTHER)
				return false;
			out->at[out->n++] = (struct lp_torch_tensor){ .name = name, .key = p->text,
								      .wide = kind == WHOLES };
		} else if (p->op == 'X') {
			if (!lp_span_is(p->text, "storage") && !lp_span_is(p->text, "cpu"))
				name = p->text;
		}
	}
	return !p->bad;
}

static struct lp_torch_tensor *of_key(struct lp_torch *out, struct lp_span key)
{
	for (int i = 0; i < out->n; i++) {
		if (lp_span_eq(out->at[i].key, key))
			return &out->at[i];
	}
	return NULL;
}

/* The list of keys, then each one's count and numbers in that order. */
static bool read_numbers(struct pickle *p, struct lp_torch *out)
{
	struct lp_torch_tensor *order[LP_TORCH_TENSORS];
	int n = 0;

	while (next(p)) {
		if (p->op != 'X')
			continue;
		if (n == LP_TORCH_TENSORS || !(order[n] = of_key(out, p->text)))
			return false;
		n++;
	}
	for (int i = 0; i < n && !p->bad; i++) {
		uint32_t count = number(p, 4), high = number(p, 4);

		if (high || count > UINT32_C(1) << 28)
			return false;
		order[i]->bytes = take(p, (size_t)count * (order[i]->wide ? 8 : 4));
	}
	return !p->bad;
}

enum lp_code lp_torch_read(struct lp_torch *out, struct lp_span file, struct lp_err *e)
{
	struct pickle p = { .rest = file };

	out->n = 0;
	/* Before the names: a magic number, the version, and what machine wrote it. */
	if (skip_pickles(&p, 3) && read_names(&p, out) && read_numbers(&p, out))
		return LP_OK;
	return lp_fail(e, LP_BAD_REQUEST, "this is no file of PyTorch's old kind, or it is damaged");
}

float *lp_torch_floats(struct lp_scope *scope, const struct lp_torch *torch, const char *name, size_t n)
{
	for (int i = 0; i < torch->n; i++) {
		const struct lp_torch_tensor *t = &torch->at[i];

		if (!lp_span_is(t->name, name))
			continue;
		if (t->wide || t->bytes.len != n * sizeof(float))
			return NULL;
		float *v = lp_new_array(scope, float, n);

		memcpy(v, t->bytes.at, n * sizeof(float));
		return v;
	}
	return NULL;
}
