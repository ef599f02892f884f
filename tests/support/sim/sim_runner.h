/* sim/sim_runner - an ai-runner that does what the test says. */
#ifndef SIM_RUNNER_H
#define SIM_RUNNER_H

#include <lpd/io/router.h>
#include <lpd/io/timer.h>

#include "sim_net.h"

struct sim;

enum sim_how {
	SIM_ANSWERS,
	SIM_HANGS,		/* takes the job and says nothing more */
	SIM_DIES,		/* resets before it has answered */
	SIM_DIES_MIDWAY,	/* resets in the middle of the answer, or after half of the events */
	SIM_ENDS_MIDWAY,	/* half of the events, then an orderly end */
	SIM_ERROR_EVENT,	/* half of the events, then {"error": ...} */
	SIM_STOPS_MIDWAY,	/* half of the answer, then silence */
};

/* What it does with a job. */
struct sim_does {
	enum sim_how how;
	int64_t delay;		/* before it answers */
	int64_t each;		/* between two events */
	int status;		/* 0: 200 */
	const char *type;	/* of the answer; NULL: what is right */
	const char *body;	/* NULL: a good answer */
	size_t picture;		/* bytes of a picture; 0: 1,000 */
	int pictures;		/* 0: 1 */
	size_t large;		/* bytes of a stream's third event, more or less */
	int events;		/* of a stream, the last with finish_reason; 0: 5 */
};

struct sim_runner {
	struct lp_link link;
	struct sim *s;
	struct sim_host *host;
	struct lp_scope *scope;		/* NULL: it does not run */
	struct lp_server *server;
	const char *name, *url, *unix_path;
	struct sim_does does;		/* every job, unless... */
	const struct sim_does *script;	/* ...one of these is left, in order */
	int n_script;
	const char *health;		/* "OK" */
	const char *models;		/* JSON: what it says that it has, as lpd-runner does; NULL: nothing */
	bool busy_is_silent;		/* answers no /health while it has a job */
	bool deaf;			/* answers no /health at all */
	int jobs, most_jobs, started, answered, gone;	/* now, at once, and over its life */
	int asked;			/* for its health */
	struct lp_buf good;		/* the last good answer, made for good_of */
	struct sim_does good_of;
};

struct sim_runner *sim_runner(struct sim *s, const char *name);
struct sim_runner *sim_runner_at(struct sim *s, const char *name, const char *unix_path);
void sim_runner_stop(struct sim_runner *r);	/* its process ends */
void sim_runner_start(struct sim_runner *r);

#endif
