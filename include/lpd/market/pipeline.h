/* market/pipeline - the kinds of work, one row each.  Nothing else in lpd knows their names.
 *
 * A row drives parsing, defaults, limits, units, forwarding, documentation (ai-http-api 1.5, 6).  A new
 * pipeline is a row and, if its units are counted in a new way, one function of about ten lines.  Pure. */
#ifndef LPD_MARKET_PIPELINE_H
#define LPD_MARKET_PIPELINE_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/str.h>

struct lp_request;

enum lp_param_kind {
	LP_PARAM_STRING,
	LP_PARAM_INT,
	LP_PARAM_FLOAT,
	LP_PARAM_BOOL,
	LP_PARAM_FILE,		/* multipart: the media */
	LP_PARAM_MESSAGES,	/* llm: [{role, content}] */
	LP_PARAM_OBJECT,	/* passed through */
};

struct lp_param {
	const char *name;
	enum lp_param_kind kind;
	bool required;		/* at the gateway's edge; a string must be more than blanks */
	bool fill;		/* an absent one is sent on with `preset`; else the runner's default wins */
	bool gateway_fills;	/* as fill, but an orchestrator refuses: nobody guesses what is paid */
	bool raise;		/* a number below min is taken for min */
	bool always;		/* whatever was said, `preset` is sent on: a runner fails at anything else */
	bool ours;		/* written by the gateway, whatever a client says: not in the documents */
	int64_t multiple;	/* a whole number must be one of this; 0: any */
	const char *preset;	/* as text; NULL: none */
	double min, max;	/* numbers (both 0: any); strings: max bytes (0: LP_TEXT_MAX); files: max bytes (0:
				 * as many as the body) */
	const char *help;
};

#define LP_TEXT_MAX 65536	/* bytes of a string, unless its row says otherwise */

enum lp_body_kind { LP_BODY_JSON, LP_BODY_MULTIPART };
enum lp_result_kind {
	LP_RESULT_JSON,		/* passed on as it comes */
	LP_RESULT_MEDIA,	/* JSON with URLs of media to keep */
	LP_RESULT_EVENTS,	/* JSON, or events when the request says stream */
};

struct lp_pipeline {
	const char *name;		/* "text-to-image"; its path is "/" name */
	const char *title;		/* "Text to image" */
	uint32_t capability;		/* bit in the capability string */
	enum lp_body_kind body;
	enum lp_result_kind result;
	const char *answer;		/* name of the answer's schema in the documents; NULL: what `result` implies */
	const char *media_extension;	/* ".png" of stored results; NULL */
	const char *model_param;	/* "model_id" or "model" */
	const char *default_model;
	const struct lp_param *params;	/* in the order in which a multipart body is forwarded */
	int n_params;
	int64_t body_limit;		/* bytes of a request */
	/* Units charged (ai-http-api 6).  LP_BAD_REQUEST in the words that the network uses. */
	enum lp_code (*units)(uint64_t *units, const struct lp_request *req, struct lp_err *e);
	/* What a latency score is divided by (ai-http-api 1.8): units times steps where steps count. */
	const char *steps_param;	/* or NULL */
	int default_steps;
	bool measured;			/* units are the milliseconds that the file plays: lp_request_measured */
	bool frames;			/* the runner answers pictures, of which the orchestrator makes a video */
	bool served;			/* false: known by name only (refused in words until its issue) */
	const char *help;
};

/* All rows, in capability order. */
const struct lp_pipeline *lp_pipelines(int *n);
const struct lp_pipeline *lp_pipeline_find(struct lp_span name);		/* NULL: unknown */
const struct lp_pipeline *lp_pipeline_of_capability(uint32_t capability);
int lp_pipeline_param(const struct lp_pipeline *pipeline, struct lp_span name);	/* index, -1: unknown */
/* Does the request's field of that name exist in the row?  Go matches JSON keys without case. */
int lp_pipeline_param_icase(const struct lp_pipeline *pipeline, struct lp_span name);

/* The rows as an OpenAPI 3.1 document. */
void lp_pipelines_openapi(struct lp_buf *to);

#endif
