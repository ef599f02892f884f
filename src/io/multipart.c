/* multipart/form-data as a stream.
 *
 * A part's content ends at CRLF "--" boundary.  No byte of the boundary is a CR, so when a match fails only
 * its own start can be data and none of its bytes can begin another: bytes held back between two pushes are
 * a count of matched bytes, and are handed out from the delimiter's own text if they were none. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/random.h>
#include <lpd/io/http.h>
#include <lpd/io/multipart.h>

#define BOUNDARY_MAX 70		/* RFC 2046 5.1.1 */
#define HEADERS_MAX 8192
#define PARTS_MAX 64

enum place { PREAMBLE, BEHIND_DELIMITER, HEADERS, DATA, DONE, BAD };

struct lp_multipart {
	struct lp_span delimiter;	/* CRLF -- boundary */
	struct lp_span in;		/* what was pushed, less what was taken */
	enum place place;
	size_t matched;			/* bytes of the delimiter seen and held back */
	size_t lent;			/* as many of them are no content: they ended what came before */
	bool finished;
	int parts;
	size_t behind;			/* characters seen behind a delimiter, padding apart */
	char first_behind;
	struct lp_buf headers;		/* of the part that begins, line by line */
	size_t line;			/* where its last line starts */
	struct lp_scope *scope;
	struct lp_scope *part_scope;	/* the texts in part */
	struct lp_part part;
};

static void clear(void *arg)
{
	struct lp_multipart *m = arg;

	lp_buf_clear(&m->headers);
}

static bool boundary_fits(struct lp_span boundary)
{
	if (!boundary.len || boundary.len > BOUNDARY_MAX)
		return false;
	for (size_t i = 0; i < boundary.len; i++) {
		if (boundary.at[i] < ' ' || boundary.at[i] > '~')
			return false;
	}
	return true;
}

enum lp_code lp_multipart_open(struct lp_scope *scope, struct lp_multipart **out, struct lp_span content_type,
			       struct lp_err *e)
{
	if (!lp_media_is(content_type, "multipart/form-data") && !lp_media_is(content_type, "multipart/mixed"))
		return lp_fail(e, LP_MEDIA_TYPE, "the content type is not multipart/form-data");
	struct lp_span boundary = lp_header_param(scope, content_type, "boundary");
	if (!boundary_fits(boundary))
		return lp_fail(e, LP_MEDIA_TYPE, "the content type has no boundary of 1 to 70 characters");
	struct lp_multipart *m = lp_new(scope, struct lp_multipart);
	m->delimiter = lp_span(lp_fmt(scope, "\r\n--%.*s", LP_ARG(boundary)));
	m->matched = m->lent = 2;	/* the first delimiter may stand at the very start: as if behind a line */
	m->scope = scope;
	lp_defer(scope, clear, m);
	*out = m;
	return LP_OK;
}

void lp_multipart_push(struct lp_multipart *m, struct lp_span bytes)
{
	lp_assert(!m->in.len || m->place == BAD);
	m->in = bytes;
}

void lp_multipart_finish(struct lp_multipart *m)
{
	m->finished = true;
}

static enum lp_part_event bad(struct lp_multipart *m, const char *words, struct lp_err *e)
{
	m->place = BAD;
	lp_fail(e, LP_BAD_REQUEST, "the multipart body is malformed: %s", words);
	return LP_PART_BAD;
}

enum found { NOTHING, BYTES, DELIMITER };

/* Go on with a delimiter that began in an earlier push. */
static enum found match_on(struct lp_multipart *m, struct lp_span *bytes)
{
	while (m->matched < m->delimiter.len) {
		if (!m->in.len)
			return NOTHING;
		if (*m->in.at != m->delimiter.at[m->matched]) {
			*bytes = lp_span_of(m->delimiter.at + m->lent, m->matched - m->lent);
			m->matched = m->lent = 0;
			return BYTES;
		}
		m->in = lp_span_skip(m->in, 1);
		m->matched++;
	}
	m->matched = m->lent = 0;
	return DELIMITER;
}

/* How many bytes at the end of in are a start of the delimiter. */
static size_t started(const struct lp_multipart *m)
{
	size_t most = m->in.len < m->delimiter.len - 1 ? m->in.len : m->delimiter.len - 1;
	const char *end = m->in.at + m->in.len;
	const char *cr = memrchr(end - most, '\r', most);

	if (!cr || memcmp(cr, m->delimiter.at, (size_t)(end - cr)) != 0)
		return 0;
	return (size_t)(end - cr);
}

/* Content up to a delimiter, the delimiter itself, or nothing while more is needed. */
static enum found scan(struct lp_multipart *m, struct lp_span *bytes)
{
	if (m->matched) {
		enum found found = match_on(m, bytes);
		if (found != BYTES || bytes->len)
			return found;
	}
	if (!m->in.len)
		return NOTHING;
	const char *at = memmem(m->in.at, m->in.len, m->delimiter.at, m->delimiter.len);
	if (at == m->in.at) {
		m->in = lp_span_skip(m->in, m->delimiter.len);
		return DELIMITER;
	}
	m->matched = at ? 0 : started(m);
	*bytes = lp_span_of(m->in.at, at ? (size_t)(at - m->in.at) : m->in.len - m->matched);
	m->in = lp_span_skip(m->in, bytes->len + m->matched);
	return bytes->len ? BYTES : NOTHING;
}

/* "--" closes the body; blanks and CRLF begin a part (RFC 2046: padding may stand there). */
static const char *read_behind(struct lp_multipart *m)
{
	while (m->in.len) {
		char c = *m->in.at;

		m->in = lp_span_skip(m->in, 1);
		if (m->behind == 0 && (c == ' ' || c == '\t'))
			continue;
		if (m->behind == 0 && (c == '-' || c == '\r')) {
			m->behind = 1;
			m->first_behind = c;
			continue;
		}
		if (m->behind == 0 || c != (m->first_behind == '-' ? '-' : '\n'))
			return "a boundary is followed by other text";
		m->behind = 0;
		m->place = m->first_behind == '-' ? DONE : HEADERS;
		lp_buf_reset(&m->headers);
		m->line = 0;
		return NULL;
	}
	return NULL;
}

static void take_header(struct lp_multipart *m, struct lp_span line)
{
	struct lp_span value = line;
	struct lp_span name = lp_span_trim(lp_span_cut(&value, ':'));

	value = lp_span_trim(value);
	if (lp_span_is_icase(name, "content-disposition")) {
		m->part.name = lp_header_param(m->part_scope, value, "name");
		m->part.filename = lp_header_param(m->part_scope, value, "filename");
	} else if (lp_span_is_icase(name, "content-type")) {
		m->part.type = lp_span_dup(m->part_scope, value);
	}
}

/* Lines are whole and end in CRLF, the last is empty. */
static const char *take_headers(struct lp_multipart *m)
{
	struct lp_span rest = lp_buf_span(&m->headers);

	m->part = (struct lp_part){ .name = { NULL, 0 } };
	m->part_scope = lp_scope_open(m->scope, "part");
	while (rest.len > 2) {
		struct lp_span line = lp_span_cut(&rest, '\n');

		line.len--;		/* its \r */
		if (*line.at == ' ' || *line.at == '\t' || !memchr(line.at, ':', line.len))
			return "a part has a header line without a colon";
		if (memchr(line.at, '\0', line.len))
			return "a part has a zero byte in its headers";
		take_header(m, line);
	}
	m->place = DATA;
	m->matched = m->lent = 2;	/* without content, the CRLF of the empty line may be the delimiter's */
	return ++m->parts > PARTS_MAX ? "there are more than 64 parts" : NULL;
}

/* Gathers lines until an empty one; *whole tells that it came. */
static const char *read_headers(struct lp_multipart *m, bool *whole)
{
	*whole = false;
	while (m->in.len && !*whole) {
		const char *lf = memchr(m->in.at, '\n', m->in.len);
		size_t n = lf ? (size_t)(lf - m->in.at) + 1 : m->in.len;

		if (m->headers.len + n > HEADERS_MAX)
			return "a part's headers are over 8 KiB";
		lp_buf_add(&m->headers, m->in.at, n);
		m->in = lp_span_skip(m->in, n);
		if (!lf)
			return NULL;
		struct lp_span line = lp_span_skip(lp_buf_span(&m->headers), m->line);
		if (!lp_span_ends(line, "\r\n"))
			return "a part's header line does not end in CRLF";
		*whole = line.len == 2;
		m->line = m->headers.len;
	}
	return *whole ? take_headers(m) : NULL;
}

static enum lp_part_event need(struct lp_multipart *m, struct lp_err *e)
{
	return m->finished ? bad(m, "it ends before its last boundary", e) : LP_PART_NEED;
}

static enum lp_part_event pull_data(struct lp_multipart *m, struct lp_part *part, struct lp_err *e)
{
	struct lp_span bytes;
	enum found found = scan(m, &bytes);

	if (found == NOTHING)
		return need(m, e);
	if (found == DELIMITER)
		m->place = BEHIND_DELIMITER;
	*part = m->part;
	part->data = found == BYTES ? bytes : (struct lp_span){ NULL, 0 };
	return found == BYTES ? LP_PART_DATA : LP_PART_END;
}

enum lp_part_event lp_multipart_pull(struct lp_multipart *m, struct lp_part *part, struct lp_err *e)
{
	struct lp_span skipped;
	const char *wrong = NULL;
	bool whole;

	while (m->in.len || m->place >= DATA) {
		switch (m->place) {
		case PREAMBLE:
			if (scan(m, &skipped) == DELIMITER)
				m->place = BEHIND_DELIMITER;
			break;
		case BEHIND_DELIMITER:
			lp_scope_close(&m->part_scope);
			wrong = read_behind(m);
			break;
		case HEADERS:
			wrong = read_headers(m, &whole);
			if (whole && !wrong) {
				*part = m->part;
				return LP_PART_BEGIN;
			}
			break;
		case DATA:
			return pull_data(m, part, e);
		case DONE:
			m->in.len = 0;		/* an epilogue means nothing */
			return LP_PART_DONE;
		case BAD:
			return bad(m, "it was malformed before", e);
		}
		if (wrong)
			return bad(m, wrong, e);
	}
	return need(m, e);
}

/* ---- the writer ---- */

void lp_multipart_boundary(char to[61])
{
	unsigned char bytes[30];

	lp_random(bytes, sizeof(bytes));
	lp_hex_write(to, bytes, sizeof(bytes));
}

/* As WHATWG HTML has browsers do it. */
static void write_name(struct lp_buf *to, struct lp_span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if (c == '"')
			lp_buf_add_text(to, "%22");
		else if (c == '\r')
			lp_buf_add_text(to, "%0D");
		else if (c == '\n')
			lp_buf_add_text(to, "%0A");
		else
			lp_buf_add_char(to, c);
	}
}

static void write_head(struct lp_buf *to, const char *boundary, struct lp_span name)
{
	lp_buf_add_text(to, "--");
	lp_buf_add_text(to, boundary);
	lp_buf_add_text(to, "\r\nContent-Disposition: form-data; name=\"");
	write_name(to, name);
	lp_buf_add_char(to, '"');
}

void lp_multipart_write_field(struct lp_buf *to, const char *boundary, struct lp_span name, struct lp_span value)
{
	write_head(to, boundary, name);
	lp_buf_add_text(to, "\r\n\r\n");
	lp_buf_add_span(to, value);
	lp_buf_add_text(to, "\r\n");
}

void lp_multipart_write_file(struct lp_buf *to, const char *boundary, struct lp_span name, struct lp_span filename)
{
	write_head(to, boundary, name);
	lp_buf_add_text(to, "; filename=\"");
	write_name(to, filename);
	lp_buf_add_text(to, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
}

void lp_multipart_write_end(struct lp_buf *to, const char *boundary)
{
	lp_buf_add_text(to, "--");
	lp_buf_add_text(to, boundary);
	lp_buf_add_text(to, "--\r\n");
}
