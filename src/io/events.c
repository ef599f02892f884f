/* Server-sent events: lines are taken out of one buffer, what belongs to an event gathers in another. */
#include <string.h>

#include <lpd/io/events.h>

#define KEPT 65536	/* memory that one large event leaves to the next ones */

struct lp_events {
	size_t limit;
	struct lp_buf in;	/* pushed and not yet taken */
	size_t seen;		/* bytes of in known to hold no line end */
	bool begun;		/* the byte order mark, if any, is behind us */
	bool after_cr;		/* a \n that comes next belongs to the line end before it */
	bool broken;
	struct lp_buf name;
	struct lp_buf data;
	bool has_data;		/* a data line was seen, perhaps an empty one */
	bool handed_out;	/* name and data were returned by the last pull */
};

static void clear(void *arg)
{
	struct lp_events *events = arg;

	lp_buf_clear(&events->in);
	lp_buf_clear(&events->name);
	lp_buf_clear(&events->data);
}

struct lp_events *lp_events_open(struct lp_scope *scope, size_t limit)
{
	struct lp_events *events = lp_new(scope, struct lp_events);

	events->limit = limit;
	lp_defer(scope, clear, events);
	return events;
}

void lp_events_push(struct lp_events *events, struct lp_span bytes)
{
	if (!events->broken)
		lp_buf_add_span(&events->in, bytes);
}

/* Drops the mark at the very start; false while it may still be coming. */
static bool skip_mark(struct lp_events *events)
{
	static const char mark[3] = "\xef\xbb\xbf";
	struct lp_span in = lp_buf_span(&events->in);
	size_t n = in.len < sizeof(mark) ? in.len : sizeof(mark);

	if (n == 0 || (n < sizeof(mark) && memcmp(in.at, mark, n) == 0))
		return false;
	if (n == sizeof(mark) && memcmp(in.at, mark, n) == 0)
		lp_buf_eat(&events->in, n);
	events->begun = true;
	return true;
}

/* The next line without its end (\n, \r or \r\n); false: none is whole.  *eat is what to drop afterwards. */
static bool next_line(struct lp_events *events, struct lp_span *line, size_t *eat)
{
	struct lp_span in = lp_buf_span(&events->in);

	if (events->after_cr && in.len) {
		events->after_cr = false;
		if (*in.at == '\n') {
			lp_buf_eat(&events->in, 1);
			in = lp_buf_span(&events->in);
		}
	}
	for (size_t i = events->seen; i < in.len; i++) {
		if (in.at[i] != '\n' && in.at[i] != '\r')
			continue;
		*line = lp_span_of(in.at, i);
		*eat = i + 1;
		events->after_cr = in.at[i] == '\r';
		return true;
	}
	events->seen = in.len;
	return false;
}

static void take_field(struct lp_events *events, struct lp_span line)
{
	struct lp_span value = line;
	struct lp_span field = lp_span_cut(&value, ':');

	if (lp_span_starts(value, " "))
		value = lp_span_skip(value, 1);
	if (lp_span_is(field, "event")) {
		lp_buf_reset(&events->name);
		lp_buf_add_span(&events->name, value);
	} else if (lp_span_is(field, "data")) {
		if (events->has_data)
			lp_buf_add_char(&events->data, '\n');
		lp_buf_add_span(&events->data, value);
		events->has_data = true;
	}	/* id and retry are for clients that connect again; others and comments mean nothing */
}

static bool give_up(struct lp_events *events, struct lp_err *e)
{
	events->broken = true;
	clear(events);
	lp_fail(e, LP_BAD_PEER, "an event is longer than %zu bytes", events->limit);
	return false;
}

static void reset(struct lp_buf *buf)
{
	if (buf->cap > KEPT)
		lp_buf_clear(buf);
	lp_buf_reset(buf);
}

/* What is left of it goes into memory of its size. */
static void move(struct lp_buf *buf)
{
	struct lp_buf rest = { 0 };

	lp_buf_add_span(&rest, lp_buf_span(buf));
	lp_buf_clear(buf);
	*buf = rest;
}

static void start_anew(struct lp_events *events)
{
	reset(&events->name);
	reset(&events->data);
	if (events->in.cap > KEPT && events->in.len <= KEPT / 2)
		move(&events->in);
	events->has_data = events->handed_out = false;
}

bool lp_events_pull(struct lp_events *events, struct lp_span *name, struct lp_span *data, struct lp_err *e)
{
	struct lp_span line;
	size_t eat;

	if (events->broken)
		return give_up(events, e);
	if (e)
		e->code = LP_OK;
	if (events->handed_out)
		start_anew(events);
	if (!events->begun && !skip_mark(events))
		return false;
	while (next_line(events, &line, &eat)) {
		bool blank = line.len == 0;

		if (line.len > events->limit)
			return give_up(events, e);
		if (!blank)
			take_field(events, line);
		lp_buf_eat(&events->in, eat);
		events->seen = 0;
		if (events->data.len + events->name.len > events->limit)
			return give_up(events, e);
		if (blank && events->has_data) {
			*name = lp_buf_span(&events->name);
			*data = lp_buf_span(&events->data);
			events->handed_out = true;
			return true;
		}
		if (blank)
			start_anew(events);
	}
	return events->in.len > events->limit ? give_up(events, e) : false;
}

size_t lp_events_held(const struct lp_events *events)
{
	return events->in.cap + events->name.cap + events->data.cap;
}

void lp_events_write(struct lp_buf *to, struct lp_span data)
{
	size_t from = 0;

	for (size_t i = 0; i <= data.len; i++) {
		if (i < data.len && data.at[i] != '\n' && data.at[i] != '\r')
			continue;
		lp_buf_add_text(to, "data: ");
		if (i > from)
			lp_buf_add(to, data.at + from, i - from);
		lp_buf_add_char(to, '\n');
		if (i + 1 < data.len && data.at[i] == '\r' && data.at[i + 1] == '\n')
			i++;
		from = i + 1;
	}
	lp_buf_add_char(to, '\n');
}
