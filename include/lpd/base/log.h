/* base/log - one line per fact, key=value (logfmt), five levels named by meaning.
 *
 * A line: time level "event" then the logger's own keys, then the line's.  Values with blanks or quotes are
 * quoted, control characters escaped, so no value can forge a line.  Secrets and prompts are never passed
 * here.  There is no global logger: whoever logs was handed one. */
#ifndef LPD_BASE_LOG_H
#define LPD_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/scope.h>
#include <lpd/base/str.h>

enum lp_level {
	LP_BROKEN,	/* a bug of ours */
	LP_UNUSUAL,	/* someone should look */
	LP_INFO,	/* about one line per job */
	LP_DEBUG,
	LP_TRACE,
};

/* Where lines go: the caller's struct, filled in by it. */
struct lp_log_sink {
	enum lp_level level;			/* lines above it are dropped */
	void (*write)(void *self, const char *line, size_t len);	/* a whole line with its newline */
	int64_t (*wall)(void *self);		/* the clock; NULL: no time is printed (tests) */
	void *self;
	bool json;				/* each line as a JSON object instead (lp_log_json) */
};

/* A sink that writes to a descriptor with one write(2) a line, and reads the system's wall clock (set wall to
 * NULL after this for lines without a time).  Lines end at 4,096 bytes; what is longer is cut.  It never waits for
 * who reads: a line that finds no room is lost. */
void lp_log_to_fd(struct lp_log_sink *sink, int fd, enum lp_level level);
/* Bytes that the sink takes now: 0 while a descriptor's reader is behind; at least a line, or everything, else. */
size_t lp_log_room(const struct lp_log_sink *sink);

/* A logfmt line of ours (with its newline) as a JSON object: {"time":...,"level":...,"event":...,"key":"value",...},
 * with a newline, in at most cap bytes; pairs that no longer fit are left out.  Every value is a string.  Returns the
 * length. */
size_t lp_log_json(char *to, size_t cap, struct lp_span line);

struct lp_log;

struct lp_log *lp_log_open(struct lp_scope *scope, const struct lp_log_sink *sink);
/* A child that carries one more key, e.g. lp_log_with(scope, log, "job", "%s", id). */
struct lp_log *lp_log_with(struct lp_scope *scope, const struct lp_log *parent, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

bool lp_log_on(const struct lp_log *log, enum lp_level level);

/* lp_log(log, LP_INFO, "job done", "ms=%d code=%s", ...): the words after the event are key=value pairs
 * separated by one blank; a %s value is quoted when it needs to be, only if written as key=%s and printed
 * through lp_log_kv below.  fmt may be "". */
void lp_log(const struct lp_log *log, enum lp_level level, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Pairs of C strings, ended by NULL, each value quoted as needed: lp_log_kv(log, LP_INFO, "joined",
 * "orch", uri, "version", version, NULL). For text that came from outside. */
void lp_log_kv(const struct lp_log *log, enum lp_level level, const char *event, ...) __attribute__((sentinel));

bool lp_level_parse(struct lp_span text, enum lp_level *out);	/* "info", or glog's 0..6 of the incumbent's -v */
const char *lp_level_name(enum lp_level level);

#endif
