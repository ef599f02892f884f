#include <lpd/base/err.h>

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>

struct row {
	const char *name;
	int status;
	enum lp_fault fault;
	enum lp_next next;
	const char *words;
};

static const struct row rows[LP_CODES] = {
#define X(NAME, code, status, fault, next, words) \
	[LP_##NAME] = { code, status, LP_FAULT_##fault, LP_NEXT_##next, words },
#include <lpd/base/errors.def>
#undef X
};

static const struct row *row_of(enum lp_code code)
{
	lp_assert((unsigned)code < LP_CODES);
	return &rows[code];
}

enum lp_code lp_fail(struct lp_err *e, enum lp_code code, const char *fmt, ...)
{
	if (!e)
		return code;
	va_list args;

	e->code = code;
	va_start(args, fmt);
	vsnprintf(e->words, sizeof(e->words), fmt, args);
	va_end(args);
	for (char *c = e->words; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	return code;
}

const char *lp_code_name(enum lp_code code)
{
	return row_of(code)->name;
}

int lp_code_status(enum lp_code code)
{
	return row_of(code)->status;
}

enum lp_fault lp_code_fault(enum lp_code code)
{
	return row_of(code)->fault;
}

enum lp_next lp_code_next(enum lp_code code)
{
	return row_of(code)->next;
}

const char *lp_code_words(enum lp_code code)
{
	return row_of(code)->words;
}

const char *lp_err_words(const struct lp_err *e)
{
	return e->words[0] ? e->words : lp_code_words(e->code);
}

bool lp_code_find(const char *name, enum lp_code *out)
{
	for (int i = 0; i < LP_CODES; i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		*out = (enum lp_code)i;
		return true;
	}
	return false;
}
