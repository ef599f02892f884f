/* run/runner - something that runs jobs of one (pipeline, model): an external URL or the built-in lpd-runner.
 *
 * Speaks the ai-runner's HTTP (ai-http-api 3).  Watches its health as far as it can: a runner that is busy
 * and cannot answer /health is not given up; one that refuses connections is down until it answers again. */
#ifndef LPD_RUN_RUNNER_H
#define LPD_RUN_RUNNER_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/client.h>
#include <lpd/market/forward.h>
#include <lpd/market/orch_info.h>
#include <lpd/run/capacity.h>
#include <lpd/run/models.h>

enum lp_runner_state { LP_RUNNER_STARTING, LP_RUNNER_READY, LP_RUNNER_DOWN };

struct lp_runner {		/* read by others, written by run/ only */
	const struct lp_model_entry *entry;
	struct lp_url url;
	struct lp_slots slots;
	enum lp_runner_state state;
	struct lp_span version;		/* of GET /version; empty: not known */
	struct lp_hardware hardware;	/* of GET /hardware/info */
	bool has_hardware;
	struct lp_span note;		/* e.g. "procedural: model not fetched"; empty: none */
	char why[160];			/* when down */
};

struct lp_runner_hook {
	void (*on_event)(void *self);
	void *self;
};

struct lp_runners;

struct lp_runners_want {
	struct lp_loop *loop;
	struct lp_client *client;
	const struct lp_models *models;
	const char *runner_path;	/* of lpd-runner; NULL: beside the running binary */
	const char *data_dir;
	struct lp_log *log;
	struct lp_metrics *metrics;
};

/* LP_CONFIG in words for an entry that this version cannot run. */
enum lp_code lp_runner_possible(const struct lp_model_entry *entry, struct lp_err *e) LP_MUST_USE;
/* Starts lpd-runner when a builtin/ model is named (one child serves them all), begins to watch the others.
 * LP_CONFIG in words for an entry that needs a container (until that issue). */
enum lp_code lp_runners_open(struct lp_scope *scope, struct lp_runners **out, const struct lp_runners_want *want,
			     struct lp_err *e) LP_MUST_USE;
/* Another aiModels.json: what is still named goes on, what is new begins, what is gone gets no more jobs.  The models
 * live as long as the set.  LP_CONFIG: nothing was changed. */
enum lp_code lp_runners_reload(struct lp_runners *runners, const struct lp_models *models, struct lp_err *e) LP_MUST_USE;
int lp_runners_count(const struct lp_runners *runners);
struct lp_runner *lp_runners_at(struct lp_runners *runners, int i);
/* Takes a slot (given back when the scope closes) of a ready runner for it; NULL: none is free or there is
 * none: *e is LP_NO_CAPACITY, in words that say which. Several entries of one model: the one least used. */
struct lp_runner *lp_runners_take(struct lp_scope *scope, struct lp_runners *runners,
				  const struct lp_pipeline *pipeline, struct lp_span model, struct lp_err *e);
/* What we can offer now, as capabilities. */
void lp_runners_offer(struct lp_scope *scope, struct lp_runners *runners, struct lp_capabilities *caps);
/* What we run at all, up or down: what a job may name.  A runner that is down is a matter of capacity. */
void lp_runners_known(struct lp_scope *scope, struct lp_runners *runners, struct lp_capabilities *caps);
/* Grows whenever either of the two may have changed (slots taken apart). */
unsigned lp_runners_generation(const struct lp_runners *runners);
/* Start the job there; the answer is read from the call.  Cancelled by closing the scope. */
struct lp_call *lp_runner_start(struct lp_scope *scope, struct lp_runners *runners, struct lp_runner *runner,
				const struct lp_forward_want *want, struct lp_runner_hook hook);
/* The call failed to connect or broke: look at its health soon. */
void lp_runner_suspect(struct lp_runners *runners, struct lp_runner *runner, const struct lp_err *why);

#endif
