/* Where options come from: command line, environment, file. */
#include <lpd/options/options.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options_priv.h"

enum {
	MAX_FILE = 1 << 20,	/* of an option file */
	MAX_SECRET = 4096,	/* of a file that holds a secret */
	PIPE_WAIT = 2000,	/* ms */
	MAX_NAME = 40,		/* of what is still compared with the table's names */
};

char *lp_option_env_name(const char *flag, char to[64])
{
	size_t n = 0;

	memcpy(to, "LP_", 3);
	n = 3;
	for (const char *c = flag; *c && n < 60; c++) {
		bool upper = *c >= 'A' && *c <= 'Z';
		bool after_lower = c > flag && c[-1] >= 'a' && c[-1] <= 'z';
		bool before_lower = c > flag && c[1] >= 'a' && c[1] <= 'z';

		/* A word begins at "dA" and at the last capital of "TLSCert". */
		if (upper && (after_lower || before_lower))
			to[n++] = '_';
		to[n++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	}
	to[n] = 0;
	return to;
}

static bool find(struct lp_span name, enum lp_option *which)
{
	const struct option_legacy *old = lp_option_legacy_find(name);

	if (lp_span_is(name, "h"))
		name = LP_SPAN("help");
	if (old && old->kind == LEGACY_ALIAS)
		name = lp_span(old->words);
	for (int i = 0; i < LP_OPTIONS; i++) {
		if (lp_span_is(name, lp_option_rows[i].flag)) {
			*which = (enum lp_option)i;
			return true;
		}
	}
	return false;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters must be added, dropped or replaced to make one of the other (Levenshtein), case
 * ignored.  Both are at most MAX_NAME long. */
static unsigned distance(struct lp_span a, struct lp_span b)
{
	unsigned row[MAX_NAME + 1];

	for (unsigned i = 0; i <= b.len; i++)
		row[i] = i;
	for (size_t i = 0; i < a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t k = 0; k < b.len; k++) {
			unsigned replaced = diagonal + (lower(a.at[i]) != lower(b.at[k]));
			diagonal = row[k + 1];
			row[k + 1] = least(replaced, row[k] + 1, row[k + 1] + 1);
		}
	}
	return row[b.len];
}

/* The known name that was probably meant, or NULL. */
static const char *nearest(struct lp_span name)
{
	const char *best = NULL;
	unsigned best_distance = name.len < 6 ? 2 : 2 + (unsigned)name.len / 6;

	if (name.len == 0 || name.len > MAX_NAME)
		return NULL;
	for (int i = 0; i < LP_OPTIONS; i++) {
		const char *flag = lp_option_rows[i].flag;
		unsigned d = distance(name, lp_span(flag));
		if (d < best_distance && d < name.len) {
			best = flag;
			best_distance = d;
		}
	}
	return best;
}

static enum lp_code unknown(const char *where, const char *dash, struct lp_span name, struct lp_err *e)
{
	const char *meant = nearest(name);

	if (meant)
		return lp_fail(e, LP_CONFIG, "%sunknown option %s%.*s: did you mean %s%s?", where, dash,
			       (int)(name.len < 60 ? name.len : 60), name.at, dash, meant);
	return lp_fail(e, LP_CONFIG, "%sunknown option %s%.*s: -help lists those there are", where, dash,
		       (int)(name.len < 60 ? name.len : 60), name.at);
}

/* The rest of the command line. */
struct args {
	char *const *at, *const *end;
};

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != 0;
}

static struct lp_span name_in(const char *word)
{
	struct lp_span rest = lp_span(word + (word[1] == '-' ? 2 : 1));

	return lp_span_cut(&rest, '=');
}

static bool is_known(const char *word)
{
	enum lp_option which;

	return is_option(word) && (find(name_in(word), &which) || lp_option_legacy_find(name_in(word)));
}

/* The value behind "=", or the next word; a bool needs none. */
static enum lp_code read_argument(struct args *args, const char *word, bool is_bool, struct lp_span *value,
				  struct lp_err *e)
{
	const char *next = args->at < args->end ? *args->at : NULL;
	const char *equals = strchr(word, '=');

	if (equals) {
		*value = lp_span(equals + 1);
		return LP_OK;
	}
	if (is_bool) {
		bool spelled = next && (strcmp(next, "true") == 0 || strcmp(next, "false") == 0);
		*value = spelled ? lp_span(*args->at++) : LP_SPAN("true");
		return LP_OK;
	}
	if (!next || is_known(next))
		return lp_fail(e, LP_CONFIG, "-%.*s needs a value", LP_ARG(name_in(word)));
	*value = lp_span(*args->at++);
	return LP_OK;
}

static enum lp_code take_option(struct lp_options *options, const char *word, struct args *args, struct lp_err *e)
{
	struct lp_span name = name_in(word), value;
	const struct option_legacy *old = NULL;
	enum lp_option which = LP_OPTIONS;
	char label[64];

	if (!find(name, &which) && !(old = lp_option_legacy_find(name)))
		return unknown("", "-", name, e);
	if (read_argument(args, word, old ? old->shape == LEGACY_FLAG : lp_option_rows[which].type == BOOL, &value,
			  e) != LP_OK)
		return e->code;
	snprintf(label, sizeof(label), "-%s", old ? old->flag : lp_option_rows[which].flag);
	const struct option_origin from = { FROM_COMMAND_LINE, "command line", label };

	return old ? lp_option_legacy_take(options, old, value, &from, e) : lp_option_put(options, which, value, &from, e);
}

static enum lp_code take_word(struct lp_options *options, const char *word, struct lp_err *e)
{
	if (options->n_words == MAX_WORDS)
		return lp_fail(e, LP_CONFIG, "there are more than %d words on the command line", MAX_WORDS);
	options->words[options->n_words++] = lp_strdup(options->scope, lp_span(word));
	return LP_OK;
}

static enum lp_code take_args(struct lp_options *options, int argc, char *const *argv, struct lp_err *e)
{
	struct args args = { argv + (argc > 0 ? 1 : 0), argv + argc };
	bool options_end = false;

	while (args.at < args.end) {
		const char *word = *args.at++;
		enum lp_code code = LP_OK;

		if (!options_end && strcmp(word, "--") == 0)
			options_end = true;
		else if (!options_end && is_option(word))
			code = take_option(options, word, &args, e);
		else
			code = take_word(options, word, e);
		if (code != LP_OK)
			return code;
	}
	return LP_OK;
}

/* Our LP_HTTP_ADDR, and LP_HTTPADDR as the node we replace has it. */
static bool find_env(struct lp_span name, enum lp_option *which)
{
	for (int i = 0; i < LP_OPTIONS; i++) {
		char ours[64];
		if (lp_option_rows[i].kind == HERE)
			continue;
		bool plain = lp_span_is_icase(lp_span_skip(name, 3), lp_option_rows[i].flag);
		if (plain || lp_span_is(name, lp_option_env_name(lp_option_rows[i].flag, ours))) {
			*which = (enum lp_option)i;
			return true;
		}
	}
	return false;
}

static enum lp_code take_variable(struct lp_options *options, struct lp_span name, struct lp_span value,
				  struct lp_err *e)
{
	const char *source = lp_strdup(options->scope, name);
	const struct option_origin from = { FROM_ENV, source, source };
	const struct option_legacy *old;
	enum lp_option which;

	if (find_env(name, &which))
		return lp_option_put(options, which, value, &from, e);
	old = lp_option_legacy_find_env(name);
	if (!old)
		return LP_OK;
	if (old->kind == LEGACY_ALIAS)
		return find(lp_span(old->words), &which) ? lp_option_put(options, which, value, &from, e) : LP_OK;
	return lp_option_legacy_take(options, old, value, &from, e);
}

/* Unknown LP_ names are left alone: the environment is not ours alone.  An empty value counts as none,
 * since that is what compose files make of an unset variable. */
static enum lp_code take_env(struct lp_options *options, char *const *env, struct lp_err *e)
{
	for (; *env; env++) {
		struct lp_span value = lp_span(*env), name = lp_span_cut(&value, '=');

		if (!lp_span_starts(name, "LP_") || value.len == 0)
			continue;
		if (take_variable(options, name, value, e) != LP_OK)
			return e->code;
	}
	return LP_OK;
}

/* A line without its comment: # at its begin or behind a blank. */
static struct lp_span without_comment(struct lp_span line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.at[i] == '#' && (i == 0 || line.at[i - 1] == ' ' || line.at[i - 1] == '\t'))
			line.len = i;
	}
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return lp_span_trim(line);
}

static enum lp_code take_line(struct lp_options *options, struct lp_span line, const char *source, struct lp_err *e)
{
	const struct option_legacy *old = NULL;
	enum lp_option which = LP_OPTIONS;
	size_t len = 0;
	char where[160], label[200];

	while (len < line.len && line.at[len] != ' ' && line.at[len] != '\t')
		len++;
	struct lp_span name = lp_span_of(line.at, len), value = lp_span_trim(lp_span_skip(line, len));
	snprintf(where, sizeof(where), "%s: ", source);
	if (!find(name, &which) && !(old = lp_option_legacy_find(name)))
		return unknown(where, "", name, e);
	snprintf(label, sizeof(label), "%s%s", where, old ? old->flag : lp_option_rows[which].flag);
	const struct option_origin from = { FROM_FILE, source, label };

	if (value.len == 0 && (old ? old->shape == LEGACY_FLAG : lp_option_rows[which].type == BOOL))
		value = LP_SPAN("true");
	if (old)
		return lp_option_legacy_take(options, old, value, &from, e);
	if (lp_option_rows[which].kind == HERE || which == LP_OPT_CONFIG)
		return lp_fail(e, LP_CONFIG, "%s does not belong into a file", label);
	return lp_option_put(options, which, value, &from, e);
}

enum lp_code lp_options_read_text(struct lp_options *options, struct lp_span text, const char *name, struct lp_err *e)
{
	for (int number = 1; text.len > 0; number++) {
		struct lp_span line = without_comment(lp_span_cut(&text, '\n'));
		if (line.len == 0)
			continue;
		const char *source = lp_fmt(options->scope, "%s:%d", name, number);
		enum lp_code code = take_line(options, line, source, e);
		if (code != LP_OK)
			return code;
	}
	return LP_OK;
}

/* A node may run while it reads its options again, so a pipe's writer is not waited for longer than this. */
static ssize_t read_piece(int fd, char *to, size_t room)
{
	struct pollfd asked = { .fd = fd, .events = POLLIN };
	ssize_t n;

	do
		n = read(fd, to, room);
	while (n < 0 && (errno == EINTR || (errno == EAGAIN && poll(&asked, 1, PIPE_WAIT) > 0)));
	return n;
}

/* A whole file of at most cap bytes, into the buffer. */
static enum lp_code read_file(struct lp_buf *to, const char *path, size_t cap, struct lp_err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* a pipe that nobody writes to is empty */
	char *at = lp_buf_room(to, cap + 1);
	size_t len = 0;
	ssize_t n = -1;

	while (fd >= 0 && len <= cap && (n = read_piece(fd, at + len, cap + 1 - len)) > 0)
		len += (size_t)n;
	int why = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return lp_fail(e, LP_CONFIG, "cannot read %s: %s", path, strerror(why));
	if (len > cap)
		return lp_fail(e, LP_CONFIG, "%s is longer than %zu bytes", path, cap);
	lp_buf_grew(to, len);
	return LP_OK;
}

static enum lp_code take_file(struct lp_options *options, const char *path, struct lp_err *e)
{
	struct lp_buf text = { 0 };
	enum lp_code code = read_file(&text, path, MAX_FILE, e);

	if (code == LP_OK)
		code = lp_options_read_text(options, lp_buf_span(&text), path, e);
	lp_buf_clear(&text);
	return code;
}

/* A secret may be given as the path of a file: command lines and environments are seen by others. */
static enum lp_code open_secret(struct lp_options *options, struct option_value *value, struct lp_err *e)
{
	struct stat about;
	struct lp_buf text = { 0 };

	if (!value->text[0] || stat(value->text, &about) != 0 || !S_ISREG(about.st_mode))
		return LP_OK;
	enum lp_code code = read_file(&text, value->text, MAX_SECRET, e);
	if (code == LP_OK) {
		struct lp_span rest = lp_buf_span(&text);
		value->text = lp_strdup(options->scope, without_comment(lp_span_cut(&rest, '\n')));
	}
	if (text.mem)
		explicit_bzero(text.mem, text.cap);
	lp_buf_clear(&text);
	return code;
}

static const char *home_in(char *const *env)
{
	for (; env && *env; env++) {
		if (strncmp(*env, "HOME=", 5) == 0 && (*env)[5])
			return *env + 5;
	}
	return ".";
}

/* What needs all sources read: files behind secrets, and "~". */
static enum lp_code finish(struct lp_options *options, char *const *env, struct lp_err *e)
{
	struct option_value *data = &options->values[LP_OPT_DATA_DIR];

	if (strcmp(data->text, "~") == 0 || strncmp(data->text, "~/", 2) == 0)
		data->text = lp_fmt(options->scope, "%s%s", home_in(env), data->text + 1);
	for (int i = 0; i < LP_OPTIONS; i++) {
		if (lp_option_rows[i].kind != SECRET)
			continue;
		enum lp_code code = open_secret(options, &options->values[i], e);
		if (code != LP_OK)
			return code;
	}
	return LP_OK;
}

enum lp_code lp_options_read(struct lp_options *options, int argc, char *const *argv, char *const *env,
			     struct lp_err *e)
{
	enum lp_code code = take_args(options, argc, argv, e);

	if (code != LP_OK)
		return code;
	if (lp_option_bool(options, LP_OPT_HELP) || lp_option_bool(options, LP_OPT_VERSION))
		return LP_OK;
	if (env)
		code = take_env(options, env, e);
	const char *file = lp_option_text(options, LP_OPT_CONFIG);
	if (code == LP_OK && file[0])
		code = take_file(options, file, e);
	return code == LP_OK ? finish(options, env, e) : code;
}
