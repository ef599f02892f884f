#include <lpd/market/answer.h>

#include <ctype.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/jsonscan.h>

#define SKELETON_MAX (1 << 20)
#define URL_MAX 8192
#define HEAD_MAX 128 /* of a data URL: "data:image/png;base64," */
#define SLICE (48 * 1024)
#define DEPTH_MAX 32

/* What is expected next. */
enum state {
	VALUE,
	VALUE_OR_END, /* after [ */
	KEY,
	KEY_OR_END, /* after { */
	COLON,
	AFTER, /* after a value: comma or closing bracket */
	IN_KEY,
	IN_TEXT,
	IN_WORD, /* a number, true, false, null */
	IN_URL,  /* a medium's string, of which it is not known yet whether it holds the data */
	IN_DATA,
	END, /* only blanks may follow */
	BROKEN,
};

struct level {
	char closer;
	bool media; /* inside images, audio or frames */
};

struct lp_answer {
	struct lp_scope *scope;
	struct lp_span in;
	bool finished;
	enum state state;
	enum lp_answer_event event; /* set by a step that returns true */
	struct lp_err err;

	struct level levels[DEPTH_MAX];
	int depth;
	char key[8]; /* the last one; longer ones do not matter */
	size_t key_len;
	bool escaped; /* the byte before was a backslash that counts: in keys and text */

	struct lp_buf skeleton;
	size_t cuts[LP_ANSWER_MEDIA_MAX]; /* where in the skeleton the URL of each medium stands */
	size_t word;                      /* where the current word begins there */
	int media;

	int escape; /* in URLs and data: how many bytes of an escape have come */
	unsigned code;
	char *url;
	size_t url_len;

	char quad[4]; /* base64 that waits for its fourth character */
	size_t quad_len;
	bool padded; /* nothing may follow */
	bool some;   /* a byte has been decoded */
	struct lp_buf slice; /* decoded in this step */
};

static void free_buffers(void *arg)
{
	struct lp_answer *a = arg;

	lp_buf_clear(&a->skeleton);
	lp_buf_clear(&a->slice);
}

struct lp_answer *lp_answer_open(struct lp_scope *scope)
{
	struct lp_answer *a = lp_new(scope, struct lp_answer);

	a->scope = scope;
	lp_defer(scope, free_buffers, a);
	return a;
}

void lp_answer_push(struct lp_answer *a, struct lp_span bytes)
{
	lp_assert(!a->in.len && !a->finished);
	a->in = bytes;
}

void lp_answer_finish(struct lp_answer *a)
{
	a->finished = true;
}

int lp_answer_media(const struct lp_answer *a)
{
	return a->media;
}

struct lp_span lp_answer_text(const struct lp_answer *a, int i)
{
	struct lp_span all = lp_buf_span(&a->skeleton);

	lp_assert(i >= 0 && i <= a->media);
	size_t from = i > 0 ? a->cuts[i - 1] : 0;
	size_t to = i < a->media ? a->cuts[i] : all.len;

	return lp_span_of(all.at + from, to - from);
}

static bool tell(struct lp_answer *a, enum lp_answer_event event)
{
	a->event = event;
	return true;
}

static bool broken(struct lp_answer *a, const char *words)
{
	a->state = BROKEN;
	(void)lp_fail(&a->err, LP_BAD_PEER, "the answer cannot be read: %s", words);
	return tell(a, LP_ANSWER_BAD);
}

/* Move n bytes of the input to the skeleton, whose bound the caller of all steps checks. */
static void keep(struct lp_answer *a, size_t n)
{
	lp_buf_add(&a->skeleton, a->in.at, n);
	a->in = lp_span_skip(a->in, n);
}

/* A value ended; without a bracket around it, it was all. */
static void after_value(struct lp_answer *a)
{
	a->state = a->depth ? AFTER : END;
}

static bool inside_media(const struct lp_answer *a)
{
	return a->depth > 0 && a->levels[a->depth - 1].media;
}

static bool key_is(const struct lp_answer *a, const char *key)
{
	return a->key_len == strlen(key) && memcmp(a->key, key, a->key_len) == 0;
}

/* The value that begins now is a member of an object, so the key is its own. */
static bool is_member(const struct lp_answer *a)
{
	return a->depth > 0 && a->levels[a->depth - 1].closer == '}';
}

static bool open_level(struct lp_answer *a, char c)
{
	if (a->depth == DEPTH_MAX)
		return broken(a, "it is nested too deep");
	bool names_media = a->depth == 1 && is_member(a) &&
			   (key_is(a, "images") || key_is(a, "audio") || key_is(a, "frames"));
	struct level level = { c == '{' ? '}' : ']', names_media || inside_media(a) };

	a->levels[a->depth++] = level;
	a->state = c == '{' ? KEY_OR_END : VALUE_OR_END;
	keep(a, 1);
	return false;
}

static void close_level(struct lp_answer *a)
{
	a->depth--;
	after_value(a);
	keep(a, 1);
}

static bool begin_text(struct lp_answer *a)
{
	bool medium = inside_media(a) && is_member(a) && key_is(a, "url");

	keep(a, 1);
	a->state = IN_TEXT;
	if (!medium)
		return false;
	if (a->media == LP_ANSWER_MEDIA_MAX)
		return broken(a, "it holds too many media");
	if (!a->url)
		a->url = lp_alloc(a->scope, URL_MAX);
	a->url_len = 0;
	a->cuts[a->media++] = a->skeleton.len;
	a->state = IN_URL;
	return false;
}

static bool begin_value(struct lp_answer *a, char c)
{
	if (c == '"')
		return begin_text(a);
	if (c == '{' || c == '[')
		return open_level(a, c);
	if (!isalnum((unsigned char)c) && c != '-')
		return broken(a, "a value is missing");
	a->word = a->skeleton.len;
	a->state = IN_WORD;
	return false;
}

static void begin_key(struct lp_answer *a)
{
	a->key_len = 0;
	a->state = IN_KEY;
	keep(a, 1);
}

/* Between values: one byte at a time, blanks dropped. */
static bool step_between(struct lp_answer *a)
{
	char c = a->in.at[0];
	bool closes = a->depth && c == a->levels[a->depth - 1].closer;

	if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
		a->in = lp_span_skip(a->in, 1);
		return false;
	}
	if (closes && (a->state == AFTER || a->state == VALUE_OR_END || a->state == KEY_OR_END)) {
		close_level(a);
	} else if (a->state == VALUE || a->state == VALUE_OR_END) {
		return begin_value(a, c);
	} else if ((a->state == KEY || a->state == KEY_OR_END) && c == '"') {
		begin_key(a);
	} else if (a->state == COLON && c == ':') {
		keep(a, 1);
		a->state = VALUE;
	} else if (a->state == AFTER && c == ',') {
		a->state = a->levels[a->depth - 1].closer == '}' ? KEY : VALUE;
		keep(a, 1);
	} else {
		return broken(a,
			      a->state == END ? "something follows it" : "its JSON is malformed");
	}
	return false;
}

static void add_to_key(struct lp_answer *a, struct lp_span bytes)
{
	if (a->key_len + bytes.len > sizeof a->key)
		a->key_len = sizeof a->key + 1; /* like none that we know */
	else if (bytes.len)
		memcpy(a->key + a->key_len, bytes.at, bytes.len);
	a->key_len = a->key_len > sizeof a->key ? a->key_len : a->key_len + bytes.len;
}

/* Inside a key or a text that is kept: up to its quote. */
static bool step_text(struct lp_answer *a)
{
	bool key = a->state == IN_KEY;

	if (a->escaped) { /* whatever follows a backslash ends nothing */
		a->escaped = false;
		a->key_len = sizeof a->key + 1;
		keep(a, 1);
		return false;
	}
	size_t run = 0, window = a->in.len < SLICE ? a->in.len : SLICE;

	while (run < window && a->in.at[run] != '"' && a->in.at[run] != '\\')
		run++;
	if (key)
		add_to_key(a, lp_span_of(a->in.at, run));
	if (run < window && a->in.at[run] == '\\')
		a->escaped = true;
	else if (run < window && key)
		a->state = COLON;
	else if (run < window)
		after_value(a);
	keep(a, run < window ? run + 1 : run);
	return false;
}

static bool end_word(struct lp_answer *a)
{
	enum lp_jkind kind = lp_jscan(lp_span_skip(lp_buf_span(&a->skeleton), a->word)).kind;

	if (kind != LP_J_NUMBER && kind != LP_J_BOOL && kind != LP_J_NULL)
		return broken(a, "its JSON is malformed");
	after_value(a);
	return false;
}

static bool step_word(struct lp_answer *a)
{
	size_t n = 0;

	while (n < a->in.len &&
	       (isalnum((unsigned char)a->in.at[n]) || strchr("+-.", a->in.at[n])) && a->in.at[n])
		n++;
	bool ends = n < a->in.len;

	keep(a, n);
	return ends && end_word(a);
}

enum taken { NOTHING, CHARACTER, QUOTE, NONSENSE };

/* The byte behind a backslash, and the four digits behind \u. */
static enum taken take_escaped(struct lp_answer *a, char c, char *out)
{
	if (a->escape == 1) {
		a->escape = c == 'u' ? 2 : 0;
		a->code = 0;
		if (a->escape)
			return NOTHING;
		return c == '/' || c == '"' || c == '\\' ? CHARACTER : NONSENSE;
	}
	int digit = lp_hex_digit(c);

	if (digit < 0)
		return NONSENSE;
	a->code = a->code << 4 | (unsigned)digit;
	a->escape = a->escape == 5 ? 0 : a->escape + 1;
	if (a->escape)
		return NOTHING;
	*out = (char)a->code;
	return a->code > 0x20 && a->code < 0x7f ? CHARACTER : NONSENSE;
}

/* One byte of a medium's string, escapes taken off: \/ is common, Go writes & as \u0026, others +
 * as \u002b. What is not printable ASCII has no place in a URL. */
static enum taken take_byte(struct lp_answer *a, char c, char *out)
{
	if (a->escape == 0 && c == '"')
		return QUOTE;
	if ((unsigned char)c <= 0x20 || (unsigned char)c >= 0x7f)
		return NONSENSE;
	*out = c;
	if (a->escape)
		return take_escaped(a, c, out);
	a->escape = c == '\\';
	return a->escape ? NOTHING : CHARACTER;
}

/* type/subtype, in the letters that such names have. */
static bool is_media_type(struct lp_span type)
{
	const char *slash = type.len ? memchr(type.at, '/', type.len) : NULL;

	if (!slash || slash == type.at || slash == type.at + type.len - 1)
		return false;
	for (const char *c = type.at; c < type.at + type.len; c++) {
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '+' && *c != '.' &&
		    c != slash)
			return false;
	}
	return true;
}

/* "data:<type>;base64," has come: only this form is taken, as the network writes no other. */
static bool begin_data(struct lp_answer *a, struct lp_answer_item *item)
{
	struct lp_span head = lp_span_skip(lp_span_of(a->url, a->url_len), sizeof "data:" - 1);

	if (!lp_span_ends(head, ";base64,"))
		return broken(a, "its data URL is not base64");
	item->type = lp_span_of(head.at, head.len - (sizeof ";base64," - 1));
	if (!is_media_type(item->type))
		return broken(a, "its data URL has no type");
	a->quad_len = 0;
	a->padded = a->some = false;
	a->state = IN_DATA;
	item->index = a->media - 1;
	return tell(a, LP_ANSWER_MEDIA);
}

static bool end_url(struct lp_answer *a, struct lp_answer_item *item)
{
	if (!a->url_len)
		return broken(a, "a medium has no URL");
	keep(a, 1);
	a->state = AFTER;
	item->index = a->media - 1;
	item->url = lp_span_of(a->url, a->url_len);
	return tell(a, LP_ANSWER_URL);
}

static bool step_url(struct lp_answer *a, struct lp_answer_item *item)
{
	while (a->in.len) {
		char c;
		enum taken taken = take_byte(a, a->in.at[0], &c);
		bool data = a->url_len >= 5 && memcmp(a->url, "data:", 5) == 0;

		if (taken == NONSENSE || (taken == QUOTE && data))
			return broken(a, "a medium's URL is malformed");
		if (taken == QUOTE)
			return end_url(a, item);
		a->in = lp_span_skip(a->in, 1);
		if (taken == NOTHING)
			continue;
		if (a->url_len == (data ? HEAD_MAX : URL_MAX))
			return broken(a, "a medium's URL is too long");
		a->url[a->url_len++] = c;
		if (data && c == ',')
			return begin_data(a, item);
	}
	return false;
}

/* Whole quads; the last may be padded, and then it was the last of all. */
static bool decode_quads(struct lp_answer *a, struct lp_span text)
{
	size_t made;

	if (!text.len)
		return true;
	char *to = lp_buf_room(&a->slice, text.len / 4 * 3);
	if (a->padded || !lp_b64_read(to, &made, text))
		return false;
	a->padded = text.at[text.len - 1] == '=';
	lp_buf_grew(&a->slice, made);
	a->some = true;
	return true;
}

/* Characters of base64 that came together; up to three wait for those to come. */
static bool decode(struct lp_answer *a, struct lp_span text)
{
	while (text.len && a->quad_len) {
		a->quad[a->quad_len++] = text.at[0];
		text = lp_span_skip(text, 1);
		if (a->quad_len < sizeof a->quad)
			continue;
		a->quad_len = 0;
		if (!decode_quads(a, lp_span_of(a->quad, sizeof a->quad)))
			return false;
	}
	size_t whole = text.len / 4 * 4;

	if (!decode_quads(a, lp_span_of(text.at, whole)))
		return false;
	text = lp_span_skip(text, whole);
	for (; text.len; text = lp_span_skip(text, 1))
		a->quad[a->quad_len++] = text.at[0];
	return true;
}

/* Bytes of the data's string up to its quote, at most as many as fill a slice.  Each is looked at
 * once for the quote and once for a backslash, however many backslashes there are. */
static bool decode_part(struct lp_answer *a, size_t part)
{
	while (part > 0) {
		const char *slash = a->escape ? a->in.at : memchr(a->in.at, '\\', part);
		size_t run = slash ? (size_t)(slash - a->in.at) : part;
		char c;

		if (!decode(a, lp_span_of(a->in.at, run)))
			return false;
		a->in = lp_span_skip(a->in, run);
		part -= run;
		if (!slash)
			continue;
		enum taken taken = take_byte(a, a->in.at[0], &c);

		if (taken == NONSENSE || (taken == CHARACTER && !decode(a, lp_span_of(&c, 1))))
			return false;
		a->in = lp_span_skip(a->in, 1);
		part--;
	}
	return true;
}

static bool end_data(struct lp_answer *a, struct lp_answer_item *item)
{
	if (a->quad_len || a->escape || !a->some)
		return broken(a, "a medium's base64 is cut short");
	keep(a, 1);
	a->state = AFTER;
	item->index = a->media - 1;
	return tell(a, LP_ANSWER_MEDIA_END);
}

static bool step_data(struct lp_answer *a, struct lp_answer_item *item)
{
	size_t window = SLICE / 3 * 4 - a->quad_len;

	if (window > a->in.len)
		window = a->in.len;
	const char *quote = memchr(a->in.at, '"', window);
	size_t part = quote ? (size_t)(quote - a->in.at) : window;

	if (!part)
		return end_data(a, item);
	lp_buf_reset(&a->slice);
	lp_buf_room(&a->slice, part); /* more than it will be, in one piece */
	if (!decode_part(a, part))
		return broken(a, "a medium's base64 is malformed");
	if (!a->slice.len)
		return false;
	item->index = a->media - 1;
	item->slice = lp_buf_span(&a->slice);
	return tell(a, LP_ANSWER_SLICE);
}

/* Go on with what has come.  True: there is something to tell. */
static bool step(struct lp_answer *a, struct lp_answer_item *item)
{
	switch (a->state) {
	case VALUE:
	case VALUE_OR_END:
	case KEY:
	case KEY_OR_END:
	case COLON:
	case AFTER:
	case END:
		return step_between(a);
	case IN_KEY:
	case IN_TEXT:
		return step_text(a);
	case IN_WORD:
		return step_word(a);
	case IN_URL:
		return step_url(a, item);
	case IN_DATA:
		return step_data(a, item);
	case BROKEN:
		break;
	}
	return tell(a, LP_ANSWER_BAD);
}

/* Nothing is left to look at. */
static void run_dry(struct lp_answer *a)
{
	if (!a->finished)
		tell(a, LP_ANSWER_NEED);
	else if (a->state == END)
		tell(a, LP_ANSWER_DONE);
	else
		broken(a, "it was cut short");
}

enum lp_answer_event lp_answer_pull(struct lp_answer *a, struct lp_answer_item *item,
				    struct lp_err *e)
{
	bool told = false;

	*item = (struct lp_answer_item){ .index = -1 };
	while (!told && (a->in.len || a->state == BROKEN)) {
		told = step(a, item);
		if (a->skeleton.len > SKELETON_MAX && a->state != BROKEN)
			told = broken(a, "it is too long");
	}
	if (!told)
		run_dry(a);
	if (a->event == LP_ANSWER_BAD && e)
		*e = a->err;
	return a->event;
}
