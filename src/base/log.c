#include <lpd/base/log.h>

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/time.h>

enum { LINE_CAP = 4096 };	/* with its newline: a write of this size to a pipe is never mixed with another's */

struct lp_log {
	const struct lp_log_sink *sink;
	const char *keys;	/* " job=1 pipeline=x", quoted already */
	size_t keys_len;
};

/* A line on the stack; what does not fit is cut. */
struct line {
	char at[LINE_CAP];
	size_t len;
};

static const char *const names[] = {
	[LP_BROKEN] = "broken",
	[LP_UNUSUAL] = "unusual",
	[LP_INFO] = "info",
	[LP_DEBUG] = "debug",
	[LP_TRACE] = "trace",
};

const char *lp_level_name(enum lp_level level)
{
	lp_assert((unsigned)level <= LP_TRACE);
	return names[level];
}

bool lp_level_parse(struct lp_span text, enum lp_level *out)
{
	uint64_t number;

	for (unsigned i = 0; i <= LP_TRACE; i++) {
		if (lp_span_is_icase(text, names[i])) {
			*out = (enum lp_level)i;
			return true;
		}
	}
	/* glog's verbosity: the incumbent logs what we call info at up to 3, debug at 4 and 5, all at 6. */
	if (!lp_span_u64(text, &number) || number > 6)
		return false;
	*out = number <= 3 ? LP_INFO : number <= 5 ? LP_DEBUG : LP_TRACE;
	return true;
}

static void add(struct line *line, const char *at, size_t len)
{
	size_t room = LINE_CAP - 1 - line->len;	/* the newline always fits */

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(line->at + line->len, at, len);
	line->len += len;
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

static bool must_quote(struct lp_span value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];
		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f)
			return true;
	}
	return value.len == 0;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
}

static void add_escape(struct line *line, unsigned char c)
{
	char text[8];

	if (c == '\n')
		snprintf(text, sizeof(text), "\\n");
	else if (c == '"' || c == '\\')
		snprintf(text, sizeof(text), "\\%c", c);
	else
		snprintf(text, sizeof(text), "\\x%02x", c);
	add_text(line, text);
}

/* In quotes; what needs no escape goes over in one piece. */
static void add_quoted(struct line *line, struct lp_span value)
{
	size_t from = 0;

	add(line, "\"", 1);
	for (size_t i = 0; i < value.len; i++) {
		if (is_plain((unsigned char)value.at[i]))
			continue;
		add(line, value.at + from, i - from);
		add_escape(line, (unsigned char)value.at[i]);
		from = i + 1;
	}
	if (value.len)
		add(line, value.at + from, value.len - from);
	add(line, "\"", 1);
}

static void add_value(struct line *line, struct lp_span value)
{
	if (!must_quote(value)) {
		add(line, value.at, value.len);
		return;
	}
	add_quoted(line, value);
}

static void begin(struct line *line, const struct lp_log *log, enum lp_level level, const char *event)
{
	char when[32];

	line->len = 0;
	if (log->sink->wall) {
		add_text(line, lp_time_text(log->sink->wall(log->sink->self), when));
		add(line, " ", 1);
	}
	add_text(line, lp_level_name(level));
	add(line, " ", 1);
	add_quoted(line, lp_span(event));
	add(line, log->keys, log->keys_len);
}

static void end(struct line *line, const struct lp_log *log)
{
	const struct lp_log_sink *sink = log->sink;
	char json[LINE_CAP];

	line->at[line->len++] = '\n';
	if (!sink->json) {
		sink->write(sink->self, line->at, line->len);
		return;
	}
	sink->write(sink->self, json, lp_log_json(json, sizeof(json), lp_span_of(line->at, line->len)));
}

/* Bytes that can be written without waiting.  A pipe or terminal that says it can be written takes a line; one whose
 * reader is gone takes everything, for good. */
static size_t room_of(int fd)
{
	struct pollfd asked = { .fd = fd, .events = POLLOUT };
	struct stat info;

	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
		return SIZE_MAX;
	return poll(&asked, 1, 0) == 0 ? 0 : LINE_CAP;
}

static void write_fd(void *self, const char *line, size_t len)
{
	int fd = (int)(intptr_t)self;

	if (!room_of(fd))
		return;
	/* A line that cannot be written is lost: there is nobody left to tell. */
	if (write(fd, line, len) < 0)
		return;
}

/* The log must be able to say when before there is a loop, so this is the one clock outside it. */
static int64_t wall_now(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * LP_SEC + now.tv_nsec / 1000;
}

void lp_log_to_fd(struct lp_log_sink *sink, int fd, enum lp_level level)
{
	*sink = (struct lp_log_sink){ level, write_fd, wall_now, (void *)(intptr_t)fd, false };
}

size_t lp_log_room(const struct lp_log_sink *sink)
{
	return sink->write == write_fd ? room_of((int)(intptr_t)sink->self) : SIZE_MAX;
}

struct lp_log *lp_log_open(struct lp_scope *scope, const struct lp_log_sink *sink)
{
	struct lp_log *log = lp_new(scope, struct lp_log);

	log->sink = sink;
	log->keys = "";
	return log;
}

struct lp_log *lp_log_with(struct lp_scope *scope, const struct lp_log *parent, const char *key, const char *fmt, ...)
{
	struct lp_log *log = lp_new(scope, struct lp_log);
	char value[512];
	struct line line = { .len = 0 };
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	add(&line, parent->keys, parent->keys_len);
	add(&line, " ", 1);
	add_text(&line, key);
	add(&line, "=", 1);
	add_value(&line, lp_span(value));
	log->sink = parent->sink;
	log->keys = lp_strdup(scope, lp_span_of(line.at, line.len));
	log->keys_len = line.len;
	return log;
}

bool lp_log_on(const struct lp_log *log, enum lp_level level)
{
	return log && level <= log->sink->level;
}

void lp_log(const struct lp_log *log, enum lp_level level, const char *event, const char *fmt, ...)
{
	struct line line;
	va_list args;

	if (!lp_log_on(log, level))
		return;
	begin(&line, log, level, event);
	if (fmt[0]) {
		add(&line, " ", 1);
		size_t start = line.len;
		va_start(args, fmt);
		int n = vsnprintf(line.at + start, LINE_CAP - start, fmt, args);
		va_end(args);
		size_t room = LINE_CAP - 1 - start;
		line.len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
		for (size_t i = start; i < line.len; i++) {
			if ((unsigned char)line.at[i] < 0x20 || line.at[i] == 0x7f)
				line.at[i] = '?';
		}
	}
	end(&line, log);
}

void lp_log_kv(const struct lp_log *log, enum lp_level level, const char *event, ...)
{
	struct line line;
	va_list args;

	if (!lp_log_on(log, level))
		return;
	begin(&line, log, level, event);
	va_start(args, event);
	for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
		add(&line, " ", 1);
		add_text(&line, key);
		add(&line, "=", 1);
		add_value(&line, lp_span(va_arg(args, const char *)));
	}
	va_end(args);
	end(&line, log);
}
