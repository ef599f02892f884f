/* run/models - aiModels.json: what an orchestrator or worker runs and asks for it (ai-http-api 5).  Pure. */
#ifndef LPD_RUN_MODELS_H
#define LPD_RUN_MODELS_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/io/http.h>
#include <lpd/market/pipeline.h>

enum lp_model_kind {
	LP_MODEL_EXTERNAL,	/* has a url */
	LP_MODEL_BUILTIN,	/* model_id begins with "builtin/": lpd-runner serves it */
	LP_MODEL_CONTAINER,	/* anything else: an ai-runner container */
	LP_MODEL_PRICE,		/* a price for one gateway only: runs nothing */
};

struct lp_model_entry {
	const struct lp_pipeline *pipeline;
	struct lp_span model_id;
	enum lp_model_kind kind;
	bool has_url;
	struct lp_url url;
	struct lp_span token;		/* a secret */
	bool warm;
	uint32_t capacity;		/* concurrent jobs: "replicas" times "concurrency", else "capacity"; 1 when absent */
	int64_t vram;			/* bytes; 0: not said */
	int64_t deadline;		/* of one job at the runner; 0: the node's */
	struct lp_model_flag {
		struct lp_span name, value;
	} *flags;			/* optimization_flags */
	int n_flags;
	struct lp_span gateway;		/* "default" or a lower-case address */
	bool has_price;
	struct lp_span price_per_unit;	/* the number as written, exact: for the money issue */
	int64_t pixels_per_unit;	/* 0: absent */
	struct lp_span currency;	/* lower-case; "wei" when absent */
};

struct lp_models {
	struct lp_model_entry *at;
	int n;
};

/* The text of the file (JSON array), or inline pipeline:model:warm[,...].  LP_CONFIG naming entry, line and key.
 * Unknown keys are tolerated and reported in *unknown (may be NULL) as "entry 2: colour". */
enum lp_code lp_models_parse(struct lp_scope *scope, struct lp_models *out, struct lp_span text,
			     struct lp_span *unknown, struct lp_err *e) LP_MUST_USE;

#endif
