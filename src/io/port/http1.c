#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "http1.h"

#include <lpd/io/exchange.h>

#include "http_head.h"

/* RFC 9112 3 and 5.1: the names compare without case; made lower here, once. */
static void add_lower(struct lp_buf *to, struct lp_span piece)
{
	char *at = lp_buf_room(to, piece.len);

	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.at[i];

		at[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	lp_buf_grew(to, piece.len);
}

static bool new_field(struct lp_http1_head *head)
{
	if (head->n == LP_HTTP1_FIELDS)
		return false;
	if (head->n == head->cap) {
		head->cap = head->cap ? 2 * head->cap : 16;
		head->fields = lp_mem_grow(head->fields, (size_t)head->cap * sizeof(*head->fields));
	}
	head->fields[head->n++] = (struct lp_header){ 0 };
	return true;
}

enum lp_code lp_http1_head_add(struct lp_http1_head *head, enum lp_http1_part part, struct lp_span piece,
			       size_t limit)
{
	bool fresh = part == LP_HTTP1_NAME && (head->part != LP_HTTP1_NAME || head->n == 0);

	head->bytes += piece.len + (fresh ? 4 : 0);	/* with its colon, blank and line end */
	if (head->bytes > limit)
		return LP_HEADERS_TOO_LARGE;
	if (!head->text.cap)
		lp_buf_room(&head->text, 1024);
	if (fresh && !new_field(head))
		return LP_HEADERS_TOO_LARGE;
	head->part = part;
	switch (part) {
	case LP_HTTP1_TARGET_PART:
		head->target_len += piece.len;
		if (head->target_len > LP_HTTP1_TARGET)
			return LP_URI_TOO_LONG;
		lp_buf_add_span(&head->text, piece);
		break;
	case LP_HTTP1_NAME:
		head->fields[head->n - 1].name.len += piece.len;
		add_lower(&head->text, piece);
		break;
	case LP_HTTP1_VALUE:
		head->fields[head->n - 1].value.len += piece.len;
		lp_buf_add_span(&head->text, piece);
		break;
	}
	return LP_OK;
}

struct lp_headers lp_http1_head_whole(struct lp_http1_head *head, struct lp_span *target)
{
	const char *at = lp_buf_span(&head->text).at;

	*target = lp_span_of(at, head->target_len);
	if (!at)
		return (struct lp_headers){ NULL, 0 };	/* nothing was gathered: most answers have no trailers */
	at += head->target_len;
	for (int i = 0; i < head->n; i++) {
		struct lp_header *field = &head->fields[i];
		size_t value_len = field->value.len;

		field->name.at = at;
		at += field->name.len;
		field->value.at = at;
		field->value = lp_span_trim(field->value);
		at += value_len;
	}
	return (struct lp_headers){ head->fields, head->n };
}

void lp_http1_head_clear(struct lp_http1_head *head)
{
	lp_buf_clear(&head->text);
	lp_mem_free(head->fields);
	*head = (struct lp_http1_head){ 0 };
}

int lp_http1_count(struct lp_headers headers, const char *name, struct lp_span *value)
{
	int count = 0;

	for (int i = 0; i < headers.n; i++) {
		if (!lp_span_is(headers.at[i].name, name))
			continue;
		if (!count++)
			*value = headers.at[i].value;
	}
	return count;
}

const char *lp_http1_bad_framing(struct lp_headers headers, bool http10)
{
	struct lp_span encoding = { 0 }, length = { 0 };
	int encodings = lp_http1_count(headers, "transfer-encoding", &encoding);
	int lengths = lp_http1_count(headers, "content-length", &length);
	uint64_t n;

	/* RFC 9112 6.1 and 6.3: whoever sends both, or several, means two parties to disagree. */
	if (encodings && lengths)
		return "both Content-Length and Transfer-Encoding";
	if (encodings > 1 || (encodings && !lp_span_is_icase(encoding, "chunked")))
		return "a Transfer-Encoding other than chunked";
	if (encodings && http10)
		return "Transfer-Encoding in HTTP/1.0";
	if (lengths > 1)
		return "several Content-Length fields";
	if (lengths && (!lp_span_u64(length, &n) || n > INT64_MAX))
		return "a Content-Length that is no number";
	return NULL;
}

void lp_http1_write_error(struct lp_buf *out, struct lp_span date, const struct lp_err *e)
{
	struct lp_buf body = { 0 };
	int status = lp_code_status(e->code);

	lp_error_json(&body, e);
	lp_http_status_line(out, status);
	if (date.len)
		lp_http_field(out, LP_SPAN("date"), date);
	lp_http_field(out, LP_SPAN("content-type"), LP_SPAN("application/json"));
	lp_http_field_number(out, "content-length", body.len);
	if (status == 503 || status == 429)
		lp_buf_add_text(out, "retry-after: 1\r\n");
	lp_buf_add_text(out, "connection: close\r\n\r\n");
	lp_buf_add_span(out, lp_buf_span(&body));
	lp_buf_clear(&body);
}

bool lp_http1_has_word(struct lp_headers headers, const char *name, const char *word)
{
	for (int i = 0; i < headers.n; i++) {
		if (!lp_span_is(headers.at[i].name, name))
			continue;
		struct lp_span rest = headers.at[i].value;

		while (rest.at) {
			struct lp_span one = lp_span_trim(lp_span_cut(&rest, ','));

			if (lp_span_is_icase(one, word))
				return true;
		}
	}
	return false;
}
