#include <lpd/base/metric.h>

#include <math.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/time.h>

enum kind { COUNTER, GAUGE, SECONDS, NUMBER };

enum {
	MAX_LABELS = 6,
	MAX_SERIES = 2000,
	MAX_VALUE = 120,	/* bytes of a label value; the rest is cut */
	MAX_KEY = MAX_LABELS * (MAX_VALUE + 1),
};

struct row {
	const char *name;
	enum kind kind;
	const char *labels;
	const char *help;
};

static const struct row rows[LP_METRICS] = {
#define X(NAME, name, kind, labels, help) [LP_M_##NAME] = { name, kind, labels, help },
#include <lpd/base/metrics.def>
#undef X
};

static const int64_t bounds[] = {
	1 * LP_MSEC, 2500, 5 * LP_MSEC, 10 * LP_MSEC, 25 * LP_MSEC, 50 * LP_MSEC,
	100 * LP_MSEC, 250 * LP_MSEC, 500 * LP_MSEC, 1 * LP_SEC, 2500 * LP_MSEC, 5 * LP_SEC,
	10 * LP_SEC, 30 * LP_SEC, 1 * LP_MIN, 2 * LP_MIN, 5 * LP_MIN, 10 * LP_MIN,
};
enum { BUCKETS = sizeof(bounds) / sizeof(bounds[0]) };

/* One series; its key in the map is the label values, each with its zero byte. */
struct series {
	int64_t value;		/* of a histogram: the sum in microseconds */
	double number;
	uint64_t count;
	uint64_t buckets[BUCKETS + 1];	/* only those of a histogram are allocated; the last is beyond all bounds */
};

struct family {
	struct lp_map *series;
	unsigned n_labels;
};

struct lp_metrics {
	struct lp_scope *scope;
	struct family families[LP_METRICS];
};

static void free_maps(void *self)
{
	struct lp_metrics *m = self;

	for (int i = 0; i < LP_METRICS; i++)
		lp_map_free(&m->families[i].series);
}

static unsigned count_labels(const char *labels)
{
	unsigned n = labels[0] != 0;

	for (; *labels; labels++)
		n += *labels == ',';
	return n;
}

/* n or a little less, so that no half of a character stands before it. */
static size_t whole_characters(const char *text, size_t n)
{
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* The label values as one key; "" for a family without labels. */
static struct lp_span key_of(char key[MAX_KEY], const struct family *family, const char *const *labels)
{
	size_t len = 0;

	for (unsigned i = 0; i < family->n_labels; i++) {
		size_t n = strnlen(labels[i], MAX_VALUE);

		if (n == MAX_VALUE)
			n = whole_characters(labels[i], n);
		memcpy(key + len, labels[i], n);
		key[len + n] = 0;
		len += n + 1;
	}
	return lp_span_of(key, len);
}

static struct series *new_series(struct lp_metrics *m, enum lp_metric which, struct lp_span key)
{
	size_t size = rows[which].kind == SECONDS ? sizeof(struct series) : offsetof(struct series, buckets);
	struct series *series = lp_alloc(m->scope, size);

	lp_map_put(m->families[which].series, key, series);
	return series;
}

static struct series *series_of(struct lp_metrics *m, enum lp_metric which, const char *const *labels)
{
	static const char *const others[MAX_LABELS] = { "other", "other", "other", "other", "other", "other" };
	lp_assert((unsigned)which < LP_METRICS);
	struct family *family = &m->families[which];
	char key[MAX_KEY];
	struct lp_span span = key_of(key, family, labels);
	struct series *series = lp_map_find(family->series, span);

	if (series)
		return series;
	if (lp_map_count(family->series) < MAX_SERIES - 1)
		return new_series(m, which, span);
	/* Full: labels may come from outside, and memory must not. */
	span = key_of(key, family, others);
	series = lp_map_find(family->series, span);
	return series ? series : new_series(m, which, span);
}

struct lp_metrics *lp_metrics_open(struct lp_scope *scope)
{
	struct lp_metrics *m = lp_new(scope, struct lp_metrics);

	m->scope = scope;
	for (int i = 0; i < LP_METRICS; i++) {
		m->families[i].series = lp_map_new();
		m->families[i].n_labels = count_labels(rows[i].labels);
		lp_assert(m->families[i].n_labels <= MAX_LABELS);
		/* A count of nothing is worth telling where there is only one series. */
		if (m->families[i].n_labels == 0)
			series_of(m, (enum lp_metric)i, NULL);
	}
	lp_defer(scope, free_maps, m);
	return m;
}

void lp_metric_add(struct lp_metrics *m, enum lp_metric which, const char *const *labels, int64_t n)
{
	lp_assert(rows[which].kind == GAUGE || (rows[which].kind == COUNTER && n >= 0));
	series_of(m, which, labels)->value += n;
}

void lp_metric_set(struct lp_metrics *m, enum lp_metric which, const char *const *labels, int64_t n)
{
	lp_assert(rows[which].kind == GAUGE);
	series_of(m, which, labels)->value = n;
}

void lp_metric_number(struct lp_metrics *m, enum lp_metric which, const char *const *labels, double number)
{
	lp_assert(rows[which].kind == NUMBER);
	series_of(m, which, labels)->number = isfinite(number) ? number : 0;
}

void lp_metric_zero(struct lp_metrics *m, enum lp_metric which)
{
	struct lp_span key;
	void *series;
	size_t at = 0;

	lp_assert(rows[which].kind == GAUGE);
	while (lp_map_next(m->families[which].series, &at, &key, &series))
		((struct series *)series)->value = 0;
}

void lp_metric_time(struct lp_metrics *m, enum lp_metric which, const char *const *labels, int64_t micros)
{
	lp_assert(rows[which].kind == SECONDS);
	struct series *series = series_of(m, which, labels);
	size_t bucket = 0;

	while (bucket < BUCKETS && micros > bounds[bucket])
		bucket++;
	series->buckets[bucket]++;
	series->count++;
	series->value += micros;
}

int64_t lp_metric_value(const struct lp_metrics *m, enum lp_metric which, const char *const *labels)
{
	char key[MAX_KEY];
	const struct family *family = &m->families[which];
	const struct series *series = lp_map_find(family->series, key_of(key, family, labels));

	return series ? series->value : 0;
}

/* Label values are escaped as the text form asks: backslash, quote and newline.  One value that is no UTF-8 would cost
 * the reader the whole page. */
static void write_value(struct lp_buf *to, const char *value)
{
	bool good = lp_utf8_valid(lp_span(value));

	for (; *value; value++) {
		if (!good && (unsigned char)*value >= 0x80) {
			lp_buf_add_char(to, '?');
			continue;
		}
		if (*value == '\n') {
			lp_buf_add_text(to, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			lp_buf_add_char(to, '\\');
		lp_buf_add_char(to, *value);
	}
}

/* a="x",b="y" */
static void write_labels(struct lp_buf *to, const struct row *row, struct lp_span key)
{
	struct lp_span names = lp_span(row->labels);

	for (bool first = true; names.len > 0; first = false) {
		if (!first)
			lp_buf_add_char(to, ',');
		lp_buf_add_span(to, lp_span_cut(&names, ','));
		lp_buf_add_text(to, "=\"");
		write_value(to, lp_span_cut(&key, 0).at);
		lp_buf_add_char(to, '"');
	}
}

static void write_seconds(struct lp_buf *to, int64_t micros)
{
	lp_buf_fmt(to, "%lld", (long long)(micros / LP_SEC));
	if (micros % LP_SEC == 0)
		return;
	char fraction[16];
	int64_t n = micros % LP_SEC;
	int digits = 6;

	for (; n % 10 == 0; n /= 10)
		digits--;
	for (int i = digits; i > 0; i--, n /= 10)
		fraction[i] = (char)('0' + n % 10);
	fraction[0] = '.';
	lp_buf_add(to, fraction, (size_t)digits + 1);
}

static void write_bucket(struct lp_buf *to, const struct row *row, struct lp_span key, size_t i)
{
	lp_buf_fmt(to, "%s_bucket{", row->name);
	write_labels(to, row, key);
	if (key.len > 0)
		lp_buf_add_char(to, ',');
	lp_buf_add_text(to, "le=\"");
	if (i < BUCKETS)
		write_seconds(to, bounds[i]);
	else
		lp_buf_add_text(to, "+Inf");
	lp_buf_add_text(to, "\"} ");
}

static void write_name(struct lp_buf *to, const struct row *row, const char *suffix, struct lp_span key)
{
	lp_buf_add_text(to, row->name);
	lp_buf_add_text(to, suffix);
	if (key.len > 0) {
		lp_buf_add_char(to, '{');
		write_labels(to, row, key);
		lp_buf_add_char(to, '}');
	}
	lp_buf_add_char(to, ' ');
}

static void write_series(struct lp_buf *to, const struct row *row, struct lp_span key, const struct series *series)
{
	if (row->kind == NUMBER) {
		write_name(to, row, "", key);
		lp_buf_fmt(to, "%.9g\n", series->number);
		return;
	}
	if (row->kind != SECONDS) {
		write_name(to, row, "", key);
		lp_buf_fmt(to, "%lld\n", (long long)series->value);
		return;
	}
	uint64_t sum = 0;
	for (size_t i = 0; i <= BUCKETS; i++) {
		sum += series->buckets[i];
		write_bucket(to, row, key, i);
		lp_buf_add_u64(to, sum);
		lp_buf_add_char(to, '\n');
	}
	write_name(to, row, "_sum", key);
	write_seconds(to, series->value);
	lp_buf_add_char(to, '\n');
	write_name(to, row, "_count", key);
	lp_buf_add_u64(to, series->count);
	lp_buf_add_char(to, '\n');
}

static const char *kind_name(enum kind kind)
{
	static const char *const kinds[] = {
		[COUNTER] = "counter", [GAUGE] = "gauge", [SECONDS] = "histogram", [NUMBER] = "gauge"
	};

	return kinds[kind];
}

void lp_metrics_write(const struct lp_metrics *m, struct lp_buf *to)
{
	for (int i = 0; i < LP_METRICS; i++) {
		struct lp_span key;
		void *series;
		size_t at = 0;

		lp_buf_fmt(to, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help, rows[i].name,
			   kind_name(rows[i].kind));
		while (lp_map_next(m->families[i].series, &at, &key, &series))
			write_series(to, &rows[i], key, series);
	}
}

void lp_metrics_doc(struct lp_buf *to)
{
	lp_buf_add_text(to, "| name | kind | labels | meaning |\n|---|---|---|---|\n");
	for (int i = 0; i < LP_METRICS; i++)
		lp_buf_fmt(to, "| `%s` | %s | %s | %s |\n", rows[i].name, kind_name(rows[i].kind), rows[i].labels,
			   rows[i].help);
}
