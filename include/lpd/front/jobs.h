/* front/jobs - jobs whose reply is kept: polled later, asked for twice, found again after a restart.
 *
 * Two uses of one row.  An *asynchronous* job (Prefer: respond-async) has no client that waits: its reply is kept
 * under its id.  A job with an Idempotency-Key is answered to whoever asks the same again, while it runs and after.
 * Of both the reply goes to a capture (io/capture), so that the job itself does not know.
 *
 * A row begins as a file that says "running" (DIR/job-ID), becomes one with reply and media (io/parcel) when the job
 * ends, and is dropped ttl later.  One that was running when the process died is answered as failed. */
#ifndef LPD_FRONT_JOBS_H
#define LPD_FRONT_JOBS_H

#include <lpd/base/log.h>
#include <lpd/front/media.h>
#include <lpd/io/exchange.h>

#define LP_JOBS_MAX 10000	/* rows, unless said otherwise */
#define LP_KEPT_ID 32		/* hexadecimal digits of a row's id */
#define LP_JOB_KEY_MAX 255	/* bytes of an Idempotency-Key */

struct lp_jobs;
struct lp_kept;			/* a row */

struct lp_jobs_want {
	struct lp_loop *loop;
	const char *dir;		/* made when missing; read at open; locked: LP_CONFIG when somebody has it */
	int64_t ttl;			/* counted from the end of the job */
	int max;			/* rows; 0: LP_JOBS_MAX */
	struct lp_media *media;		/* where the job's media lie; its budget bounds the files as well */
	struct lp_log *log;
	struct lp_metrics *metrics;
};
enum lp_code lp_jobs_open(struct lp_scope *scope, struct lp_jobs **out, const struct lp_jobs_want *want,
			  struct lp_err *e) LP_MUST_USE;

/* The state of a row, and its word in answers. */
enum lp_kept_state {
	LP_KEPT_PROCESSING,
	LP_KEPT_COMPLETE,
	LP_KEPT_FAILED,
	LP_KEPT_CANCELLED,
};
const char *lp_kept_state_name(enum lp_kept_state state);

/* Spans are copied. */
struct lp_kept_want {
	struct lp_span job;			/* the id under which its media are kept; the row's own is secret */
	struct lp_span pipeline, model, request_id;
	struct lp_span key;			/* Idempotency-Key; empty: none */
	const uint8_t *fingerprint;		/* 32 bytes over what was asked for */
	bool asynchronous;
	struct lp_exchange *like;		/* the request */
};
/* LP_TOO_MANY when as many are kept as may be. */
enum lp_code lp_jobs_begin(struct lp_jobs *jobs, struct lp_kept **out, const struct lp_kept_want *want,
			   struct lp_err *e) LP_MUST_USE;
struct lp_exchange *lp_kept_exchange(struct lp_kept *kept);	/* to reply to, instead of the client's */
/* The job has ended, after its reply if it gave one.  Its kept pointer is dead from here on. */
void lp_kept_end(struct lp_kept *kept, enum lp_code code);

/* 202 with id and Location, when the row is on disk: an answer that survives us. */
void lp_kept_accept(struct lp_kept *kept, struct lp_exchange *ex);
/* The reply, as it comes.  again: not the first who asks for it. */
void lp_kept_follow(struct lp_kept *kept, struct lp_exchange *ex, bool again);
struct lp_kept *lp_jobs_by_key(struct lp_jobs *jobs, struct lp_span pipeline, struct lp_span key);	/* or NULL */
bool lp_kept_same(const struct lp_kept *kept, const uint8_t fingerprint[32]);
bool lp_kept_is_asynchronous(const struct lp_kept *kept);

/* ---- for routes ---- */

struct lp_kept *lp_jobs_find(struct lp_jobs *jobs, struct lp_span id);		/* asynchronous ones only; or NULL */
enum lp_kept_state lp_kept_state(const struct lp_kept *kept);
/* One JSON object without the result: id, request_id, pipeline, model, status, created, ended, expires, code. */
void lp_kept_write(const struct lp_kept *kept, struct lp_buf *to);
/* The reply's body between two texts, with this status; 0: the reply's own.  Not while it is processing. */
void lp_kept_send(struct lp_kept *kept, struct lp_exchange *ex, int status, struct lp_span before,
		  struct lp_span after);
/* Ends a running job as if its client had left; forgets one that has ended. */
void lp_kept_cancel(struct lp_kept *kept);
/* Newest first, after the id (empty: from the newest), asynchronous ones only. */
int lp_jobs_list(struct lp_jobs *jobs, struct lp_kept **out, int max, struct lp_span after);
/* A kept medium at this path; false: there is none, and nothing was answered. */
bool lp_jobs_serve_media(struct lp_jobs *jobs, struct lp_exchange *ex);
int lp_jobs_writing(const struct lp_jobs *jobs);	/* files under way: going down waits for them */

#endif
