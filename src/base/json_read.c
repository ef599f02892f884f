/* A quick reader for JSON as it is usually written: requests are read once per node, and jansson's own lexer takes
 * a hundred instructions a byte.  Whatever is unusual or wrong it leaves alone (NULL): jansson then reads the text
 * from the start and has the last word, also on what is an error and where. */
#include "json_read.h"

#include <string.h>

#include <lpd/base/jsonscan.h>
#include <lpd/base/mem.h>

#define DIGITS 18	/* that fit into a json_int_t whatever they are */

struct reader {
	const char *at, *end;
	int deeper;		/* levels that may still be opened */
};

static json_t *read_value(struct reader *r);

static char next(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
		r->at++;
	return r->at < r->end ? *r->at : '\0';
}

static bool take(struct reader *r, char c)
{
	if (next(r) != c)
		return false;
	r->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* From quote to quote.  False: it has a control character, \u (whose rules are jansson's own) or no end. */
static bool take_string(struct reader *r, struct lp_span *inside, bool *escaped)
{
	const char *from;

	*escaped = false;
	if (!take(r, '"'))
		return false;
	for (from = r->at; r->at < r->end && *r->at != '"'; r->at++) {
		if ((unsigned char)*r->at < ' ')
			return false;
		if (*r->at != '\\')
			continue;
		*escaped = true;
		if (++r->at == r->end || *r->at == 'u')
			return false;
	}
	*inside = lp_span_of(from, (size_t)(r->at - from));
	return take(r, '"');
}

/* jansson refuses what is no UTF-8, and then so do we. */
static json_t *read_string(struct reader *r)
{
	struct lp_span inside;
	bool escaped;

	if (!take_string(r, &inside, &escaped))
		return NULL;
	if (!escaped)
		return json_stringn(inside.at, inside.len);
	struct lp_jval quoted = { LP_J_STRING, lp_span_of(inside.at - 1, inside.len + 2) };
	char *text = lp_mem_get(inside.len);
	size_t len;
	json_t *string = lp_jscan_unescape(quoted, text, inside.len, &len) ? json_stringn(text, len) : NULL;

	lp_mem_free(text);
	return string;
}

static json_t *read_number(struct reader *r)
{
	const char *from = r->at;
	json_int_t n = 0;

	r->at += *from == '-';
	const char *digits = r->at;
	for (; r->at < r->end && is_digit(*r->at) && r->at - digits < DIGITS; r->at++)
		n = 10 * n + (*r->at - '0');
	bool plain = r->at > digits && (*digits != '0' || r->at == digits + 1);
	const char *whole = r->at;

	while (r->at < r->end && *r->at && strchr("0123456789+-.eE", *r->at))
		r->at++;
	if (plain && r->at == whole)
		return json_integer(*from == '-' ? -n : n);
	return json_loadb(from, (size_t)(r->at - from), JSON_DECODE_ANY, NULL);
}

static json_t *read_word(struct reader *r, const char *word, json_t *value)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return NULL;
	r->at += len;
	return value;
}

static bool read_members(struct reader *r, json_t *object)
{
	struct lp_span key;
	bool escaped;

	if (take(r, '}'))
		return true;
	do {
		if (!take_string(r, &key, &escaped) || escaped || !take(r, ':'))
			return false;
		json_t *value = read_value(r);
		if (!value || json_object_setn_new(object, key.at, key.len, value) != 0)
			return false;
	} while (take(r, ','));
	return take(r, '}');
}

static bool read_elements(struct reader *r, json_t *array)
{
	if (take(r, ']'))
		return true;
	do {
		json_t *value = read_value(r);
		if (!value || json_array_append_new(array, value) != 0)
			return false;
	} while (take(r, ','));
	return take(r, ']');
}

static json_t *read_level(struct reader *r)
{
	bool object = *r->at++ == '{';
	json_t *level = r->deeper-- > 0 ? object ? json_object() : json_array() : NULL;

	if (level && !(object ? read_members(r, level) : read_elements(r, level))) {
		json_decref(level);
		return NULL;
	}
	r->deeper++;
	return level;
}

static json_t *read_value(struct reader *r)
{
	switch (next(r)) {
	case '{':
	case '[':
		return read_level(r);
	case '"':
		return read_string(r);
	case 't':
		return read_word(r, "true", json_true());
	case 'f':
		return read_word(r, "false", json_false());
	case 'n':
		return read_word(r, "null", json_null());
	default:
		return r->at < r->end && (is_digit(*r->at) || *r->at == '-') ? read_number(r) : NULL;
	}
}

json_t *lp_json_read(struct lp_span text, int depth)
{
	struct reader r = { .at = text.at, .end = text.len ? text.at + text.len : text.at, .deeper = depth };
	json_t *json = text.len ? read_value(&r) : NULL;

	next(&r);
	if (!json || r.at == r.end)
		return json;
	json_decref(json);
	return NULL;
}
