/* base/metric - every counter, gauge and histogram, declared in one table (metrics.def) with its help.
 *
 * A node owns one struct lp_metrics.  Label values are given in the order of the table; a family holds at
 * most 2,000 series, further ones count under "other". */
#ifndef LPD_BASE_METRIC_H
#define LPD_BASE_METRIC_H

#include <stdint.h>

#include <lpd/base/buf.h>
#include <lpd/base/scope.h>

enum lp_metric {
#define X(NAME, name, kind, labels, help) LP_M_##NAME,
#include <lpd/base/metrics.def>
#undef X
	LP_METRICS
};

struct lp_metrics;

struct lp_metrics *lp_metrics_open(struct lp_scope *scope);

/* labels: as many C strings as the row names; NULL or the empty array when it names none. */
void lp_metric_add(struct lp_metrics *m, enum lp_metric which, const char *const *labels, int64_t n);
void lp_metric_set(struct lp_metrics *m, enum lp_metric which, const char *const *labels, int64_t n);
void lp_metric_number(struct lp_metrics *m, enum lp_metric which, const char *const *labels, double number);
/* Every series of the family is 0: before they are counted anew, so that who is gone counts nothing. */
void lp_metric_zero(struct lp_metrics *m, enum lp_metric which);
void lp_metric_time(struct lp_metrics *m, enum lp_metric which, const char *const *labels, int64_t micros);
int64_t lp_metric_value(const struct lp_metrics *m, enum lp_metric which, const char *const *labels);	/* for tests */

#define LP_LABELS(...) ((const char *const[]){ __VA_ARGS__ })

/* The Prometheus text form, version 0.0.4. */
void lp_metrics_write(const struct lp_metrics *m, struct lp_buf *to);
/* One row of the table as Markdown columns, for docs/generated/metrics.md. */
void lp_metrics_doc(struct lp_buf *to);

#endif
