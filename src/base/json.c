#include <lpd/base/json.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "json_read.h"

enum { MAX_DEPTH = 64 };

/* The longest request of use, 4096 messages of three values each, stays far below.  Without a bound a body of the
 * size that is allowed, made of "{}," alone, takes 75 times its size in memory. */
enum { MAX_VALUES = 100000 };

static void drop(void *json)
{
	json_decref(json);
}

json_t *lp_json_keep(struct lp_scope *scope, json_t *json)
{
	lp_assert(json);
	lp_defer(scope, drop, json);
	return json;
}

/* jansson recurses, and its own bound is 2048 frames.  Counted before it runs; malformed text may be
 * counted wrongly, but never too low while the parser would still go deeper. */
static bool too_deep(struct lp_span text)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			i += c == '\\';
		else if ((c == '[' || c == '{') && ++depth > MAX_DEPTH)
			return true;
		else if (c == ']' || c == '}')
			depth--;
	}
	return false;
}

/* Does a value begin behind this byte?  (Blanks in an empty pair count as one.) */
static bool before_value(struct lp_span text, size_t i)
{
	char c = text.at[i], next = i + 1 < text.len ? text.at[i + 1] : '\0';

	return c == ',' || (c == '[' && next != ']') || (c == '{' && next != '}');
}

/* Values are counted by what stands before them; keys come with theirs.  A text that is too short to hold so many
 * (two bytes each) is not walked at all. */
static bool too_many(struct lp_span text)
{
	int values = 1;
	bool quoted = false;

	if (text.len < 2 * MAX_VALUES)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			i += c == '\\';
		else if (before_value(text, i) && ++values > MAX_VALUES)
			return true;
	}
	return false;
}

enum lp_code lp_json_parse(struct lp_scope *scope, json_t **out, struct lp_span text, struct lp_err *e)
{
	json_error_t error;
	json_t *json;

	*out = NULL;
	if (too_many(text))
		return lp_fail(e, LP_BAD_REQUEST, "the JSON holds more than %d values", MAX_VALUES);
	json = lp_json_read(text, MAX_DEPTH);
	if (json) {
		*out = lp_json_keep(scope, json);
		return LP_OK;
	}
	/* jansson overlooks a zero byte behind a number. */
	if (text.len > 0 && memchr(text.at, 0, text.len))
		return lp_fail(e, LP_BAD_REQUEST, "the JSON is malformed: it holds a zero byte");
	if (too_deep(text))
		return lp_fail(e, LP_BAD_REQUEST, "the JSON is nested deeper than %d", MAX_DEPTH);
	json = json_loadb(text.len ? text.at : "", text.len, JSON_DECODE_ANY, &error);
	if (!json)
		return lp_fail(e, LP_BAD_REQUEST, "the JSON is malformed: %s (line %d, column %d)", error.text,
			       error.line, error.column);
	*out = lp_json_keep(scope, json);
	return LP_OK;
}

json_t *lp_json_get(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!value && json_is_object(object)) {
		/* jansson's iterator wants a non-const object, though it changes nothing. */
		json_t *walked = (json_t *)(uintptr_t)object;
		for (void *at = json_object_iter(walked); at; at = json_object_iter_next(walked, at)) {
			if (strcasecmp(json_object_iter_key(at), key) == 0)
				value = json_object_iter_value(at);
		}
	}
	return json_is_null(value) ? NULL : value;
}

struct lp_span lp_json_str(const json_t *object, const char *key)
{
	const json_t *value = lp_json_get(object, key);

	if (!json_is_string(value))
		return (struct lp_span){ NULL, 0 };
	return lp_span_of(json_string_value(value), json_string_length(value));
}

/* 1 for the bytes that may not stand in a string as they are; 2 for those that may begin a longer escape
 * (U+2028 and U+2029 begin with E2) or must be checked to be UTF-8. */
static int specialness(unsigned char c)
{
	if (c >= 0x80)
		return 2;
	return c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

static void write_special(struct lp_buf *to, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", named[] = "\"\\bfnrt";
	const char *found = c ? strchr(plain, c) : NULL;

	if (found) {
		lp_buf_add_char(to, '\\');
		lp_buf_add_char(to, named[found - plain]);
	} else {
		lp_buf_fmt(to, "\\u%04x", c);
	}
}

/* A multi-byte character at the front of text; what is no UTF-8 becomes U+FFFD byte by byte.  Returns its
 * length. */
static size_t write_wide(struct lp_buf *to, struct lp_span text)
{
	unsigned char c = (unsigned char)text.at[0];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	if (n > text.len || !lp_utf8_valid(lp_span_of(text.at, n))) {
		lp_buf_add_text(to, "\\ufffd");
		return 1;
	}
	if (n == 3 && memcmp(text.at, "\xe2\x80\xa8", 3) == 0)
		lp_buf_add_text(to, "\\u2028");
	else if (n == 3 && memcmp(text.at, "\xe2\x80\xa9", 3) == 0)
		lp_buf_add_text(to, "\\u2029");
	else
		lp_buf_add(to, text.at, n);
	return n;
}

void lp_json_write_str(struct lp_buf *to, struct lp_span text)
{
	size_t at = 0;

	lp_buf_add_char(to, '"');
	while (at < text.len) {
		size_t run = at;
		while (run < text.len && !specialness((unsigned char)text.at[run]))
			run++;
		lp_buf_add(to, text.at + at, run - at);
		at = run;
		if (at == text.len)
			break;
		if (specialness((unsigned char)text.at[at]) == 1)
			write_special(to, (unsigned char)text.at[at++]);
		else
			at += write_wide(to, lp_span_skip(text, at));
	}
	lp_buf_add_char(to, '"');
}

/* The fewest digits that read back as the same number, and the exponent of the first one. */
static size_t shortest_digits(double n, char digits[20], int *exponent)
{
	char text[40];

	/* Numbers of up to 15 digits come back unharmed, so there is no need to try fewer; but the tiniest have
	 * not even 15. */
	for (int precision = n < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, n);
		if (strtod(text, NULL) == n)
			break;
	}
	size_t len = 0;
	const char *at = text;
	for (; *at && *at != 'e'; at++) {
		if (*at >= '0' && *at <= '9')
			digits[len++] = *at;
	}
	*exponent = *at ? (int)strtol(at + 1, NULL, 10) : 0;
	while (len > 1 && digits[len - 1] == '0')
		len--;
	return len;
}

/* As Go's encoder: plain digits between 1e-6 and 1e21, an exponent without leading zeros beyond. */
static void write_real(struct lp_buf *to, double n)
{
	char digits[20];
	int exponent;

	if (n < 0 || (n == 0 && signbit(n)))
		lp_buf_add_char(to, '-');
	n = fabs(n);
	size_t len = shortest_digits(n, digits, &exponent);
	if (n != 0 && (n < 1e-6 || n >= 1e21)) {
		lp_buf_add_char(to, digits[0]);
		if (len > 1)
			lp_buf_add_char(to, '.');
		lp_buf_add(to, digits + 1, len - 1);
		lp_buf_fmt(to, "e%+d", exponent);
		return;
	}
	if (exponent < 0)
		lp_buf_add_text(to, "0.");
	for (int i = -1; i > exponent; i--)
		lp_buf_add_char(to, '0');
	int point = exponent < 0 ? -1 : exponent + 1;	/* before which digit it stands */
	for (int i = 0; i < (int)len || i < point; i++) {
		if (i == point)
			lp_buf_add_char(to, '.');
		lp_buf_add_char(to, i < (int)len ? digits[i] : '0');
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(struct lp_buf *to, json_t *object)
{
	size_t n = json_object_size(object), i = 0;
	const char **keys = lp_mem_zeroed(n, sizeof(*keys));

	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
		keys[i++] = json_object_iter_key(at);
	qsort(keys, n, sizeof(*keys), by_text);
	lp_buf_add_char(to, '{');
	for (i = 0; i < n; i++) {
		if (i > 0)
			lp_buf_add_char(to, ',');
		lp_json_write_str(to, lp_span(keys[i]));
		lp_buf_add_char(to, ':');
		lp_json_write(to, json_object_get(object, keys[i]));
	}
	lp_buf_add_char(to, '}');
	lp_mem_free(keys);
}

static void write_array(struct lp_buf *to, const json_t *array)
{
	lp_buf_add_char(to, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			lp_buf_add_char(to, ',');
		lp_json_write(to, json_array_get(array, i));
	}
	lp_buf_add_char(to, ']');
}

void lp_json_write(struct lp_buf *to, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		write_object(to, (json_t *)(uintptr_t)json);
		break;
	case JSON_ARRAY:
		write_array(to, json);
		break;
	case JSON_STRING:
		lp_json_write_str(to, lp_span_of(json_string_value(json), json_string_length(json)));
		break;
	case JSON_INTEGER:
		lp_buf_fmt(to, "%lld", (long long)json_integer_value(json));
		break;
	case JSON_REAL:
		write_real(to, json_real_value(json));
		break;
	case JSON_TRUE:
		lp_buf_add_text(to, "true");
		break;
	case JSON_FALSE:
		lp_buf_add_text(to, "false");
		break;
	case JSON_NULL:
		lp_buf_add_text(to, "null");
		break;
	}
}
