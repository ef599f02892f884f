/* market/request - a job request of any pipeline: parsed, checked, filled, counted, written for the next hop.
 *
 * Pure: bytes of a file are not here, only their size and first bytes (io/spool holds them; market/intake
 * brings both together). */
#ifndef LPD_MARKET_REQUEST_H
#define LPD_MARKET_REQUEST_H

#include <jansson.h>

#include <lpd/base/buf.h>
#include <lpd/base/scope.h>
#include <lpd/eth/keccak.h>
#include <lpd/market/pipeline.h>

struct lp_value {
	bool given;		/* absent and null are the same */
	struct lp_span text;	/* strings, and numbers as they were written in a form */
	int64_t i;
	double f;
	bool b;
	json_t *json;		/* messages, objects: borrowed from the request's scope */
};

struct lp_request_file {
	bool given;
	struct lp_span filename, type;
	struct lp_span head;	/* the first bytes, up to 64 KiB */
	struct lp_hash hash;	/* of all of them, if intake was asked for it; else zeros */
	int64_t size;
	int64_t milliseconds;	/* that it plays; 0: not measured */
};

struct lp_request {
	const struct lp_pipeline *pipeline;
	struct lp_value *values;	/* one per param of the row */
	struct lp_request_file file;
	uint32_t width, height;		/* of a picture whose size stands behind the file's head; else 0 */
	struct lp_span model;		/* never empty after lp_request_finish */
	bool stream;			/* the answer is to come as events */
	uint64_t units;
	struct lp_scope *tree;		/* of the parsed body; NULL: there is none (any more) */
	struct lp_span packed;		/* the body for the next hop, once it is written */
};

/* Who parses: the gateway's edge is strict in its words and fills in; an orchestrator takes what a
 * go-livepeer gateway sends and refuses in the network's texts. */
enum lp_edge { LP_EDGE_GATEWAY, LP_EDGE_ORCHESTRATOR };

struct lp_request *lp_request_new(struct lp_scope *scope, const struct lp_pipeline *pipeline);
/* A whole JSON body: LP_BAD_REQUEST (malformed) or LP_INVALID (a field: named in words). */
enum lp_code lp_request_read_json(struct lp_scope *scope, struct lp_request *req, struct lp_span body,
				  struct lp_err *e) LP_MUST_USE;
/* One text field of a form; unknown names are ignored; the first of several wins. */
enum lp_code lp_request_read_field(struct lp_scope *scope, struct lp_request *req, struct lp_span name,
				   struct lp_span value, struct lp_err *e) LP_MUST_USE;
/* After everything is read: required fields, ranges, defaults, the model, stream, units. */
enum lp_code lp_request_finish(struct lp_scope *scope, struct lp_request *req, enum lp_edge edge,
			       struct lp_err *e) LP_MUST_USE;

/* Of a row that is `measured`, once its file has been: the duration goes on in its metadata, and the units are
 * counted, which lp_request_finish left at 0. */
enum lp_code lp_request_measured(struct lp_scope *scope, struct lp_request *req, int64_t milliseconds,
				 enum lp_edge edge, struct lp_err *e) LP_MUST_USE;
/* Bytes that a text may have. */
size_t lp_request_text_max(const struct lp_param *param);
/* A finished JSON request, kept as the body that lp_request_write_json gives from then on: a tree of the values takes
 * several times the memory, for as long as the job runs.  Of the values texts and lists are gone, numbers stay. */
void lp_request_pack(struct lp_scope *scope, struct lp_request *req);

const struct lp_value *lp_request_value(const struct lp_request *req, const char *name);	/* NULL: not given */

/* The body for the next hop as the network writes it (ai-http-api 1.2, network-protocol 5.1): JSON with
 * keys in alphabetical order; or for a form everything before the file's bytes (`before`) and after them. */
void lp_request_write_json(struct lp_buf *to, const struct lp_request *req);
void lp_request_write_form(struct lp_buf *before, struct lp_buf *after, const char *boundary,
			   const struct lp_request *req);

/* Divisor of the latency score: units, times steps where they count; for llm the tokens of the answer. */
double lp_request_work(const struct lp_request *req, uint64_t answer_tokens);

/* Width and height out of the first bytes of a PNG, JPEG, GIF or WebP file. */
bool lp_image_size(struct lp_span head, uint32_t *width, uint32_t *height);

/* A JPEG's size may stand behind megabytes of a camera's notes: fed piece by piece, from the start, this skips them.
 * Starts as zeros; says true when the size is known. */
struct lp_jpeg_scan {
	uint64_t skip;			/* of the segment that is passed over */
	unsigned char seen[9];		/* of the next one */
	unsigned n;
	bool began, over;		/* over: it is no JPEG, or the size is known */
	uint32_t width, height;
};
bool lp_jpeg_scan(struct lp_jpeg_scan *scan, struct lp_span bytes);

#endif
